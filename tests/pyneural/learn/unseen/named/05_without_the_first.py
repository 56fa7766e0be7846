# line 17: 0 < i leaves element 0 out: 0 <= i
# words: `<`
# later: named at first sight
from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = cuda.shared.array(SIZE, int32)
    first = cuda.blockIdx.x * BLOCK - RADIUS  # of the tile
    # >>> your code: fill the tile, wait, add five places of it.
    for t in range(cuda.threadIdx.x, SIZE, BLOCK):
        i = first + t
        tile[t] = x[i] if 0 < i < n else 0
    cuda.syncthreads()
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
