# says: line 21: 1064960 bytes move to and from global memory; 49152 would do ((64, 64) times (64, 64))
# look: this line, which moves most of them


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
    for j in range(k):
        total += a[row, j] * b[j, column]
    c[row, column] = total
    # <<<
