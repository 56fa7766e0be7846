# c = a b for matrices of m x k and k x n: a block computes 64 x 16 elements, a thread 4 of them.

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
        cuda.syncthreads()
        #: pass
        # <<<
    for r in range(EACH):
        row = top + ty * EACH + r
        if row < m and column < n:
            c[row, column] = total[r]
