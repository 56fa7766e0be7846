# line 22: `/` gives a fraction, also of whole numbers, and a place must be whole: `//`
# words: `//`

from numba import cuda, int32

BLOCK = 256


@cuda.jit
def block_sums(x, sums, n):
    part = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * BLOCK + t
    # >>> your code: fill part, add in halves, store the sum.
    part[t] = x[i] if i < n else 0
    cuda.syncthreads()
    half = BLOCK // 2
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half = half / 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
