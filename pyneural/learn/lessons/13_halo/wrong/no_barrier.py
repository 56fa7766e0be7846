# says: line 28: race: thread 1 of block 0 writes shared tile[0, 1], which thread 0 of the same block read (line 33) with no cuda.syncwarp() or cuda.syncthreads() between (32 rows of 32)
# look: a pixel's neighbours are filled in by other threads: all must wait in between
# says: line 33: race: thread (2, 12) of block 0 reads shared tile[14, 4], which thread 0 of the same block wrote (line 28) with no cuda.syncthreads() between (32 rows of 32)
# look: a pixel's neighbours are filled in by other threads: all must wait in between
# says: line 30: race: thread (3, 13) of block 0 reads shared tile[14, 4], which thread 0 of the same block wrote (line 28) with no cuda.syncthreads() between (32 rows of 32)
# look: a pixel's neighbours are filled in by other threads: all must wait in between
# says: line 34: y[0, 0] is ..., not ...; ... of 1024 elements are wrong (32 rows of 32); this one is the work of thread (0, 0) of block (0, 0)
# look: which element each thread computes, for the thread named


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
        tile[p // TILE, p % TILE] = x[r, c] if r >= 0 and r < height and c >= 0 and c < width else 0
    if row < height and column < width:
        total = 9 * tile[ty + 1, tx + 1]
        for r in range(3):
            for c in range(3):
                total -= tile[ty + r, tx + c]
        y[row, column] = total
    # <<<
