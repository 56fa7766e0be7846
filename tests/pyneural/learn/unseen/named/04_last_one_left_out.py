# line 10: range stops before its end: n - 1 leaves the last element out
# words: range; before

from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    for i in range(cuda.grid(1), n - 1, cuda.gridsize(1)):
        y[i] = a * x[i]
    # <<<
