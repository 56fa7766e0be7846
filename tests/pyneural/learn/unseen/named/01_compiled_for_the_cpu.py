# line 7: @njit compiles for the CPU: a kernel has @cuda.jit
# words: @cuda.jit

from numba import cuda, njit


@njit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    y[i] = a * x[i]
    # <<<
