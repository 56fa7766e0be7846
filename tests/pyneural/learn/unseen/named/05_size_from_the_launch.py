# line 12: the size of a shared array is a constant: blockDim is known at the launch only
# words: shape; constant

from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = cuda.shared.array(cuda.blockDim.x + 4, int32)
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
