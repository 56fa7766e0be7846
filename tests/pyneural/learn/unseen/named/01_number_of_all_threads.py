# line 10: cuda.gridsize is how many threads there are, and cuda.grid which one this is
# words: cuda.gridsize(1)
# later: named at first sight
from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.gridsize(1)
    y[i] = a * x[i]
    # <<<
