# line 17: an atomic takes the array and the index as two arguments: cuda.atomic.add(mine, x[i], 1)
# words: cuda.atomic.add; index

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
        cuda.atomic.add(mine[x[i]], 1)
    cuda.syncthreads()
    for bin in range(cuda.threadIdx.x, BINS, cuda.blockDim.x):
        cuda.atomic.add(counts, bin, mine[bin])
    # <<<
