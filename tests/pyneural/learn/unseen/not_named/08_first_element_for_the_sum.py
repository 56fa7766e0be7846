# line 19: what is passed on is one element, and not the lane's sum so far
# words: total
# later: not named at first sight
from numba import cuda


@cuda.jit
def row_sums(x, sums, height, width):
    lane = cuda.threadIdx.x % 32
    row = cuda.blockIdx.x * 4 + cuda.threadIdx.x // 32
    if row >= height:  # whole warps
        return
    # >>> your code: each lane a sum of its own, then the sum of the warp by shuffles; lane 0 stores it.
    total = 0
    for column in range(lane, width, 32):
        total += x[row, column]
    distance = 16
    while distance > 0:
        total += cuda.shfl_down_sync(0xFFFFFFFF, x[row, lane], distance)
        distance //= 2
    if lane == 0:
        sums[row] = total
    # <<<
