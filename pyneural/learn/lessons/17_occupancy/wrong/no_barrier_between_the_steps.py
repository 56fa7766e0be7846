# says: line 38: race: thread 158 of block 0 reads shared tile[2, 30], which thread 94 of the same block wrote (line 34) with no cuda.syncthreads() between (70 by 67)
# look: where a sum takes the place of an element: who still needs the element, and who waits for the sum?
# says: line 34: race: thread 190 of block 0 writes shared tile[61, 30], which thread 158 of the same block read (line 38) with no cuda.syncthreads() between (70 by 67)
# look: where a sum takes the place of an element: who still needs the element, and who waits for the sum?
# says: line 40: y[...] is ..., not ...; ... of 4690 elements are wrong (70 by 67); this one is the work of block (...), place [...] of its 64 by 64
# look: which element each thread computes, for the thread named


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
    for p in range(t, PIXELS, THREADS):
        row, column, total = p // SIDE, p % SIDE, 0
        for j in range(5):
            total += tile[row + j, column]
        if top + row < height and left + column < width:
            y[top + row, left + column] = total
    # <<<
