# says: line 24: 219264 bytes move to and from global memory; 32768 would do (64 rows of 64)
# look: this line, which moves most of them


from numba import cuda, int32

SIDE = 16
TILE = SIDE + 2
PLACES = TILE * TILE


@cuda.jit
def edges(x, y, height, width):
    tile = cuda.shared.array((TILE, TILE), int32)
    top, left = cuda.blockIdx.y * SIDE - 1, cuda.blockIdx.x * SIDE - 1  # of the tile
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    thread = ty * SIDE + tx
    column, row = cuda.grid(2)
    # >>> your code: fill the tile, wait, add up, store.
    if row < height and column < width:
        total = 9 * x[row, column]
        for r in range(max(row - 1, 0), min(row + 2, height)):
            for c in range(max(column - 1, 0), min(column + 2, width)):
                total -= x[r, c]
        y[row, column] = total
    # <<<
