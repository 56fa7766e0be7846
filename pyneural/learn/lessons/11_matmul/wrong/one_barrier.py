# says: line 29: race: thread 1 of block 0 reads shared at[0, 0], which thread 0 of the same block wrote (line 25) with no cuda.syncwarp() or cuda.syncthreads() between ((32, 48) times (48, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 25: race: thread 1 of block 0 writes shared at[0, 1], which thread 0 of the same block read (line 29) with no cuda.syncwarp() or cuda.syncthreads() between ((32, 48) times (48, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 26: race: thread 15 of block 0 writes shared bt[0, 15], which thread (15, 15) of the same block read (line 29) with no cuda.syncthreads() between ((32, 48) times (48, 16))
# look: the tiles are written once for each pair: all must have read the old ones, and wait for the new
# says: line 31: c[0, 1] is ..., not ...; ... of 512 elements are wrong ((32, 48) times (48, 16)); this one is the work of thread (1, 0) of block (0, 0)
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
        at[ty, tx] = a[row, first + tx] if row < m and first + tx < k else 0
        bt[ty, tx] = b[first + ty, column] if first + ty < k and column < n else 0
        cuda.syncthreads()
        for j in range(SIDE):
            total += at[ty, j] * bt[j, tx]
    if row < m and column < n:
        c[row, column] = total
    # <<<
