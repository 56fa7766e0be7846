"""The compiled loops of 2-D pooling over (planes, H, W) arrays, one plane after the other in each thread.

The averages run over the elements of a window outside and over a row of windows inside, so the inner
loop is branch-free. `geometry` is int64: window height and width, stride, padding
and dilation, each (rows, columns).
"""

from __future__ import annotations

import numpy as np

from ..jit import jit
from ..parallel import each, share
from ..vector import from_bits, maximum, select


@jit(inline=True)
def _inside(size, windows, tap, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """The windows whose element ``tap`` lies inside: first, one past the last, coordinate of the first."""
    shift = tap * dilation - padding
    first = max((stride - 1 - shift) // stride, 0)
    last = min((size - 1 - shift) // stride + 1, windows)
    return first, last, first * stride + shift


@jit(inline=True)
def _max_plane(plane, x, values, indices, geometry):  # type: ignore[no-untyped-def]
    x, values, indices = x[plane], values[plane], indices[plane]
    h, w = x.shape
    for r in range(values.shape[0]):
        top = r * geometry[2] - geometry[4]
        for k in range(values.shape[1]):
            left = k * geometry[3] - geometry[5]
            best, place = x.dtype.type(-np.inf), -1
            for i in range(geometry[0]):
                row = top + i * geometry[6]
                if row < 0 or row >= h:
                    continue
                for j in range(geometry[1]):
                    column = left + j * geometry[7]
                    if column < 0 or column >= w:
                        continue
                    tap = x[row, column]
                    # The first element inside stands for a window of nothing but minus infinity.
                    wins = (tap > best) | (tap != tap) | (place < 0)
                    # Not a selection of floats, which on one lane is a branch that is often mispredicted.
                    best, place = maximum(best, tap), select(wins, row * w + column, place)
            values[r, k], indices[r, k] = x[place // w, place % w], place


@jit
def max_pool(x, values, indices, geometry):  # type: ignore[no-untyped-def]
    """Values and flat indices of the largest element of each window."""
    planes = x.shape[0]
    each(_max_plane, (x, values, indices, geometry), planes, share(planes, x.size))


@jit(inline=True)
def _best_of_four(a, b, c, d, at, w):  # type: ignore[no-untyped-def]
    """The largest of a 2x2 window and its place, of equals the first, of NaNs the last."""
    right = (b > a) | (b != b)
    top, top_at = select(right, b, a), select(right, at + 1, at)
    right = (d > c) | (d != d)
    bottom, bottom_at = select(right, d, c), select(right, at + w + 1, at + w)
    below = (bottom > top) | (bottom != bottom)
    return select(below, bottom, top), select(below, bottom_at, top_at)


@jit(inline=True)
def _max_plane_2x2(plane, x, values, indices):  # type: ignore[no-untyped-def]
    x, values, indices = x[plane], values[plane], indices[plane]
    w = x.shape[1]
    for r in range(values.shape[0]):
        upper, lower, value, index = x[2 * r], x[2 * r + 1], values[r], indices[r]
        for k in range(value.size):
            i = np.uint64(2 * k)
            j = np.uint64(2 * k + 1)
            value[k], index[k] = _best_of_four(upper[i], upper[j], lower[i], lower[j], 2 * (r * w + k), w)


@jit
def max_pool_2x2(x, values, indices):  # type: ignore[no-untyped-def]
    """`max_pool` of 2x2 windows side by side, all inside the plane."""
    planes = x.shape[0]
    each(_max_plane_2x2, (x, values, indices), planes, share(planes, x.size))


@jit(inline=True)
def _max_plane_pairs(plane, x, values, indices):  # type: ignore[no-untyped-def]
    x, values, indices = x[plane], values[plane], indices[plane]
    w = 2 * x.shape[1]
    half = np.int64(32)
    for r in range(values.shape[0]):
        upper, lower, value, index = x[2 * r], x[2 * r + 1], values[r], indices[r]
        for k in range(value.size):
            a, b = from_bits(np.int32(upper[k])), from_bits(np.int32(upper[k] >> half))
            c, d = from_bits(np.int32(lower[k])), from_bits(np.int32(lower[k] >> half))
            value[k], index[k] = _best_of_four(a, b, c, d, 2 * r * w + 2 * k, w)


@jit
def max_pool_pairs(x, values, indices):  # type: ignore[no-untyped-def]
    """`max_pool_2x2` of float32 rows of even length seen as int64: a pair of floats is one element of a vector,
    which parts into even and odd columns without a gather (the lower half is the first: little-endian)."""
    planes = x.shape[0]
    each(_max_plane_pairs, (x, values, indices), planes, share(planes, 2 * x.size))


@jit(inline=True)
def _scatter_plane(plane, grad, indices, out):  # type: ignore[no-untyped-def]
    grad, indices, out = grad[plane], indices[plane], out[plane]
    for k in range(out.size):
        out[k] = 0.0
    for k in range(grad.size):
        out[indices[k]] += grad[k]


@jit
def scatter(grad, indices, out):  # type: ignore[no-untyped-def]
    """Zeros with ``grad`` added at ``indices``, plane by plane; all arrays are (planes, elements)."""
    planes = out.shape[0]
    each(_scatter_plane, (grad, indices, out), planes, share(planes, out.size + grad.size))


@jit(inline=True)
def _gather_plane(plane, x, indices, out):  # type: ignore[no-untyped-def]
    x, indices, out = x[plane], indices[plane], out[plane]
    for k in range(out.size):
        out[k] = x[indices[k]]


@jit
def gather(x, indices, out):  # type: ignore[no-untyped-def]
    """The elements at ``indices``, plane by plane; all arrays are (planes, elements)."""
    planes = out.shape[0]
    each(_gather_plane, (x, indices, out), planes, share(planes, out.size))


@jit(inline=True)
def _average_plane(plane, x, out, rows, columns, geometry):  # type: ignore[no-untyped-def]
    x, out = x[plane], out[plane]
    h, w = x.shape
    for r in range(out.shape[0]):
        total = out[r]
        for k in range(total.size):
            total[k] = 0.0
        for i in range(geometry[0]):
            row = r * geometry[2] - geometry[4] + i
            if row < 0 or row >= h:
                continue
            for j in range(geometry[1]):
                first, last, column = _inside(w, total.size, j, geometry[3], geometry[5], 1)
                if first >= last:
                    continue
                line, part = x[row, column:], total[first:last]
                for k in range(part.size):
                    part[k] += line[np.uint64(k * geometry[3])]
        for k in range(total.size):
            total[k] /= rows[r] * columns[k]


@jit
def average_pool(x, out, rows, columns, geometry):  # type: ignore[no-untyped-def]
    """The sum of each window over ``rows[r] * columns[k]``."""
    planes = x.shape[0]
    each(_average_plane, (x, out, rows, columns, geometry), planes, share(planes, x.size))


@jit(inline=True)
def _spread_plane(plane, grad, out, rows, columns, geometry):  # type: ignore[no-untyped-def]
    grad, out = grad[plane], out[plane]
    h, w = out.shape
    share = np.empty(grad.shape[1], grad.dtype)
    for row in range(h):
        for k in range(w):
            out[row, k] = 0.0
    for r in range(grad.shape[0]):
        for k in range(share.size):
            share[k] = grad[r, k] / (rows[r] * columns[k])
        for i in range(geometry[0]):
            row = r * geometry[2] - geometry[4] + i
            if row < 0 or row >= h:
                continue
            for j in range(geometry[1]):
                first, last, column = _inside(w, share.size, j, geometry[3], geometry[5], 1)
                if first >= last:
                    continue
                line, part = out[row, column:], share[first:last]
                for k in range(part.size):
                    line[np.uint64(k * geometry[3])] += part[k]


@jit
def average_spread(grad, out, rows, columns, geometry):  # type: ignore[no-untyped-def]
    """The gradient of `average_pool`."""
    planes = out.shape[0]
    each(_spread_plane, (grad, out, rows, columns, geometry), planes, share(planes, out.size))
