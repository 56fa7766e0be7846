# says: line 27: y[0, ...] is nan, not ...; ... of 1000 elements are wrong (5 rows of 200); this one is the work of lane ... of warp 0 of block 0
# look: what overflows or divides by 0 on the way to this element


import math

from numba import cuda, float32

LOWEST = -1e30  # below every x, and LOWEST - LOWEST is 0


@cuda.jit
def softmax(x, y, height, width):
    lane = cuda.threadIdx.x % 32
    row = cuda.blockIdx.x * 4 + cuda.threadIdx.x // 32
    if row >= height:  # whole warps
        return
    # >>> your code: a pair for each lane, the pairs of the warp joined, the results.
    total = float32(0)
    for i in range(lane, width, 32):
        total += math.exp(x[row, i])
    distance = 16
    while distance > 0:
        total += cuda.shfl_xor_sync(0xFFFFFFFF, total, distance)
        distance //= 2
    for i in range(lane, width, 32):
        y[row, i] = math.exp(x[row, i]) / total
    # <<<
