# line 11: this gives the name y another value, and stores nothing in the array: y[i] =
# words: y[; array

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.grid(1)
    y = a * x[i]
    # <<<
