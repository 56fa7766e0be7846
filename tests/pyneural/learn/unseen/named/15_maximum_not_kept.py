# line 20: max changes nothing: its value must be kept
# words: max; value

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
    most, total = float32(LOWEST), float32(0)
    for i in range(lane, width, 32):
        max(most, x[row, i])
        total += math.exp(x[row, i] - most)
    distance = 16
    while distance > 0:
        total += cuda.shfl_xor_sync(0xFFFFFFFF, total, distance)
        distance //= 2
    for i in range(lane, width, 32):
        y[row, i] = math.exp(x[row, i] - most) / total
    # <<<
