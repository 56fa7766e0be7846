# line 12: the first index is the row: out[row, column]
# words: column; row; first

from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    column, row = cuda.grid(2)
    if row < height and column < width:
        out[column, row] = 255 - in_[column, row]
    # <<<
