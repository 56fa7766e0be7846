# line 10: blocks lie blockDim.x threads apart, and not one
# words: cuda.blockDim.x
# later: not named at first sight
from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.blockIdx.x + cuda.threadIdx.x
    y[i] = a * x[i]
    # <<<
