# line 17: a kernel has no lists: a tuple, or a while loop
# words: list

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
    for half in [128, 64, 32, 16, 8, 4, 2, 1]:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
