# says: line 35: race: thread 1 of block 0 reads shared at[0, 0], which thread 0 of the same block wrote (line 29) with no cuda.syncwarp() or cuda.syncthreads() between ((64, 32) times (32, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 29: race: thread 1 of block 0 writes shared at[0, 1], which thread 0 of the same block read (line 35) with no cuda.syncwarp() or cuda.syncthreads() between ((64, 32) times (32, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 33: race: thread 15 of block 0 reads shared bt[15, 15], which thread (15, 15) of the same block wrote (line 30) with no cuda.syncthreads() between ((64, 32) times (32, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 40: c[0, 1] is ..., not ...; ... of 1024 elements are wrong ((64, 32) times (32, 16)); this one is the work of thread (1, 0) of block (0, 0), its result 0
# look: which element each thread computes, for the thread named


from numba import cuda, float32

SIDE, EACH = 16, 4
ROWS = SIDE * EACH


@cuda.jit
def matmul(a, b, c, m, n, k):
    at = cuda.shared.array((ROWS, SIDE), float32)
    bt = cuda.shared.array((SIDE, SIDE), float32)
    total = cuda.local.array(EACH, float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    top, column = cuda.blockIdx.y * ROWS, cuda.blockIdx.x * SIDE + tx
    for r in range(EACH):
        total[r] = 0
    for first in range(0, k, SIDE):
        # >>> your code: fill both tiles, wait, multiply, wait. Row r of this thread is row ty * EACH + r of the tile.
        for t in range(ty, ROWS, SIDE):
            at[t, tx] = a[top + t, first + tx] if top + t < m and first + tx < k else 0
        bt[ty, tx] = b[first + ty, column] if first + ty < k and column < n else 0
        cuda.syncthreads()
        for j in range(SIDE):
            once = bt[j, tx]
            for r in range(EACH):
                total[r] += at[ty * EACH + r, j] * once
        # <<<
    for r in range(EACH):
        row = top + ty * EACH + r
        if row < m and column < n:
            c[row, column] = total[r]
