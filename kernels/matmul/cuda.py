"""Launches of ``csrc/kernels/matmul.cu``: operands of any strides are read where they lie.

Large 16-bit products on a GPU of compute capability 9.0 are another kernel's: see `cuda_hopper`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_gemm import Tile, splits_for, tile_for, tile_grid
from ..cuda_launch import (
    ACCESS,
    BLOCK,
    MOST_BLOCKS,
    address,
    contiguous,
    empty,
    flat_grid,
    flat_memory,
    launch,
    layout,
    written,
)
from ..cuda_launch import size as _size
from ..dtypes import accumulator
from . import cuda_hopper, cuda_tiles
from .contract import ACTIVATIONS

Array = Any

_FIELDS = ("count", "m", "n", "inner", "a_row", "a_inner", "b_column", "b_inner")
_FLAGS = ("activation", "splits", "a_aligned", "b_aligned", "vectors")


def _along(outer: int, inner: int) -> str:
    """Which dimension of an operand with these steps is beside in memory."""
    return "kAlongOuter" if outer == 1 and inner != 1 else "kAlongInner"


def _aligned(memory_of: Array, start: int, steps: list[int]) -> bool:
    """Whether vectors along the dimension of step 1 are where wide accesses may be."""
    wide = ACCESS // memory_of.itemsize
    begins = address(memory_of) + start * memory_of.itemsize
    return 1 in steps[-2:] and begins % ACCESS == 0 and sum(step % wide for step in steps) <= 1


def _product(
    a: Array,
    b: Array,
    bias: Array | None,
    activation: str | None,
    out: Array,
    tile: Tile | None = None,
    splits: int = 0,
) -> None:
    """``out = activation(a @ b + bias)`` of (..., M, K) and (..., K, N), whose batches broadcast to out's.

    ``tile`` and ``splits`` are chosen by the sizes unless given, or a tile was found best by `pyneural tune`.
    """
    if out.size == 0:
        return
    m, n, inner = out.shape[-2], out.shape[-1], a.shape[-1]
    batch, products = out.shape[:-2], _size(out.shape[:-2])
    best = tile or cuda_tiles.chosen(m, n, inner, products, out)
    if not isinstance(best, Tile):
        if (plan := cuda_hopper.plan(a, b, batch)) is not None:
            cuda_hopper.run(plan, bias, activation, out, best)
            return
        best = tile_for(m, n, products, out)
    if inner:
        (x, x_start, x_steps), (y, y_start, y_steps) = flat_memory(a), flat_memory(b)
    else:  # no element to read; the result is the bias
        x = y = empty((1,), out.dtype, like=out)
        x_start, x_steps, y_start, y_steps = 0, (0,) * a.ndim, 0, (0,) * b.ndim
    batch_steps = [
        [0 if size == 1 else step for size, step in zip(each.shape[:-2], strides[:-2], strict=True)]
        for each, strides in ((a, x_steps), (b, y_steps))
    ]
    record, _ = layout("matmul", batch, (x_start, y_start), [tuple(each) for each in batch_steps])
    splits = splits or splits_for(best, m, n, inner, products)
    a_steps, b_steps = (*x_steps[-2:],), (y_steps[-1], y_steps[-2])
    name = f"matmul<{best.name}, {_along(*a_steps)}, {_along(*b_steps)}>"
    added = None if bias is None else contiguous(bias)
    with written(out) as result:
        fields = [("batch", record.dtype), *((f, "i8") for f in _FIELDS), *((f, "i4") for f in _FLAGS)]
        problem = np.zeros((), np.dtype(fields, align=True))
        problem["batch"] = record
        for field, value in zip(_FIELDS, (products, m, n, inner, *a_steps, *b_steps), strict=True):
            problem[field] = value
        aligned = (
            _aligned(each, start, [*steps, *edges])
            for each, start, steps, edges in (
                (x, x_start, batch_steps[0], a_steps),
                (y, y_start, batch_steps[1], b_steps),
            )
        )
        vectors = n % (ACCESS // out.itemsize) == 0 and address(result) % ACCESS == 0
        code = ACTIVATIONS.index(activation)
        for flag, value in zip(_FLAGS, (code, splits, *aligned, vectors), strict=True):
            problem[flag] = value
        grid = (tile_grid(best, m, n), min(products, MOST_BLOCKS), splits)
        partial = None if splits == 1 else empty((splits, *result.shape), accumulator(out.dtype), like=out)
        arguments = (problem[()], x, y, added, partial, result)
        launch("matmul", name, out.dtype, grid, best.threads, *arguments, shared=best.shared)
        if partial is not None:
            size = result.size
            launch(
                "matmul", "matmul_sum", out.dtype, flat_grid(size), BLOCK, partial, splits, size, n, added, code, result
            )


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
        _product(whole, weight.T, bias, activation, result.reshape(rows, weight.shape[0]))
