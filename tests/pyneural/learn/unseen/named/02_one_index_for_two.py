# line 13: the picture has two dimensions, and an index of one number is a whole row: out[row, column]
# words: dimensions
# later: not named at first sight
from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    column, row = cuda.grid(2)
    i = row * width + column
    if row < height and column < width:
        out[i] = 255 - in_[i]
    # <<<
