# says: line 26: y[0] is ..., not ...; 256 of 256 elements are wrong (n = 256); this one is the work of thread 0 of block 0
# look: each sum lacks its own element: that is the exclusive scan


from numba import cuda, int32

BLOCK = 256


@cuda.jit
def scan(x, y, n):
    sums = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    sums[t] = x[t] if t < n else 0
    cuda.syncthreads()
    # >>> your code: the steps, for distances 1, 2, 4, ...; then the result.
    own = sums[t]
    distance = 1
    while distance < BLOCK:
        before = sums[t - distance] if t >= distance else 0
        cuda.syncthreads()
        sums[t] += before
        cuda.syncthreads()
        distance *= 2
    if t < n:
        y[t] = sums[t] - own
    # <<<
