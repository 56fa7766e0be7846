# says: line 14: out_of_bounds: thread (5, 1) of block (1, 1) reads global in_[18, 0], 4 bytes past the end of its 378 elements (18 rows of 21)
# look: the guard: a thread may have a row without a column, or a column without a row


from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    column = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    row = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.y
    if row < height:
        out[row, column] = 255 - in_[row, column]
    # <<<
