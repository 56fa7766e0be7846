"""The compiled loops of adaptive average pooling over (planes, H, W) arrays.

A window is a range of rows times a range of columns; ``rows`` and ``columns`` are (windows, 2): first
and one past the last. Rows are added up whole, so the inner loops run along contiguous memory. Sums are of runs
of elements and then of these: the bound of the error of n is n / 16 + 16 units, not n (Higham 2002, chapter 4).
"""

from __future__ import annotations

import numpy as np

from ..jit import SERIAL, jit
from ..parallel import spread

RUN = 16


@jit(inline=True)
def _average(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, rows, columns = arguments
    total, part = np.empty(x.shape[2], x.dtype), np.empty(x.shape[2], x.dtype)
    for plane in range(start, stop):
        for r in range(out.shape[1]):
            total[:] = 0.0
            for first in range(rows[r, 0], rows[r, 1], RUN):
                part[:] = 0.0
                for row in range(first, min(first + RUN, rows[r, 1])):
                    line = x[plane, row]
                    for k in range(total.size):
                        part[k] += line[k]
                for k in range(total.size):
                    total[k] += part[k]
            height = rows[r, 1] - rows[r, 0]
            for c in range(out.shape[2]):
                window = total[columns[c, 0] : columns[c, 1]]
                value = x.dtype.type(0.0)
                for first in range(0, window.size, RUN):
                    run = x.dtype.type(0.0)
                    for k in range(first, min(first + RUN, window.size)):
                        run += window[k]
                    value += run
                out[plane, r, c] = value / x.dtype.type(height * window.size)


@jit
def average(x, out, rows, columns):  # type: ignore[no-untyped-def]
    """The mean of each window."""
    arguments = (x, out, rows, columns)
    if x.size < SERIAL:
        _average(arguments, 0, x.shape[0])
    else:
        spread(_average, arguments, x.shape[0], max(SERIAL // (x.shape[1] * x.shape[2]), 1))


@jit(inline=True)
def _spread_back(arguments, start, stop):  # type: ignore[no-untyped-def]
    grad, out, rows, columns = arguments
    share = np.empty(out.shape[2], out.dtype)
    for plane in range(start, stop):
        for row in range(out.shape[1]):
            out[plane, row] = 0.0
        for r in range(grad.shape[1]):
            share[:] = 0.0
            height = rows[r, 1] - rows[r, 0]
            for c in range(grad.shape[2]):
                window = share[columns[c, 0] : columns[c, 1]]
                value = grad[plane, r, c] / out.dtype.type(height * window.size)
                for k in range(window.size):
                    window[k] += value
            for row in range(rows[r, 0], rows[r, 1]):
                line = out[plane, row]
                for k in range(share.size):
                    line[k] += share[k]


@jit
def average_back(grad, out, rows, columns):  # type: ignore[no-untyped-def]
    """The gradient of `average`."""
    arguments = (grad, out, rows, columns)
    if out.size < SERIAL:
        _spread_back(arguments, 0, out.shape[0])
    else:
        spread(_spread_back, arguments, out.shape[0], max(SERIAL // (out.shape[1] * out.shape[2]), 1))
