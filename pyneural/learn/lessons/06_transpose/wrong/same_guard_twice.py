# says: line 32: `y` has `width` rows, and `start`, its first index here, goes up to `height`
# look: the order of the indices, of which the row's comes first; or, where that is right, the guard
# says: line 32: uninitialized_read: thread (31, 7) of block (0, 1) reads shared tile[31, 7], which nothing has written (33 rows of 70)
# look: who writes this element first, and whether all threads wait for it
# says: line 32: race: thread (31, 7) of block (0, 1) writes global y[8, 30], which thread 30 of block 0 wrote (line 32); blocks run in any order: use an atomic operation, or two launches (33 rows of 70)
# look: which block is to have this element: no barrier orders two blocks
# says: line 32: out_of_bounds: thread (0, 7) of block 0 writes global y[31, 0], 4 bytes past the end of its 1457 elements (47 rows of 31)
# look: the condition that guards this access, and the largest index that comes here
# says: line 32: y[32, 0] is never written; it must be ...; 1024 of 2048 elements are wrong (32 rows of 64)
# look: which element each thread computes, for the thread named: `start = cuda.blockIdx.x * SIDE + t` (line 30), `to = cuda.blockIdx.y * SIDE + cuda.threadIdx.x` (line 28)


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
        if start < height and to < width:
            y[start, to] = tile[cuda.threadIdx.x, t]
    # <<<
