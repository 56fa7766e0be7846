"""The logarithm of a sum of exponentials with Numba: a row at a time, or a strip of rows side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import check, memory
from ..elementwise.loops import compiled as exact
from ..elementwise.loops import contiguous, into_strided
from ..vector import absolute, exp, log, select
from .rows import STRIP, exponential_sum, pieces, row_max, spread_kernel, strip, strip_exponential_sums, strip_top

Array = Any


@exact
def _shift(top: Any) -> Any:
    """What to subtract before the exponential: the largest element, but nothing where that is infinite."""
    kind = type(top)
    return select(absolute(top) < kind(np.inf), top, kind(0))


@exact
def _rows(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    for r in range(start, stop):
        top = _shift(row_max(x[r]))
        out[r] = top + log(exponential_sum(x[r], top))


@exact
def _strips(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    kept = np.empty((3, STRIP), x.dtype)
    for c in range(start, stop):
        o, first, last = strip(x, c)
        width = last - first
        top, total, part = kept[0, :width], kept[1, :width], kept[2, :width]
        strip_top(x[o, :, first:last], top)
        for i in range(width):
            top[i] = _shift(top[i])
        strip_exponential_sums(x[o, :, first:last], top, total, part)
        for i in range(width):
            out[o, first + i] = top[i] + log(total[i])


@exact
def _backward_rows(arguments: Any, start: int, stop: int) -> None:
    grad, x, y, out = arguments
    for r in range(start, stop):
        row, to, g, shift = x[r], out[r], grad[r], y[r]
        for i in range(to.size):
            to[i] = g * exp(row[i] - shift)


@exact
def _backward_strips(arguments: Any, start: int, stop: int) -> None:
    grad, x, y, out = arguments
    for c in range(start, stop):
        o, first, last = strip(x, c)
        g, shift = grad[o, first:last], y[o, first:last]
        for l in range(x.shape[1]):
            row, to = x[o, l, first:last], out[o, l, first:last]
            for i in range(to.size):
                to[i] = g[i] * exp(row[i] - shift[i])


_row_kernel = spread_kernel("logsumexp_rows", _rows)
_strip_kernel = spread_kernel("logsumexp_strips", _strips)
_backward_row_kernel = spread_kernel("logsumexp_backward_rows", _backward_rows)
_backward_strip_kernel = spread_kernel("logsumexp_backward_strips", _backward_strips)


def _groups(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The shape as (outer, length, inner), ``dims`` being the middle; None where they are not neighbours."""
    if not dims:
        return math.prod(shape), 1, 1
    first, last = dims[0], dims[-1] + 1
    if last - first != len(dims):
        return None
    return math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:])


def _last(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that moves ``dims`` behind the others."""
    return (*(i for i in range(len(shape)) if i not in dims), *dims)


def logsumexp(x: Array, *, dim: Any, keepdim: bool = False, out: Array) -> None:
    if not out.flags.c_contiguous:
        into_strided(logsumexp, out, x, dim=dim, keepdim=keepdim)
        return
    if not x.size:
        out.fill(-math.inf)
        return
    dims = check.dims("logsumexp", dim, x.ndim)
    groups = _groups(x.shape, dims)
    if groups is None:
        x = x.transpose(_last(x.shape, dims))
        groups = out.size, x.size // out.size, 1
    outer, length, inner = groups
    x = contiguous(x)
    if inner == 1:
        _row_kernel(*pieces(*groups), x.reshape(outer, length), out.reshape(outer))
    else:
        _strip_kernel(*pieces(*groups), x.reshape(groups), out.reshape(outer, inner))


def logsumexp_backward(grad: Array, x: Array, y: Array, *, dim: Any, out: Array) -> None:
    if not out.flags.c_contiguous:
        into_strided(logsumexp_backward, out, grad, x, y, dim=dim)
        return
    if not x.size:
        return
    dims = check.dims("logsumexp_backward", dim, x.ndim)
    groups = _groups(x.shape, dims)
    if groups is None:
        order = _last(x.shape, dims)
        apart = memory.scratch(tuple(x.shape[i] for i in order), x.dtype)
        moved = tuple(range(x.ndim - len(dims), x.ndim))
        logsumexp_backward(*(each.transpose(order) for each in (grad, x, y)), dim=moved, out=apart)
        out.transpose(order)[...] = apart
        return
    outer, length, inner = groups
    kept = (outer,) if inner == 1 else (outer, inner)
    whole = (outer, length) if inner == 1 else groups
    (_backward_row_kernel if inner == 1 else _backward_strip_kernel)(
        *pieces(*groups),
        contiguous(grad).reshape(kept),
        contiguous(x).reshape(whole),
        contiguous(y).reshape(kept),
        out.reshape(whole),
    )
