# says: line 22: race: thread 2 of block 0 reads shared sums[1], which thread 1 of the same block wrote (line 22) with no cuda.syncwarp() or cuda.syncthreads() between (n = 256)
# look: the two halves of a step: all threads read, wait, write, and wait again
# says: line 26: y[2] is ..., not ...; 254 of 256 elements are wrong (n = 256); this one is the work of thread 2 of block 0
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
        if t >= distance:
            sums[t] += sums[t - distance]
        cuda.syncthreads()
        distance *= 2
    if t < n:
        y[t] = sums[t]
    # <<<
