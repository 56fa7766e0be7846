# says: line 13: y[256] is never written; it must be ...; 1 of 257 elements are wrong (n = 257); this one is the work of thread 0 of block 0 in round 1
# look: which element each thread computes, for the thread named: `i = cuda.grid(1)` (line 11)


from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    i = cuda.grid(1)
    if i < n:
        y[i] = a * x[i]
    # <<<
