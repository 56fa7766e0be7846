# says: line 23: race: thread 1 of block 0 writes shared part[1], which thread 0 of the same block read (line 23) with no cuda.syncwarp() or cuda.syncthreads() between (n = 512)
# look: two steps of the tree: the next one may begin only when all threads have ended this one
# says: line 26: sums[0] is ..., not ...; 2 of 2 elements are wrong (n = 512)
# look: which element each thread computes, for the thread named


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
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
