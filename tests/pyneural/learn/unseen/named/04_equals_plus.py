# line 13: =+ stores +gridsize: += adds it
# words: `+=`
# later: not named at first sight
from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    i = cuda.grid(1)
    while i < n:
        y[i] = a * x[i]
        i =+ cuda.gridsize(1)
    # <<<
