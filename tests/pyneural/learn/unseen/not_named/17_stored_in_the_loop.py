# line 29: the sum is stored within the loop over j, while the elements behind it are still needed
# words: loop
# later: not named at first sight
from numba import cuda, int32

THREADS, WARPS, SIDE, HALO = 256, 8, 64, 2
FULL = SIDE + 2 * HALO
PLACES, PIXELS = FULL * FULL, SIDE * SIDE


@cuda.jit
def box(x, y, height, width):
    tile = cuda.shared.array((FULL, FULL), int32)
    t = cuda.threadIdx.x
    lane, warp = t % 32, t // 32
    top, left = cuda.blockIdx.y * SIDE, cuda.blockIdx.x * SIDE
    for p in range(t, PLACES, THREADS):
        row, column = top - HALO + p // FULL, left - HALO + p % FULL
        inside = row >= 0 and row < height and column >= 0 and column < width
        tile[p // FULL, p % FULL] = x[row, column] if inside else 0
    cuda.syncthreads()
    # >>> your code: sums of five along the rows of the tile, then of five of these along its columns, to y.
    for row in range(warp, FULL, WARPS):
        for column in range(lane, SIDE, 32):
            total = 0
            for j in range(5):
                total += tile[row, column + j]
                cuda.syncwarp()
                tile[row, column] = total
    cuda.syncthreads()
    for p in range(t, PIXELS, THREADS):
        row, column, total = p // SIDE, p % SIDE, 0
        for j in range(5):
            total += tile[row + j, column]
        if top + row < height and left + column < width:
            y[top + row, left + column] = total
    # <<<
