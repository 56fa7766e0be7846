# line 10: cuda.grid takes the number of dimensions: cuda.grid(1)
# words: cuda.grid(1)

from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    for i in range(cuda.grid(), n, cuda.gridsize(1)):
        y[i] = a * x[i]
    # <<<
