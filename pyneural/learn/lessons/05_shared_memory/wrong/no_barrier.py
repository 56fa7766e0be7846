# says: line 22: race: thread 1 of block 0 writes shared tile[1], which thread 0 of the same block read (line 27) with no cuda.syncwarp() or cuda.syncthreads() between (n = 256)
# look: one thread fills a place of the tile, another one reads it: all threads must wait in between
# says: line 27: race: thread 124 of block 0 reads shared tile[128], which thread 0 of the same block wrote (line 22) with no cuda.syncthreads() between (n = 256)
# look: one thread fills a place of the tile, another one reads it: all threads must wait in between
# says: line 28: y[0] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
# look: which element each thread computes, for the thread named


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
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
