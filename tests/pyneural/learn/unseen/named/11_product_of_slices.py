# line 21: a kernel has no slices and no @: a loop over j
# words: slice; loop

from numba import cuda, float32

SIDE = 16


@cuda.jit
def matmul(a, b, c, m, n, k):
    at = cuda.shared.array((SIDE, SIDE), float32)
    bt = cuda.shared.array((SIDE, SIDE), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    # >>> your code: a loop over pairs of tiles; then the result.
    total = float32(0)
    for first in range(0, k, SIDE):
        at[ty, tx] = a[row, first + tx] if row < m and first + tx < k else 0
        bt[ty, tx] = b[first + ty, column] if first + ty < k and column < n else 0
        cuda.syncthreads()
        total += at[ty, :] @ bt[:, tx]
        cuda.syncthreads()
    if row < m and column < n:
        c[row, column] = total
    # <<<
