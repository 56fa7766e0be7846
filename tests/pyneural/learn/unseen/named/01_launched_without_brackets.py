# line 17: a launch says how many blocks and threads in brackets, and the check launches the kernel by itself
# words: launch

import numpy as np
from numba import cuda


@cuda.jit
def scale(a, x, y):
    # >>> your code: which element is this thread's? Write it.
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    y[i] = a * x[i]
    # <<<


x, y = np.ones(32, np.float32), np.zeros(32, np.float32)
scale(2.0, x, y)
