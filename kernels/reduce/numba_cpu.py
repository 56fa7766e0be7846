"""Reductions with Numba: `plan.py` finds the shape of the problem, `loops.py`, `search.py` and `truth.py` run it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check, dtypes, memory
from . import loops, search, truth
from .plan import Plan, count, direct, flat, launch, plan

Array = Any

_NO_CENTERS = np.empty(0)


def sum(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    if _direct(loops.SUM, x, dim, out, dtypes.float64):
        return
    dims = check.dims("sum", dim, x.ndim)
    if dtypes.is_floating(x.dtype):
        _run(loops.SUM, x, dims, out, dtypes.float64)
    else:
        _run(loops.SUM_INTEGERS, _whole(x), dims, out, dtypes.int64)


def mean(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    if _direct(loops.SUM, x, dim, out, dtypes.float64, average=True):
        return
    dims = check.dims("mean", dim, x.ndim)
    _run(loops.SUM, x, dims, out, dtypes.float64, empty=math.nan, divisor=float(count(x.shape, dims)))


def _direct(
    kernels: loops.Kernels, x: Array, dim: Any, out: Array, dtype: np.dtype[Any], average: bool = False
) -> bool:
    """The short way for what is called most: floats, contiguous, not empty. False if it is not that."""
    if not (x.flags.c_contiguous and out.flags.c_contiguous and x.size) or x.dtype.kind != "f":
        return False
    found = direct(x.shape, tuple(dim) if type(dim) is list else dim)
    if found is None:
        return False
    partial = memory.scratch((found.partial,), dtype)
    divisor = float(found.count) if average else 1.0
    flat, results = x.reshape(-1), out.reshape(-1)
    if found.columns:
        kernels[1](flat, results, partial, found.rows, found.inner, _NO_CENTERS, divisor)
    else:
        kernels[0](flat, results, partial, found.rows, found.inner, found.run, found.height, _NO_CENTERS, divisor)
    return True


def prod(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    dims = check.dims("prod", dim, x.ndim)
    if dtypes.is_floating(x.dtype):
        _run(loops.PRODUCT, x, dims, out, dtypes.float64, empty=1)
    else:
        _run(loops.PRODUCT_INTEGERS, _whole(x), dims, out, dtypes.int64, empty=1)


def var(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _deviations(loops.SQUARES, x, check.dims("var", dim, x.ndim), correction, out)


def std(x: Array, *, dim: Any = None, correction: float = 1, keepdim: bool = False, out: Array) -> None:
    _deviations(loops.ROOTS, x, check.dims("std", dim, x.ndim), correction, out)


def _deviations(kernels: loops.Kernels, x: Array, dims: tuple[int, ...], correction: float, out: Array) -> None:
    """Squared deviations from the mean, summed and divided, then finished by ``kernels``."""
    n = count(x.shape, dims)
    centers = memory.scratch(check.reduced_shape(x.shape, dims, False), dtypes.float64)
    _run(loops.SUM, x, dims, centers, dtypes.float64, empty=math.nan, divisor=float(n))
    divisor = max(float(n - correction), 0.0)
    _run(kernels, x, dims, out, dtypes.float64, empty=math.nan, divisor=divisor, centers=centers)


def amax(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    if _direct(loops.AMAX, x, dim, out, x.dtype):
        return
    kernels = loops.AMAX if dtypes.is_floating(x.dtype) else loops.AMAX_INTEGERS
    x = _whole(x)
    _run(kernels, x, check.dims("amax", dim, x.ndim), out, x.dtype)


def amin(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    if _direct(loops.AMIN, x, dim, out, x.dtype):
        return
    kernels = loops.AMIN if dtypes.is_floating(x.dtype) else loops.AMIN_INTEGERS
    x = _whole(x)
    _run(kernels, x, check.dims("amin", dim, x.ndim), out, x.dtype)


def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search(search.ARGMAX, x, dim, out)


def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False, out: Array) -> None:
    _search(search.ARGMIN, x, dim, out)


def any(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _truth(x, check.dims("any", dim, x.ndim), True, out)


def all(x: Array, *, dim: Any = None, keepdim: bool = False, out: Array) -> None:
    _truth(x, check.dims("all", dim, x.ndim), False, out)


def _search(kernels: dict[bool, tuple[Any, Any]], x: Array, dim: int | None, out: Array) -> None:
    if out.size == 0:
        return
    shape = x.shape
    axis = None if dim is None or not shape else check.dim("search", dim, len(shape))
    first, length, inner = (
        (1, x.size, 1) if axis is None else (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    )
    target = out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    kernel = kernels[dtypes.is_floating(x.dtype)][inner > 1]
    source = flat(_whole(x), None).reshape((first, length) if inner == 1 else (first, length, inner))
    kernel(source, target.reshape(first, inner))
    if target is not out:
        out[...] = target


def _truth(x: Array, dims: tuple[int, ...], wanted: bool, out: Array) -> None:
    """Whether an element over ``dims`` is (``wanted``), or none is not (else), different from 0."""
    if out.size == 0:
        return
    if x.size == 0:
        out.fill(not wanted)
        return
    words = np.ascontiguousarray(x).view(dtypes.uint8) if x.dtype == dtypes.bool_ else _whole(x)
    contiguous = words.flags.c_contiguous
    layout = plan(x.shape, () if contiguous else words.strides, contiguous, dims)
    target = out if layout.kept is None and out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    found = target.reshape(-1)
    source = flat(words, layout.order)
    if layout.run == 1 and layout.inner > 1:
        truth.columns(source.reshape(layout.outer, layout.rows, layout.inner), found, wanted)
    else:
        shape = (layout.outer, layout.rows, layout.inner, layout.run)
        parts = -(-layout.run // truth.PART) if layout.rows == 1 else 1
        truth.runs(source.reshape(shape), memory.scratch((parts * out.size,), dtypes.bool_), found, wanted)
    _restore(target, layout, out)


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
        target = memory.scratch(out.shape, out.dtype if floating else dtype)
    if centers is None:
        centers = _NO_CENTERS
    elif layout.kept is not None:
        centers = centers.transpose(np.argsort(layout.kept[1]))
    _launch(kernels, flat(x, layout.order), target.reshape(-1), layout, dtype, centers.reshape(-1), divisor)
    _restore(target, layout, out)


def _restore(target: Array, layout: Plan, out: Array) -> None:
    """``target``, whose kept dimensions are in the plan's order, into ``out``."""
    if target is out:
        return
    if layout.kept is not None:
        sizes, inverse = layout.kept
        target = target.reshape(sizes).transpose(inverse).reshape(out.shape)
    out[...] = target


def _launch(
    kernels: loops.Kernels, x: Array, out: Array, layout: Plan, dtype: np.dtype[Any], centers: Array, divisor: float
) -> None:
    found = launch(layout, out.size, 0)
    partial = memory.scratch((found.partial,), dtype)
    if found.columns:
        kernels[1](x, out, partial, found.rows, found.inner, centers, divisor)
    else:
        kernels[0](x, out, partial, found.rows, found.inner, found.run, found.height, centers, divisor)
