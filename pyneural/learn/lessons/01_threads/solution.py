# y = a * x, one thread for each element; there are exactly as many threads as elements.

from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    y[i] = a * x[i]
    #: pass
    # <<<
