# says: line 24: out_of_bounds: thread (0, 5) of block 0 reads global b[5, 0], 4 bytes past the end of its 165 elements ((17, 5) times (5, 33))
# look: each tile has two edges: a row and a column of its matrix, of which one is along k
# says: line 23: out_of_bounds: thread (15, 14) of block 0 reads global a[17, 0], 4 bytes past the end of its 85 elements ((17, 5) times (5, 33))
# look: each tile has two edges: a row and a column of its matrix, of which one is along k
# says: line 30: c[...] is ..., not ...; ... of 561 elements are wrong ((17, 5) times (5, 33)); this one is the work of ...
# look: which element each thread computes, for the thread named


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
        at[ty, tx] = a[row, first + tx] if row < m else 0
        bt[ty, tx] = b[first + ty, column] if column < n else 0
        cuda.syncthreads()
        for j in range(SIDE):
            total += at[ty, j] * bt[j, tx]
        cuda.syncthreads()
    if row < m and column < n:
        c[row, column] = total
    # <<<
