# line 14 or 24: float32() rounds to single precision, also where the arrays are double
# words: float32

import math

from numba import cuda, float32


@cuda.jit
def gate(x, y, n):
    i = cuda.grid(1)
    # >>> your code: y[i].
    if i < n:
        v = float32(x[i])
        y[i] = v * math.exp(-v * v / 2)
    # <<<


@cuda.jit
def gate_backward(grad, x, dx, n):
    i = cuda.grid(1)
    # >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
    if i < n:
        v = float32(x[i])
        dx[i] = grad[i] * (1 - v * v) * math.exp(-v * v / 2)
    # <<<
