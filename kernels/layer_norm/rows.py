"""The compiled loops of normalisation over contiguous rows, a row staying in the cache for the passes over it.

An array is seen as (samples, groups, length). Every group is a row with statistics of its own, and
has its own row of the weight and the bias. Layer normalisation has one group.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import jit
from ..near import bring, step
from ..norm.loops import BLOCK, moments
from ..parallel import share, spread

HEIGHT = 64  # most samples of one part: so many rows are summed in x's own precision
PART = 65_536  # elements of a part of wide samples


@jit(inline=True)
def square_sum(x):  # type: ignore[no-untyped-def]
    """The sum of squares, a block at a time, in float64 between blocks."""
    total = 0.0
    for start in range(0, x.size, BLOCK):
        block = x[start : min(start + BLOCK, x.size)]
        part = x.dtype.type(0.0)
        for k in range(block.size):
            part += block[k] * block[k]
        total += np.float64(part)
    return total


@jit(inline=True)
def row_statistics(row, centred, eps):  # type: ignore[no-untyped-def]
    """The mean (0 where not ``centred``) and the reciprocal of the root of the mean square around it."""
    if centred:
        _, mean, squares = moments(row, 0.0, 0.0, 0.0)
    else:
        mean, squares = 0.0, square_sum(row)
    return row.dtype.type(mean), row.dtype.type(1.0 / math.sqrt(squares / row.size + eps))


@jit(inline=True)
def _scale(row, w, b, out, mean, rstd):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = (row[k] - mean) * rstd * w[k] + b[k]


@jit(inline=True)
def _forward(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, weight, bias, y, means, rstds, centred, eps = arguments
    taken = step(x.size)
    for task in range(start, stop):
        n, g = task // x.shape[1], task % x.shape[1]
        row, out, w, b = x[n, g], y[n, g], weight[g], bias[g]
        mean, rstd = row_statistics(row, centred, eps)
        means[n, g], rstds[n, g] = mean, rstd
        if out.size > taken:
            for first in range(0, out.size, taken):
                last = min(first + taken, out.size)
                bring(x, (task + 1) * out.size + first, last - first, taken)
                _scale(row[first:last], w[first:last], b[first:last], out[first:last], mean, rstd)
        else:
            _scale(row, w, b, out, mean, rstd)


@jit
def forward(x, weight, bias, y, means, rstds, centred, eps):  # type: ignore[no-untyped-def]
    """Normalise the rows of ``x`` (samples, groups, length) into ``y``; the parameters are (groups, length)."""
    rows = x.shape[0] * x.shape[1]
    arguments = (x, weight, bias, y, means, rstds, centred, eps)
    spread(_forward, arguments, rows, share(rows, x.size))


@jit(inline=True)
def _backward_row(grad, x, w, dx, dw, db, mean, rstd, centred):  # type: ignore[no-untyped-def]
    """``dx`` of one row; what the row adds to the parameters' gradients."""
    kind = x.dtype.type
    total, product = 0.0, 0.0
    for start in range(0, x.size, BLOCK):
        last = min(start + BLOCK, x.size)
        g, v, u, by_weight, by_bias = grad[start:last], x[start:last], w[start:last], dw[start:last], db[start:last]
        a, b = kind(0.0), kind(0.0)
        for k in range(v.size):
            z = (v[k] - mean) * rstd
            by_z = g[k] * u[k]
            a += by_z
            b += by_z * z
            by_weight[k] += g[k] * z
            by_bias[k] += g[k]
        total += np.float64(a)
        product += np.float64(b)
    shift = kind(total / x.size) if centred else kind(0.0)
    slope = kind(product / x.size)
    for k in range(dx.size):
        dx[k] = rstd * (grad[k] * w[k] - shift - (x[k] - mean) * rstd * slope)


@jit(inline=True)
def _backward(arguments, start, stop):  # type: ignore[no-untyped-def]
    grad, x, weight, means, rstds, dx, partial, height, centred = arguments
    for part in range(start, stop):
        dw, db = partial[0, part], partial[1, part]
        dw[:] = 0.0
        db[:] = 0.0
        for n in range(part * height, min(part * height + height, x.shape[0])):
            for g in range(x.shape[1]):
                _backward_row(grad[n, g], x[n, g], weight[g], dx[n, g], dw[g], db[g], means[n, g], rstds[n, g], centred)


@jit(inline=True)
def _merge(arguments, start, stop):  # type: ignore[no-untyped-def]
    partial, totals = arguments
    for each in range(2):
        total = totals[each, start:stop]
        total[:] = 0.0
        for part in range(partial.shape[1]):
            more = partial[each, part, start:stop]
            for k in range(total.size):
                total[k] += np.float64(more[k])


@jit
def backward(grad, x, weight, means, rstds, dx, partial, totals, height, centred):  # type: ignore[no-untyped-def]
    """``dx``, and in ``totals`` (2, groups * length) of float64 the gradients of weight and bias.

    ``partial`` is scratch (2, parts, groups, length), a part having ``height`` samples.
    """
    parts = partial.shape[1]
    arguments = (grad, x, weight, means, rstds, dx, partial, height, centred)
    flat = partial.reshape(2, parts, totals.shape[1])
    spread(_backward, arguments, parts, share(parts, x.size))
    spread(_merge, (flat, totals), totals.shape[1], max(PART // (2 * parts), 16))


def height_of(width: int) -> int:
    """Samples of one part, of ``width`` elements each: of the shape alone, whatever the number of threads."""
    return max(min(PART // max(width, 1), HEIGHT), 8)
