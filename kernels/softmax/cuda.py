"""Launches of ``csrc/kernels/softmax.cu``, ``softmax_columns.cu`` and ``logsumexp.cu``.

What is neither rows nor columns of contiguous arrays is copied so that its dimension is the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..columns_launch import plan
from ..cuda_launch import (
    BLOCK,
    WARP,
    blocks,
    contiguous,
    copy,
    empty,
    flat_grid,
    held,
    launch,
    layout_of,
    rows_of,
    threads_for,
    written,
)

Array = Any
DType = np.dtype[Any]

_MOST_THREADS = 1024


def _softmax(name: str, arrays: tuple[Array, ...], dim: int, out: Array) -> None:
    if out.size == 0:
        return
    columns = None
    if all(x.flags.c_contiguous for x in arrays) and out.ndim:
        columns = plan(out.shape, dim % out.ndim, out.dtype.itemsize)
    if columns is None:
        _rows(name, arrays, dim, out)
        return
    kind = "held" if columns.holds(held(out.dtype, len(arrays))) else "long"
    with written(out) as result:
        launch("softmax_columns", f"{name}_{kind}", out.dtype, columns.grid, columns.block, columns.at, *arrays, result)


def _rows(name: str, arrays: tuple[Array, ...], dim: int, out: Array) -> None:
    order = list(range(out.ndim))
    if order:
        order.append(order.pop(dim % out.ndim))
    inputs = [contiguous(x.transpose(*order)) for x in arrays]
    target = out.transpose(*order)
    result = target if target.flags.c_contiguous else empty(target.shape, target.dtype, like=target)
    n = target.shape[-1] if target.ndim else 1
    rows = target.size // n
    team = -(-n // (held(out.dtype, len(inputs)) * WARP)) * WARP
    kind, grid, threads = "long", blocks(rows, 1), BLOCK
    if team == WARP:
        kind, grid = "warp", blocks(rows, BLOCK // WARP)
    elif team <= _MOST_THREADS:
        kind, threads = "block", team
    launch("softmax", f"{name}_{kind}", out.dtype, grid, threads, *inputs, result, rows, n)
    if result is not target:
        copy(result, target)


def softmax(x: Array, *, dim: int, out: Array) -> None:
    _softmax("softmax", (x,), dim, out)


def softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _softmax("softmax_backward", (grad, y), dim, out)


def log_softmax(x: Array, *, dim: int, out: Array) -> None:
    _softmax("log_softmax", (x,), dim, out)


def log_softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _softmax("log_softmax_backward", (grad, y), dim, out)


def logsumexp(x: Array, *, dim: Any, keepdim: bool = False, out: Array) -> None:
    if out.size == 0:
        return
    flat, _, n = rows_of(x, check.dims("logsumexp", dim, x.ndim))
    with written(out) as result:
        launch("logsumexp", "logsumexp", x.dtype, blocks(out.size, 1), threads_for(n), flat, result, out.size, n)


def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        at, arrays = layout_of("logsumexp_backward", out.shape, grad, x, y)
        launch("logsumexp", "logsumexp_backward", x.dtype, flat_grid(out.size), BLOCK, at, *arrays, result, out.size)
