# line 23: the tile is read as it was filled: its indices must be exchanged here
# words: tile; index
# later: not named at first sight
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
    cuda.syncthreads()
    to = cuda.blockIdx.y * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        start = cuda.blockIdx.x * SIDE + t
        if start < width and to < height:
            y[start, to] = tile[t, cuda.threadIdx.x]
    # <<<
