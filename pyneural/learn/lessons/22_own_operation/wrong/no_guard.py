# says: line 23: out_of_bounds: thread 44 of block 2 reads global grad[300], 4 bytes past the end of its 300 elements (backward, n = 300)
# look: the condition i < n: both kernels need it


import math

from numba import cuda


@cuda.jit
def gate(x, y, n):
    i = cuda.grid(1)
    # >>> your code: y[i].
    if i < n:
        y[i] = x[i] * math.exp(-x[i] * x[i] / 2)
    # <<<


@cuda.jit
def gate_backward(grad, x, dx, n):
    i = cuda.grid(1)
    # >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
    dx[i] = grad[i] * (1 - x[i] * x[i]) * math.exp(-x[i] * x[i] / 2)
    # <<<
