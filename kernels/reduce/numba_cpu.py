"""Reductions with Numba: `plan.py` finds the shape of the problem, `loops.py` and `argmax.py` run it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check, dtypes, memory
from . import argmax as search
from . import loops
from .plan import Plan, count, flat, plan

Array = Any

_NO_CENTERS = np.empty(0)


def sum(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    dims = check.dims("sum", dim, x.ndim)
    if dtypes.is_floating(x.dtype):
        _run(loops.SUM, x, dims, out, dtypes.float64)
    else:
        _run(loops.SUM_INTEGERS, _whole(x), dims, out, dtypes.int64)


def mean(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    dims = check.dims("mean", dim, x.ndim)
    _run(loops.SUM, x, dims, out, dtypes.float64, empty=math.nan, divisor=float(count(x.shape, dims)))


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    dims = check.dims("var", dim, x.ndim)
    n = count(x.shape, dims)
    centers = memory.empty(check.reduced_shape(x.shape, dims, False), dtypes.float64)
    _run(loops.SUM, x, dims, centers, dtypes.float64, empty=math.nan, divisor=float(n))
    divisor = max(float(n - correction), 0.0)
    _run(loops.SQUARES, x, dims, out, dtypes.float64, empty=math.nan, divisor=divisor, centers=centers)


def amax(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    kernels = loops.AMAX if dtypes.is_floating(x.dtype) else loops.AMAX_INTEGERS
    x = _whole(x)
    _run(kernels, x, check.dims("amax", dim, x.ndim), out, x.dtype)


def amin(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    kernels = loops.AMIN if dtypes.is_floating(x.dtype) else loops.AMIN_INTEGERS
    x = _whole(x)
    _run(kernels, x, check.dims("amin", dim, x.ndim), out, x.dtype)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    if out.size == 0:
        return
    shape = x.shape
    axis = None if dim is None or not shape else check.dim("argmax", dim, len(shape))
    first, length, inner = (
        (1, x.size, 1) if axis is None else (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    )
    target = out if out.flags.c_contiguous else memory.empty(out.shape, out.dtype)
    run = search.ROWS if inner == 1 else search.COLUMNS
    kernel = run[dtypes.is_floating(x.dtype)]
    kernel(flat(_whole(x), None).reshape(first, length, inner), target.reshape(first, inner))
    if target is not out:
        out[...] = target


def _whole(x: Array) -> Array:
    """x, or its integers as int64: one compiled kernel serves them all."""
    return x if dtypes.is_floating(x.dtype) else x.astype(dtypes.int64, copy=False)


def _run(
    kernels: loops.Kernels,
    x: Array,
    dims: tuple[int, ...],
    out: Array,
    dtype: np.dtype[Any],
    *,
    empty: float = 0,
    divisor: float = 1.0,
    centers: Array | None = None,
) -> None:
    """Reduce ``x`` over ``dims`` into ``out``; ``empty`` is the result of no element.

    ``dtype`` is the accumulator's. ``centers`` has one element for each result, its dimensions in order.
    """
    if out.size == 0:
        return
    if x.size == 0:
        out.fill(empty)
        return
    floating = dtypes.is_floating(out.dtype)
    contiguous = x.flags.c_contiguous
    layout = plan(x.shape, () if contiguous else x.strides, contiguous, dims)
    target = out
    if layout.kept is not None or not out.flags.c_contiguous or (out.dtype != dtype and not floating):
        target = memory.empty(out.shape, out.dtype if floating else dtype)
    if centers is None:
        centers = _NO_CENTERS
    elif layout.kept is not None:
        centers = centers.transpose(np.argsort(layout.kept[1]))
    _launch(kernels, flat(x, layout.order), target.reshape(-1), layout, dtype, centers.reshape(-1), divisor)
    if target is not out:
        if layout.kept is not None:
            sizes, inverse = layout.kept
            target = target.reshape(sizes).transpose(inverse).reshape(out.shape)
        out[...] = target


def _launch(
    kernels: loops.Kernels, x: Array, out: Array, layout: Plan, dtype: np.dtype[Any], centers: Array, divisor: float
) -> None:
    rows, inner, size = layout.rows, layout.inner, layout.run
    if size == 1 and inner > 1:
        stripes = layout.outer * -(-rows // loops.HEIGHT)
        partial = memory.empty((stripes * inner,), dtype)
        kernels[1](x, out, partial, rows, inner, centers, divisor)
        return
    height = max(loops.RUN // size, 1)
    parts = -(-rows // height) * -(-size // loops.RUN)
    partial = memory.empty((out.size * parts,), dtype)
    kernels[0](x, out, partial, rows, inner, size, height, centers, divisor)
