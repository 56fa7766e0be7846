# line 14: exp is a name of math: math.exp
# words: exp is not defined
# later: named at first sight
import math

from numba import cuda


@cuda.jit
def gate(x, y, n):
    i = cuda.grid(1)
    # >>> your code: y[i].
    if i < n:
        y[i] = x[i] * exp(-x[i] * x[i] / 2)
    # <<<


@cuda.jit
def gate_backward(grad, x, dx, n):
    i = cuda.grid(1)
    # >>> your code: dx[i], from grad[i], which is the loss's derivative by y[i].
    if i < n:
        dx[i] = grad[i] * (1 - x[i] * x[i]) * math.exp(-x[i] * x[i] / 2)
    # <<<
