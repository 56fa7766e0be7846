# line 16: distance has no value yet where the range is made
# words: distance
# later: named at first sight
from numba import cuda, int32

BLOCK = 256


@cuda.jit
def scan(x, y, n):
    sums = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    sums[t] = x[t] if t < n else 0
    cuda.syncthreads()
    # >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
    for distance in range(1, BLOCK, distance * 2):
        before = sums[t - distance] if t >= distance else 0
        cuda.syncthreads()
        sums[t] += before
        cuda.syncthreads()
    if t < n:
        y[t] = sums[t]
    # <<<
