# says: line 14: a load of a warp touches 32 sectors on average; 32 floats side by side lie in 4
# look: docs/simulator.md, `global_load_sectors_per_request`


from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    each = (n + cuda.gridsize(1) - 1) // cuda.gridsize(1)
    first = cuda.grid(1) * each
    for i in range(first, min(n, first + each)):
        y[i] = a * x[i]
    # <<<
