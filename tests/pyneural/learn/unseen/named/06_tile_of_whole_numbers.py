# line 12: the tile is of whole numbers, and x is not: fractions are lost
# words: whole; tile

from numba import cuda, int32

SIDE, ROWS = 32, 8


@cuda.jit
def transpose(x, y, height, width):
    # >>> your code: a tile, filled by rows of x, emptied by rows of y.
    tile = cuda.shared.array((32, 33), int32)
    column = cuda.blockIdx.x * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        row = cuda.blockIdx.y * SIDE + t
        if row < height and column < width:
            tile[t, cuda.threadIdx.x] = x[row, column]
    cuda.syncthreads()
    to = cuda.blockIdx.y * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        start = cuda.blockIdx.x * SIDE + t
        if start < width and to < height:
            y[start, to] = tile[cuda.threadIdx.x, t]
    # <<<
