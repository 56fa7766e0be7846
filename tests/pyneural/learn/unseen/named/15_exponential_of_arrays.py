# line 33: np.exp is for arrays: a number's is math.exp
# words: math.exp

import math

import numpy as np
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
        higher = max(most, x[row, i])
        total = total * math.exp(most - higher) + math.exp(x[row, i] - higher)
        most = higher
    distance = 16
    while distance > 0:
        other = cuda.shfl_xor_sync(0xFFFFFFFF, most, distance)
        more = cuda.shfl_xor_sync(0xFFFFFFFF, total, distance)
        higher = max(most, other)
        total = total * math.exp(most - higher) + more * math.exp(other - higher)
        most = higher
        distance //= 2
    for i in range(lane, width, 32):
        y[row, i] = np.exp(x[row, i] - most) / total
    # <<<
