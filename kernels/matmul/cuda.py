"""Launches of ``csrc/kernels/matmul.cu``: operands of any strides are read where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import MOST_BLOCKS, contiguous, flat_memory, launch, layout, tile_for, tile_grid, written
from ..cuda_launch import size as _size
from .contract import ACTIVATIONS

Array = Any


def _product(a: Array, b: Array, bias: Array | None, activation: str | None, out: Array) -> None:
    """``out = activation(a @ b + bias)`` of (..., M, K) and (..., K, N), whose batches broadcast to out's."""
    if out.size == 0:
        return
    m, n, inner = out.shape[-2], out.shape[-1], a.shape[-1]
    if inner:
        (x, x_start, x_steps), (y, y_start, y_steps) = flat_memory(a), flat_memory(b)
    else:  # no element to read; the result is the bias
        x = y = np.zeros(1, out.dtype)
        x_start, x_steps, y_start, y_steps = 0, (0,) * a.ndim, 0, (0,) * b.ndim
    batch = out.shape[:-2]
    steps = [
        tuple(0 if size == 1 else step for size, step in zip(each.shape[:-2], strides[:-2], strict=True))
        for each, strides in ((a, x_steps), (b, y_steps))
    ]
    # The place of a product is never its number: the flag for contiguous arrays is of no use here.
    record = layout("matmul", batch, (x_start, y_start), steps)[0].copy()
    if record["ndim"] == 0:
        record["ndim"], record["shape"][0], record["stride"][:, 0] = 1, max(_size(batch), 1), int(_size(batch) > 1)
    tile = tile_for(m, n)
    grid = (tile_grid(tile, m, n), min(_size(batch), MOST_BLOCKS))
    with written(out) as result:
        launch(
            "matmul", f"matmul_{tile[0]}", out.dtype, grid, tile[2], record, _size(batch), m, n, inner,
            x, x_steps[-2], x_steps[-1], y, y_steps[-1], y_steps[-2], bias, ACTIVATIONS.index(activation), result,
        )  # fmt: skip


def matmul(a: Array, b: Array, *, out: Array) -> None:
    left = a[None] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    batch = out.shape[: out.ndim - (a.ndim > 1) - (b.ndim > 1)]
    with written(out) as result:
        _product(left, right, None, None, result.reshape(*batch, left.shape[-2], right.shape[-1]))


def linear(x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None, out: Array) -> None:
    rows = _size(x.shape[:-1])
    with written(out) as result:
        whole = (x if x.ndim == 2 else contiguous(x)).reshape(rows, x.shape[-1])
        added = None if bias is None else contiguous(bias)
        _product(whole, weight.T, added, activation, result.reshape(rows, weight.shape[0]))
