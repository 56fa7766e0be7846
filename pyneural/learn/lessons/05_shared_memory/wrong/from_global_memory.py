# says: line 21: 28544 bytes move to and from global memory; 8192 would do (n = 1024)
# look: this line, which moves most of them


from numba import cuda, int32

BLOCK, RADIUS = 128, 2
SIZE = BLOCK + 2 * RADIUS


@cuda.jit
def window(x, y, n):
    tile = cuda.shared.array(SIZE, int32)
    first = cuda.blockIdx.x * BLOCK - RADIUS  # of the tile
    # >>> your code: fill the tile, wait, add five places of it.
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        total = 0
        for j in range(i - RADIUS, i + RADIUS + 1):
            if j >= 0 and j < n:
                total += x[j]
        y[i] = total
    # <<<
