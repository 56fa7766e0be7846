# line 10 or 11: each thread goes through all elements, and not only through its own
# words: every thread

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    for i in range(len(x)):
        y[i] = a * x[i]
    # <<<
