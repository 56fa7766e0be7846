# line 21: a kernel has no slices and no sum of them: a loop adds
# words: slice; loop

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
        tile[t] = x[i] if i >= 0 and i < n else 0
    cuda.syncthreads()
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        y[i] = sum(tile[cuda.threadIdx.x : cuda.threadIdx.x + 5])
    # <<<
