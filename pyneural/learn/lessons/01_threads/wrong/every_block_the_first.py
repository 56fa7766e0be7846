# says: line 12: y[64] is never written; it must be ...; 128 of 192 elements are wrong (grid 3, block 64); this one is the work of thread 0 of block 1
# look: cuda.threadIdx.x begins at 0 in every block: all blocks write the elements of block 0


from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.threadIdx.x
    y[i] = a * x[i]
    # <<<
