# says: line 18: race: thread ... of block ... shared mine[...], which thread ... of the same block ... (line 18) with no ... between (n = 1000)
# look: two threads may count one value at once; and before a step begins, all must have ended the last


from numba import cuda, int32

BINS = 64


@cuda.jit
def histogram(x, counts, n):
    mine = cuda.shared.array(BINS, int32)  # of this block
    # >>> your code: clear, count in shared memory, add to counts.
    for bin in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        mine[bin] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        mine[x[i]] += 1
    cuda.syncthreads()
    for bin in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        cuda.atomic.add(counts, bin, mine[bin])
    # <<<
