"""Matrix products as Numba kernels: operands of any strides are read where they lie.

What the kernel does is in `kernels.numba_gemm`; how it came to do so, in the rungs of `ladder_numba_cuda`.
"""

from __future__ import annotations

import functools
from typing import Any

from ..cuda_launch import size
from ..numba_gemm import matrices, product, run_product
from ..numba_launch import Kernel, contiguous, device, flat, nothing, offset, written
from .contract import ACTIVATIONS
from .numba_epilogue import activated

Array = Any


@functools.cache
def _kernel(real: Any) -> Kernel:
    """The product of matrices of any strides.

    Its problem: the place and steps of a and of b, the batch's shape, its steps in a and in b, and (M, N, whether there
    is a bias, activation).
    """
    activate = activated(real)

    @device
    def load_a(problem: Any, a: Array, batch: int, row: int, at: int) -> Any:
        start, row_step, step = problem[0]
        return real(a[start + offset(batch, problem[2], problem[3]) + row * row_step + at * step])

    @device
    def load_b(problem: Any, b: Array, batch: int, at: int, column: int) -> Any:
        start, step, column_step = problem[1]
        return real(b[start + offset(batch, problem[2], problem[4]) + at * step + column * column_step])

    @device
    def store(problem: Any, bias: Array, out: Array, batch: int, row: int, column: int, total: Any) -> None:
        rows, columns, has_bias, activation = problem[5]
        if has_bias:
            total += real(bias[column])
        out[(batch * rows + row) * columns + column] = activate(activation, total)

    return product(real, load_a, load_b, store)


def _product(a: Array, b: Array, bias: Array | None, activation: str | None, out: Array) -> None:
    """``out = activation(a @ b + bias)`` of (..., M, K) and (..., K, N), whose batches broadcast to out's."""
    if out.size == 0:
        return
    (m, n), inner, batch = out.shape[-2:], a.shape[-1], out.shape[:-2]
    shape, ((x, x_at, x_steps), (y, y_at, y_steps)) = matrices("matmul", batch, a, b)
    if not inner:  # no element to read; the result is the bias
        x = y = nothing(out)
    with written(out) as result:
        fused = (m, n, int(bias is not None), ACTIVATIONS.index(activation))
        problem = (x_at, y_at, shape, x_steps, y_steps, fused)
        run_product(
            _kernel, problem, size(batch), m, n, inner, abs(x_at[2]) <= abs(x_at[1]), abs(y_at[1]) < abs(y_at[2]),
            x, y, None if bias is None else flat(bias), result, may_split=bias is None and activation is None,
        )  # fmt: skip


def matmul(a: Array, b: Array, *, out: Array) -> None:
    left = a[None] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    batch = out.shape[: out.ndim - (a.ndim > 1) - (b.ndim > 1)]
    with written(out) as result:
        _product(left, right, None, None, result.reshape(*batch, left.shape[-2], right.shape[-1]))


def linear(x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None, out: Array) -> None:
    outs, ins = weight.shape
    rows = out.size // max(outs, 1)
    with written(out) as result:
        whole = (x if x.ndim == 2 else contiguous(x)).reshape(rows, ins)
        _product(whole, weight.T, bias, activation, result.reshape(rows, outs))
