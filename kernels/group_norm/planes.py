"""The compiled loops of group normalisation over a C-contiguous (N * groups, channels of a group, S) array.

A row is a group of one image; it stays in the cache for the passes over it. A plane is the S elements
of one of its channels, which share a weight and a bias.
"""

from __future__ import annotations

import numpy as np

from ..jit import jit
from ..layer_norm.rows import row_statistics
from ..norm.loops import plane_products
from ..parallel import share, spread


@jit(inline=True)
def _forward(arguments, start, stop):  # type: ignore[no-untyped-def]
    rows, x, weight, bias, y, means, rstds, eps = arguments
    groups = weight.shape[0]
    for r in range(start, stop):
        mean, rstd = row_statistics(rows[r], True, eps)
        means[r], rstds[r] = mean, rstd
        for c in range(x.shape[1]):
            plane, out = x[r, c], y[r, c]
            scale, offset = weight[r % groups, c] * rstd, bias[r % groups, c]
            for k in range(out.size):
                out[k] = (plane[k] - mean) * scale + offset


@jit
def forward(rows, x, weight, bias, y, means, rstds, eps):  # type: ignore[no-untyped-def]
    """Normalise ``x`` into ``y``; ``rows`` is x as (N * groups, elements), the parameters are (groups, channels)."""
    arguments = (rows, x, weight, bias, y, means, rstds, eps)
    spread(_forward, arguments, rows.shape[0], share(rows.shape[0], x.size))


@jit(inline=True)
def _backward(arguments, start, stop):  # type: ignore[no-untyped-def]
    grad, x, weight, means, rstds, dx, sums = arguments
    groups, count = weight.shape[0], x.shape[1] * x.shape[2]
    kind = x.dtype.type
    for r in range(start, stop):
        mean, rstd = means[r], rstds[r]
        w = weight[r % groups]
        total, product = 0.0, 0.0
        for c in range(x.shape[1]):
            a, b = plane_products(grad[r, c], x[r, c], mean)
            b *= np.float64(rstd)
            sums[0, r, c], sums[1, r, c] = b, a
            total += np.float64(w[c]) * a
            product += np.float64(w[c]) * b
        shift = kind(np.float64(rstd) * total / count)
        slope = kind(np.float64(rstd) * np.float64(rstd) * product / count)
        for c in range(x.shape[1]):
            g, plane, out, scale = grad[r, c], x[r, c], dx[r, c], w[c] * rstd
            for k in range(out.size):
                out[k] = g[k] * scale - ((plane[k] - mean) * slope + shift)


@jit
def backward(grad, x, weight, means, rstds, dx, sums):  # type: ignore[no-untyped-def]
    """``dx``, and in ``sums`` (2, N * groups, channels) what each plane adds to the parameters' gradients."""
    rows, size = x.shape[0], x.shape[1] * x.shape[2]
    arguments = (grad, x, weight, means, rstds, dx, sums)
    spread(_backward, arguments, rows, share(rows, rows * size))
