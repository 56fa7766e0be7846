# says: line 25: sums[0] is ..., not ...; 2 of 2 elements are wrong (n = 512)
# look: the elements at odd places are missing: is there a step with half = 1?


from numba import cuda, int32

BLOCK = 256


@cuda.jit
def block_sums(x, sums, n):
    part = cuda.shared.array(BLOCK, int32)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * BLOCK + t
    # >>> your code: fill part, add in halves, store the sum.
    part[t] = x[i] if i < n else 0
    cuda.syncthreads()
    half = BLOCK // 2
    while half > 1:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = part[0]
    # <<<
