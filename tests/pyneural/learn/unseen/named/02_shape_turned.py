# line 10: a shape is rows, then columns: height comes first
# words: shape

from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    width, height = out.shape
    column, row = cuda.grid(2)
    if row < height and column < width:
        out[row, column] = 255 - in_[row, column]
    # <<<
