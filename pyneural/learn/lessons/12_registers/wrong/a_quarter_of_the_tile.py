# says: line 30: uninitialized_read: thread (15, 15) of block 0 reads shared at[60, 0], which nothing has written ((64, 32) times (32, 16))
# look: a's tile has 64 rows, and there are 16 rows of threads
# says: line 36: c[...] is ..., not ...; ... of 1024 elements are wrong ((64, 32) times (32, 16)); this one is the work of ...
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
        at[ty, tx] = a[top + ty, first + tx] if top + ty < m and first + tx < k else 0
        bt[ty, tx] = b[first + ty, column] if first + ty < k and column < n else 0
        cuda.syncthreads()
        for j in range(SIDE):
            once = bt[j, tx]
            for r in range(EACH):
                total[r] += at[ty * EACH + r, j] * once
        cuda.syncthreads()
        # <<<
    for r in range(EACH):
        row = top + ty * EACH + r
        if row < m and column < n:
            c[row, column] = total[r]
