# says: line 24: uninitialized_read: thread 60 of block 2 reads shared part[188], which nothing has written (n = 700)
# look: the last block: its threads past n have a place in part as well
# says: line 28: sums[...] is ..., not ...; ... of 3 elements are wrong (n = 700)
# look: which element each thread computes, for the thread named


from numba import cuda, int32

BLOCK = 256


@cuda.jit
def block_sums(x, sums, n):
    part = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * BLOCK + t
    # >>> your code: fill part, add in halves, store the sum.
    if i < n:
        part[t] = x[i]
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
