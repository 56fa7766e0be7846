# says: line 19: uninitialized_read: thread ... of block ... reads shared mine[...], which nothing has written (n = 1000)
# look: who sets the shared counts to 0: shared memory holds anything at first
# says: line 22: uninitialized_read: thread ... of block ... reads shared mine[...], which nothing has written (n = 1000)
# look: who sets the shared counts to 0: shared memory holds anything at first
# says: line 22: counts[...] is ..., not ...; ... of 64 elements are wrong (n = 1000)
# look: which element each thread computes, for the thread named


from numba import cuda, int32

BINS = 64


@cuda.jit
def histogram(x, counts, n):
    mine = cuda.shared.array(BINS, int32)  # of this block
    # >>> your code: clear, count in shared memory, add to counts.
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        cuda.atomic.add(mine, x[i], 1)
    cuda.syncthreads()
    for bin in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        cuda.atomic.add(counts, bin, mine[bin])
    # <<<
