# line 17: the check launches the kernel by itself, without a GPU: the launch at the end must go
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
scale[1, 32](2.0, x, y)
print(y)
