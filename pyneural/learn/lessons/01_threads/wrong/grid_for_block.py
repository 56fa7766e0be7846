# says: line 12: y[70] is never written; it must be ...; 122 of 192 elements are wrong (grid 3, block 64); this one is the work of thread 6 of block 1
# look: a block has cuda.blockDim.x threads; cuda.gridDim.x is the number of blocks


from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.blockIdx.x * cuda.gridDim.x + cuda.threadIdx.x
    y[i] = a * x[i]
    # <<<
