# line 11: a kernel returns nothing: it stores its results
# words: returns nothing

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.grid(1)
    return a * x[i]
    # <<<
