# The negative of a picture: one thread for each pixel, blocks of 16 x 16.

from numba import cuda


@cuda.jit
def invert(in_, out, height, width):
    # >>> your code: the row and the column of this thread, a guard, one pixel.
    column = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    row = cuda.blockIdx.y * cuda.blockDim.y + cuda.threadIdx.y
    if row < height and column < width:
        out[row, column] = 255 - in_[row, column]
    #: pass
    # <<<
