# says: line 24: dx[...] is ...; ... of 300 elements are wrong (backward, n = 300); this one is the work of ...
# look: the engine adds gradients up where that is due: a kernel only writes its own


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
    if i < n:
        dx[i] += grad[i] * (1 - x[i] * x[i]) * math.exp(-x[i] * x[i] / 2)
    # <<<
