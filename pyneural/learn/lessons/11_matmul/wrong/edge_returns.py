# says: line 29: divergent_barrier: thread 0 of block 2 waits at cuda.syncthreads(), but thread 1 has returned and never comes ((17, 5) times (5, 33))
# look: threads without an element of c: they load, and come to every barrier, like the others
# says: line 31: uninitialized_read: thread 0 of block 2 reads shared at[0, 1], which nothing has written ((17, 5) times (5, 33))
# look: who writes this element first, and whether all threads wait for it
# says: line 32: divergent_barrier: thread (0, 15) of block 2 waits at cuda.syncthreads(), but thread 1 has returned and never comes ((17, 5) times (5, 33))
# look: threads without an element of c: they load, and come to every barrier, like the others
# says: line 33: c[...] is ..., not ...; ... of 561 elements are wrong ((17, 5) times (5, 33)); this one is the work of ...
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
    if row >= m or column >= n:
        return
    total = float32(0)
    for first in range(0, k, SIDE):
        at[ty, tx] = a[row, first + tx] if first + tx < k else 0
        bt[ty, tx] = b[first + ty, column] if first + ty < k else 0
        cuda.syncthreads()
        for j in range(SIDE):
            total += at[ty, j] * bt[j, tx]
        cuda.syncthreads()
    c[row, column] = total
    # <<<
