"""Softmax and log-softmax with Numba: a row at a time where it is contiguous, else a strip of rows side by side.

An array is seen as (outer, length, inner), the operation going along ``length``. Where ``inner`` is 1
a row is read from memory once and stays in the cache for the passes over it. Otherwise neighbouring
rows fill the vectors: each pass goes along ``inner``, a strip of which keeps its running maxima and
sums in a small buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..elementwise.loops import compiled as exact
from ..elementwise.loops import contiguous, into_strided
from ..near import bring, step
from ..vector import exp, log
from .logsumexp import logsumexp, logsumexp_backward
from .rows import (
    STRIP,
    compiled,
    exponential_sum,
    pieces,
    row_max,
    run_length,
    spread_kernel,
    strip,
    strip_exponential_sums,
    strip_top,
)

Array = Any


@compiled
def _powers(row: Array, top: Any, to: Array) -> Any:
    """``to = e**(row - top)``, and their sum."""
    total = row.dtype.type(0)
    for i in range(to.size):
        e = exp(row[i] - top)
        to[i] = e
        total += e
    return total


@compiled
def _softmax_rows(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    taken = step(x.size)
    for r in range(start, stop):
        row, to = x[r], out[r]
        top = row_max(row)
        total = row.dtype.type(0)
        if to.size > taken:
            for first in range(0, to.size, taken):
                last = min(first + taken, to.size)
                bring(x, (r + 1) * to.size + first, last - first, taken)
                total += _powers(row[first:last], top, to[first:last])
        else:
            total = _powers(row, top, to)
        scale = row.dtype.type(1) / total
        for i in range(to.size):
            to[i] *= scale


@exact
def _log_softmax_rows(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    for r in range(start, stop):
        row, to = x[r], out[r]
        top = row_max(row)
        rest = log(exponential_sum(row, top))
        for i in range(to.size):
            to[i] = (row[i] - top) - rest


@compiled
def _softmax_backward_rows(arguments: Any, start: int, stop: int) -> None:
    grad, y, out = arguments
    for r in range(start, stop):
        g, p, to = grad[r], y[r], out[r]
        dot = p.dtype.type(0)
        for i in range(to.size):
            dot += g[i] * p[i]
        for i in range(to.size):
            to[i] = p[i] * (g[i] - dot)


@compiled
def _log_softmax_backward_rows(arguments: Any, start: int, stop: int) -> None:
    grad, y, out = arguments
    for r in range(start, stop):
        g, p, to = grad[r], y[r], out[r]
        total = p.dtype.type(0)
        for i in range(to.size):
            total += g[i]
        for i in range(to.size):
            to[i] = g[i] - exp(p[i]) * total


@exact
def _softmax_strips(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    kept = np.empty((3, STRIP), x.dtype)
    for c in range(start, stop):
        o, first, last = strip(x, c)
        width = last - first
        top, total, part = kept[0, :width], kept[1, :width], kept[2, :width]
        strip_top(x[o, :, first:last], top)
        total[:] = 0
        run = run_length(x.shape[1])
        for begin in range(0, x.shape[1], run):
            part[:] = 0
            for l in range(begin, min(begin + run, x.shape[1])):
                row, to = x[o, l, first:last], out[o, l, first:last]
                for i in range(width):
                    e = exp(row[i] - top[i])
                    to[i] = e
                    part[i] += e
            for i in range(width):
                total[i] += part[i]
        for i in range(width):
            total[i] = 1 / total[i]
        for l in range(x.shape[1]):
            to = out[o, l, first:last]
            for i in range(width):
                to[i] *= total[i]


@exact
def _log_softmax_strips(arguments: Any, start: int, stop: int) -> None:
    x, out = arguments
    kept = np.empty((3, STRIP), x.dtype)
    for c in range(start, stop):
        o, first, last = strip(x, c)
        width = last - first
        top, rest, part = kept[0, :width], kept[1, :width], kept[2, :width]
        strip_top(x[o, :, first:last], top)
        strip_exponential_sums(x[o, :, first:last], top, rest, part)
        for i in range(width):
            rest[i] = log(rest[i])
        for l in range(x.shape[1]):
            row, to = x[o, l, first:last], out[o, l, first:last]
            for i in range(width):
                to[i] = (row[i] - top[i]) - rest[i]


@exact
def _softmax_backward_strips(arguments: Any, start: int, stop: int) -> None:
    grad, y, out = arguments
    kept = np.empty((2, STRIP), y.dtype)
    for c in range(start, stop):
        o, first, last = strip(y, c)
        dot, part = kept[0, : last - first], kept[1, : last - first]
        dot[:] = 0
        run = run_length(y.shape[1])
        for begin in range(0, y.shape[1], run):
            part[:] = 0
            for l in range(begin, min(begin + run, y.shape[1])):
                g, p = grad[o, l, first:last], y[o, l, first:last]
                for i in range(dot.size):
                    part[i] += g[i] * p[i]
            for i in range(dot.size):
                dot[i] += part[i]
        for l in range(y.shape[1]):
            g, p, to = grad[o, l, first:last], y[o, l, first:last], out[o, l, first:last]
            for i in range(dot.size):
                to[i] = p[i] * (g[i] - dot[i])


@exact
def _log_softmax_backward_strips(arguments: Any, start: int, stop: int) -> None:
    grad, y, out = arguments
    kept = np.empty((2, STRIP), y.dtype)
    for c in range(start, stop):
        o, first, last = strip(y, c)
        total, part = kept[0, : last - first], kept[1, : last - first]
        total[:] = 0
        run = run_length(y.shape[1])
        for begin in range(0, y.shape[1], run):
            part[:] = 0
            for l in range(begin, min(begin + run, y.shape[1])):
                g = grad[o, l, first:last]
                for i in range(total.size):
                    part[i] += g[i]
            for i in range(total.size):
                total[i] += part[i]
        for l in range(y.shape[1]):
            g, p, to = grad[o, l, first:last], y[o, l, first:last], out[o, l, first:last]
            for i in range(total.size):
                to[i] = g[i] - exp(p[i]) * total[i]


def _operation(name: str, rows: Any, strips: Any) -> Callable[..., None]:
    """The operation ``name`` from its kernels for contiguous rows and for strips of rows side by side."""
    row_kernel, strip_kernel = spread_kernel(name + "_rows", rows), spread_kernel(name + "_strips", strips)

    def call(*arrays: Array, dim: int, out: Array) -> None:
        if not out.flags.c_contiguous:
            into_strided(call, out, *arrays, dim=dim)
            return
        if not out.size:
            return
        shape = out.shape or (1,)
        dim %= len(shape)
        length = shape[dim]
        inner = 1
        for n in shape[dim + 1 :]:
            inner *= n
        outer = out.size // (length * inner)
        every = [*map(contiguous, arrays), out]
        if inner == 1:
            row_kernel(*pieces(outer, length, 1), *(x.reshape(outer, length) for x in every))
        else:
            strip_kernel(*pieces(outer, length, inner), *(x.reshape(outer, length, inner) for x in every))

    call.__name__ = call.__qualname__ = name
    return call


# fmt: off
softmax              = _operation("softmax",              _softmax_rows,              _softmax_strips)
softmax_backward     = _operation("softmax_backward",     _softmax_backward_rows,     _softmax_backward_strips)
log_softmax          = _operation("log_softmax",          _log_softmax_rows,          _log_softmax_strips)
log_softmax_backward = _operation("log_softmax_backward", _log_softmax_backward_rows, _log_softmax_backward_strips)
# fmt: on

__all__ = [
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "logsumexp_backward",
    "softmax",
    "softmax_backward",
]
