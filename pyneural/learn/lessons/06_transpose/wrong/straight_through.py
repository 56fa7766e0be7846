# says: line 17: a store of a warp touches 32 sectors on average; 32 floats side by side lie in 4
# look: docs/simulator.md, `global_store_sectors_per_request`


from numba import cuda, float32

SIDE, ROWS = 32, 8


@cuda.jit
def transpose(x, y, height, width):
    # >>> your code: a tile, filled by rows of x, emptied by rows of y.
    column = cuda.blockIdx.x * SIDE + cuda.threadIdx.x
    for t in range(cuda.threadIdx.y, SIDE, ROWS):
        row = cuda.blockIdx.y * SIDE + t
        if row < height and column < width:
            y[column, row] = x[row, column]
    # <<<
