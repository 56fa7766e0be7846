# line 10: cuda.grid(2) gives two numbers, and x has one dimension: cuda.grid(1)
# words: cuda.grid(1)

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.grid(2)
    y[i] = a * x[i]
    # <<<
