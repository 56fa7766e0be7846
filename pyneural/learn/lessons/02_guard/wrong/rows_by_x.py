# says: line 13: out[16, 0] is never written; it must be ...; 256 of 512 elements are wrong (32 rows of 16); this one is the work of thread (0, 0) of block (0, 1)
# look: which element each thread computes, for the thread named: `row, column = cuda.grid(2)` (line 11)


from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    row, column = cuda.grid(2)
    if row < height and column < width:
        out[row, column] = 255 - in_[row, column]
    # <<<
