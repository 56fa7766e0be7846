# line 11: `&` binds more tightly than `<`: `and` joins two conditions
# words: `&`; `and`

from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    column, row = cuda.grid(2)
    if row < height & column < width:
        out[row, column] = 255 - in_[row, column]
    # <<<
