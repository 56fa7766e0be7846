# line 15: an `if` within an expression needs an `else`: 0 for the threads past the end
# words: else

from numba import cuda, int32

BLOCK = 256


@cuda.jit
def block_sums(x, sums, n):
    part = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * BLOCK + t
    # >>> your code: fill part, add in halves, store the sum.
    part[t] = x[i] if i < n
    cuda.syncthreads()
    half = BLOCK // 2
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
