# says: line 19: `-x[i] * x[i] // 2` is rounded down to a whole number
# look: `/` divides; `//` rounds down as well
# says: line 28: `-x[i] * x[i] // 2` is rounded down to a whole number
# look: `/` divides; `//` rounds down as well
# says: line 19: y[...] is ..., not ...; ... of 300 elements are wrong (forward, n = 300); this one is the work of ...
# look: which element each thread computes, for the thread named


import math

from numba import cuda


@cuda.jit
def gate(x, y, n):
    i = cuda.grid(1)
    # >>> your code: y[i].
    if i < n:
        y[i] = x[i] * math.exp(-x[i] * x[i] // 2)
    # <<<


@cuda.jit
def gate_backward(grad, x, dx, n):
    i = cuda.grid(1)
    # >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
    if i < n:
        dx[i] = grad[i] * (1 - x[i] * x[i]) * math.exp(-x[i] * x[i] // 2)
    # <<<
