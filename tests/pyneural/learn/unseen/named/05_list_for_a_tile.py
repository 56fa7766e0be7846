# line 12: a list is no shared memory, and a kernel has none: cuda.shared.array
# words: list; array

from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = [0] * SIZE
    first = cuda.blockIdx.x * BLOCK - RADIUS  # of the tile
    # >>> your code: fill the tile, wait, add five places of it.
    for t in range(cuda.threadIdx.x, SIZE, BLOCK):
        i = first + t
        tile[t] = x[i] if i >= 0 and i < n else 0
    cuda.syncthreads()
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
