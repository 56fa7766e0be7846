"""The compiled loops of batch normalisation where a channel has few neighbouring elements.

The array is (N, width) with width = C * S: every loop runs over columns, and each column has its own
mean and scale. What belongs to one channel is put together afterwards, on arrays of `width` elements.
"""

from __future__ import annotations

import numpy as np

from ..jit import jit
from ..parallel import each, share

HEIGHT = 64  # rows of one part


@jit(inline=True)
def _scale_row(n, x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    source, target = x[n], out[n]
    for k in range(source.size):
        target[k] = (source[k] - mean[k]) * scale[k] + bias[k]


@jit
def scale_rows(x, out, mean, scale, bias):  # type: ignore[no-untyped-def]
    """``out = (x - mean) * scale + bias`` by column."""
    rows = x.shape[0]
    each(_scale_row, (x, out, mean, scale, bias), rows, share(rows, x.size))


@jit(inline=True)
def _part_products(part, grad, x, total, product, mean):  # type: ignore[no-untyped-def]
    a, b = total[part], product[part]
    a[:] = 0.0
    b[:] = 0.0
    for n in range(part * HEIGHT, min(part * HEIGHT + HEIGHT, x.shape[0])):
        g, v = grad[n], x[n]
        for k in range(x.shape[1]):
            a[k] += np.float64(g[k])
            b[k] += np.float64(g[k] * (v[k] - mean[k]))


@jit
def products(grad, x, total, product, mean):  # type: ignore[no-untyped-def]
    """By column the sums of ``grad`` and ``grad * (x - mean)``, in the first rows of (parts, width) float64 scratch."""
    parts = total.shape[0]
    each(_part_products, (grad, x, total, product, mean), parts, share(parts, x.size))
    for part in range(1, parts):
        for k in range(x.shape[1]):
            total[0, k] += total[part, k]
            product[0, k] += product[part, k]


@jit(inline=True)
def _combine_row(n, grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    g, source, target = grad[n], x[n], out[n]
    for k in range(source.size):
        target[k] = g[k] * a[k] - ((source[k] - mean[k]) * b[k] + d[k])


@jit
def combine_rows(grad, x, out, mean, a, b, d):  # type: ignore[no-untyped-def]
    """``out = grad * a - (x - mean) * b - d`` by column."""
    rows = x.shape[0]
    each(_combine_row, (grad, x, out, mean, a, b, d), rows, share(rows, x.size))
