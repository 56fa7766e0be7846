# says: line 21: an index is negative here for thread 0: it counts from the end of the array
# look: the condition that keeps the index at 0 or above
# says: line 27: y[0] is ..., not ...; ... of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
# look: which element each thread computes, for the thread named


from numba import cuda, int32

BLOCK = 256


@cuda.jit
def scan(x, y, n):
    sums = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    sums[t] = x[t] if t < n else 0
    cuda.syncthreads()
    # >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
    distance = 1
    while distance < BLOCK:
        before = sums[t - distance]
        cuda.syncthreads()
        sums[t] += before
        cuda.syncthreads()
        distance *= 2
    if t < n:
        y[t] = sums[t]
    # <<<
