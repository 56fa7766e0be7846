# says: line 22: an index is negative here for thread 0: it counts from the end of the array
# look: the condition that keeps the index at 0 or above
# says: line 22: out_of_bounds: thread 0 of block 0 reads global x[-1], 4 bytes before the start of the array (n = 1)
# look: the condition that guards this access, and the largest index that comes here
# says: line 29: y[...] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of ...
# look: which element each thread computes, for the thread named


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
        tile[t] = x[i] if i < n else 0
    cuda.syncthreads()
    i = cuda.blockIdx.x * BLOCK + cuda.threadIdx.x
    if i < n:
        total = 0
        for t in range(2 * RADIUS + 1):
            total += tile[cuda.threadIdx.x + t]
        y[i] = total
    # <<<
