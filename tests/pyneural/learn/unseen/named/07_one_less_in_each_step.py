# line 17: range goes down by one, and half is to be halved
# words: range; half

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
    for half in range(BLOCK // 2, 0, -1):
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
