# says: line 21: divergent_barrier: thread 0 of block 2 waits at cuda.syncthreads(), but thread 44 has returned and never comes (n = 300)
# look: threads past the end of x have no result, but they must come to the barrier as well


from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = cuda.shared.array(SIZE, int32)
    first = cuda.blockIdx.x * BLOCK - RADIUS  # of the tile
    # >>> your code: fill the tile, wait, add five places of it.
    for t in range(cuda.threadIdx.x, SIZE, BLOCK):
        i = first + t
        tile[t] = x[i] if i >= 0 and i < n else 0
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        cuda.syncthreads()
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
