# line 10: range takes start, stop and step in this order: n is the stop
# words: range; step

from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    for i in range(cuda.grid(1), cuda.gridsize(1), n):
        y[i] = a * x[i]
    # <<<
