# says: line 29: y[0, 0] is ..., not ...; 4690 of 4690 elements are wrong (70 by 67); this one is the work of block (0, 0), place [0][0] of its 64 by 64
# look: these are the sums along rows only: five of them make a result


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
    for p in range(t, PIXELS, THREADS):
        row, column, total = p // SIDE, p % SIDE, 0
        for j in range(5):
            total += tile[row + HALO, column + j]
        if top + row < height and left + column < width:
            y[top + row, left + column] = total
    # <<<
