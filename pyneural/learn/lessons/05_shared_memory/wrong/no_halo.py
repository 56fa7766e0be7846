# says: line 24: uninitialized_read: thread 127 of block 0 reads shared tile[130], which nothing has written (n = 256)
# look: the halo: 132 places of the tile must be filled, by 128 threads
# says: line 25: y[...] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of ...
# look: which element each thread computes, for the thread named


from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = cuda.shared.array(SIZE, int32)
    first = cuda.blockIdx.x * BLOCK - RADIUS  # of the tile
    # >>> your code: fill the tile, wait, add five places of it.
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    tile[cuda.threadIdx.x + RADIUS] = x[i] if i < n else 0
    cuda.syncthreads()
    if i < n:
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
