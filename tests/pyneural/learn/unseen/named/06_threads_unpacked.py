# line 13: threadIdx is no tuple: its parts are threadIdx.x and threadIdx.y
# words: cuda.threadIdx.x

from numba import cuda, float32

SIDE, ROWS = 32, 8


@cuda.jit
def transpose(x, y, height, width):
    # >>> your code: a tile, filled by rows of x, emptied by rows of y.
    tile = cuda.shared.array((32, 33), float32)
    tx, ty = cuda.threadIdx
    column = cuda.blockIdx.x * SIDE + tx
    for t in range(ty, SIDE, ROWS):
        row = cuda.blockIdx.y * SIDE + t
        if row < height and column < width:
            tile[t, tx] = x[row, column]
    cuda.syncthreads()
    to = cuda.blockIdx.y * SIDE + tx
    for t in range(ty, SIDE, ROWS):
        start = cuda.blockIdx.x * SIDE + t
        if start < width and to < height:
            y[start, to] = tile[tx, t]
    # <<<
