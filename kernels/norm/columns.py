"""The compiled loops of batch normalisation where a channel has few neighbouring elements.

The array is (N, width) with width = C * S: every loop runs over columns, and each column has its own
mean and scale. What belongs to one channel is put together afterwards, on arrays of `width` elements.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from ..jit import SERIAL, jit

HEIGHT = 64  # rows of one part


@jit(inline=True)
def _scale_row(x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    for k in range(x.size):
        out[k] = (x[k] - mean[k]) * scale[k] + bias[k]


@jit(parallel=True)
def scale_rows(x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    """``out = (x - mean) * scale + bias`` by column."""
    if x.size < SERIAL:
        for n in range(x.shape[0]):
            _scale_row(x[n], out[n], mean, scale, bias)
    else:
        for n in prange(x.shape[0]):
            _scale_row(x[n], out[n], mean, scale, bias)


@jit(inline=True)
def _part_products(grad, x, total, product, mean, part):  # type: ignore[no-untyped-def]
    a, b = total[part], product[part]
    a[:] = 0.0
    b[:] = 0.0
    for n in range(part * HEIGHT, min(part * HEIGHT + HEIGHT, x.shape[0])):
        g, v = grad[n], x[n]
        for k in range(x.shape[1]):
            a[k] += np.float64(g[k])
            b[k] += np.float64(g[k] * (v[k] - mean[k]))


@jit(parallel=True)
def products(grad, x, total, product, mean):  # type: ignore[no-untyped-def]
    """By column the sums of ``grad`` and ``grad * (x - mean)``, in the first rows of (parts, width) float64 scratch."""
    if x.size < SERIAL:
        for part in range(total.shape[0]):
            _part_products(grad, x, total, product, mean, part)
    else:
        for part in prange(total.shape[0]):
            _part_products(grad, x, total, product, mean, part)
    for part in range(1, total.shape[0]):
        for k in range(x.shape[1]):
            total[0, k] += total[part, k]
            product[0, k] += product[part, k]


@jit(inline=True)
def _combine_row(grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    for k in range(x.size):
        out[k] = grad[k] * a[k] - ((x[k] - mean[k]) * b[k] + d[k])


@jit(parallel=True)
def combine_rows(grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    """``out = grad * a - (x - mean) * b - d`` by column."""
    if x.size < SERIAL:
        for n in range(x.shape[0]):
            _combine_row(grad[n], x[n], out[n], mean, a, b, d)
    else:
        for n in prange(x.shape[0]):
            _combine_row(grad[n], x[n], out[n], mean, a, b, d)
