# says: line 21: divergent_barrier: thread 0 of block 0 waits at cuda.syncthreads(), but thread 128 has returned and never comes (n = 512)
# look: who leaves the loop early: a barrier within it must be reached by all 256 threads


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
    while t < half:
        part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
