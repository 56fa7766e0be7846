# says: line 12: elements are written 3.81 times each on average; once would do (n = 2048)
# look: how many threads, and which rounds of a loop, come to one element


from numba import cuda


@cuda.jit
def scale_all(a, x, y, n):
    # >>> your code: a loop; in each round the lanes of a warp take neighbouring elements.
    for i in range(cuda.grid(1), n, cuda.blockDim.x):
        y[i] = a * x[i]
    # <<<
