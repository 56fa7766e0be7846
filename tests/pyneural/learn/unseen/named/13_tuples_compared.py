# line 21: tuples are compared place after place: each of r and c needs a comparison of its own
# words: tuple

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
    for p in range(thread, PLACES, SIDE * SIDE):
        r, c = top + p // TILE, left + p % TILE
        tile[p // TILE, p % TILE] = x[r, c] if (r, c) >= (0, 0) and (r, c) < (height, width) else 0
    cuda.syncthreads()
    if row < height and column < width:
        total = 9 * tile[ty + 1, tx + 1]
        for r in range(3):
            for c in range(3):
                total -= tile[ty + r, tx + c]
        y[row, column] = total
    # <<<
