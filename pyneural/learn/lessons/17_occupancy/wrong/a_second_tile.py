# says: line 24: 35904 bytes of shared memory for a block; 8 blocks, which are all 64 warps of a multiprocessor of an A100, have room if a block takes at most 19968
# look: which tile is still needed when the next one is begun: may the next one lie in the same place?


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
    sums = cuda.shared.array((FULL, SIDE), int32)
    for row in range(warp, FULL, WARPS):
        for column in range(lane, SIDE, 32):
            total = 0
            for j in range(5):
                total += tile[row, column + j]
            sums[row, column] = total
    cuda.syncthreads()
    for p in range(t, PIXELS, THREADS):
        row, column, total = p // SIDE, p % SIDE, 0
        for j in range(5):
            total += sums[row + j, column]
        if top + row < height and left + column < width:
            y[top + row, left + column] = total
    # <<<
