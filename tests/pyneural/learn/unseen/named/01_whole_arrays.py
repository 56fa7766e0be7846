# line 10: a kernel has no slices: each thread computes one element, and an index says which
# words: slice; element

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    y[:] = a * x[:]
    # <<<
