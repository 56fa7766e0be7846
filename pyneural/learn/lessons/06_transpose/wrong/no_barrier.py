# says: line 22: race: thread 8 of block 0 writes shared tile[0, 8], which thread 0 of the same block read (line 27) with no cuda.syncwarp() or cuda.syncthreads() between (32 rows of 64)
# look: what orders the two accesses: between them every thread of the block must pass a barrier
# says: line 27: race: thread 8 of block 0 reads shared tile[8, 0], which thread 0 of the same block wrote (line 22) with no cuda.syncwarp() or cuda.syncthreads() between (32 rows of 64)
# look: what orders the two accesses: between them every thread of the block must pass a barrier
# says: line 27: y[0, 1] is ..., not ...; 992 of 2048 elements are wrong (32 rows of 64)
# look: which element each thread computes, for the thread named


from numba import cuda, float32

SIDE, ROWS = 32, 8


@cuda.jit
def transpose(x, y, height, width):
    # >>> your code: a tile, filled by rows of x, emptied by rows of y.
    tile = cuda.shared.array((32, 33), float32)
    column = cuda.blockIdx.x * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        row = cuda.blockIdx.y * SIDE + t
        if row < height and column < width:
            tile[t, cuda.threadIdx.x] = x[row, column]
    to = cuda.blockIdx.y * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        start = cuda.blockIdx.x * SIDE + t
        if start < width and to < height:
            y[start, to] = tile[cuda.threadIdx.x, t]
    # <<<
