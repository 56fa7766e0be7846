# y = a * x with 256 threads in all, for any n.

from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        y[i] = a * x[i]
    #: pass
    # <<<
