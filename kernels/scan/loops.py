"""The compiled loops of cumulative sums over a (outer, length, inner) array.

Floats are summed in float64. A sum waits for the one before it, so contiguous rows go four at a time;
of few long rows each is cut into runs, whose sums are taken first. All of it depends on the shape
alone, so the result does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from ..jit import jit
from ..parallel import spread

RUN = 16_384  # elements of a run, and of what a thread takes at least
WIDTH = 256  # columns of one strip: their sums stay in the first-level cache
FEW = 8  # rows below which long ones are cut


@jit(inline=True)
def _rows(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, first, reverse = arguments
    length = x.shape[1]
    begin, step = (length - 1, -1) if reverse else (0, 1)
    r = start
    while r + 4 <= stop:
        a, b, c, d = first[r], first[r + 1], first[r + 2], first[r + 3]
        at = begin
        for _ in range(length):
            a += x[r, at]
            b += x[r + 1, at]
            c += x[r + 2, at]
            d += x[r + 3, at]
            out[r, at], out[r + 1, at], out[r + 2, at], out[r + 3, at] = a, b, c, d
            at += step
        r += 4
    for rest in range(r, stop):
        total = first[rest]
        at = begin
        for _ in range(length):
            total += x[rest, at]
            out[rest, at] = total
            at += step


@jit
def rows(x, out, first, reverse):  # type: ignore[no-untyped-def]
    """Contiguous rows; ``first`` is what each starts from, in the accumulator's dtype."""
    arguments = (x, out, first, reverse)
    if x.size <= 2 * RUN:
        _rows(arguments, 0, x.shape[0])
    else:
        spread(_rows, arguments, x.shape[0], max(RUN // x.shape[1], 4))


@jit(inline=True)
def _totals(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, totals = arguments
    runs = totals.shape[1]
    for task in range(start, stop):
        r, run = task // runs, task % runs
        part = x[r, run * RUN : min(run * RUN + RUN, x.shape[1])]
        total = totals[0, 0] * 0
        for k in range(part.size):
            total += part[k]
        totals[r, run] = total


@jit(inline=True)
def _runs(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, totals, reverse = arguments
    runs = totals.shape[1]
    for task in range(start, stop):
        r, run = task // runs, task % runs
        low, high = run * RUN, min(run * RUN + RUN, x.shape[1])
        at, step = (high - 1, -1) if reverse else (low, 1)
        total = totals[r, run]
        for _ in range(high - low):
            total += x[r, at]
            out[r, at] = total
            at += step


@jit
def long_rows(x, out, totals, reverse):  # type: ignore[no-untyped-def]
    """As `rows`, each cut into runs; ``totals`` (rows, runs) is zeros of the accumulator's dtype."""
    count, runs = totals.shape
    spread(_totals, (x, totals), count * runs, 1)
    for r in range(count):
        before = totals[r, 0] * 0
        for k in range(runs):
            run = runs - 1 - k if reverse else k
            here = totals[r, run]
            totals[r, run] = before
            before += here
    spread(_runs, (x, out, totals, reverse), count * runs, 1)


@jit(inline=True)
def _columns(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, first, reverse = arguments
    _, length, inner = x.shape
    across = (inner + WIDTH - 1) // WIDTH
    sums = np.empty(WIDTH, first.dtype)
    for task in range(start, stop):
        o, left = task // across, task % across * WIDTH
        total = sums[: min(WIDTH, inner - left)]
        total[:] = first[0]
        for l in range(length):
            row = length - 1 - l if reverse else l
            values, result = x[o, row, left : left + total.size], out[o, row, left : left + total.size]
            for k in range(total.size):
                total[k] += values[k]
                result[k] = total[k]


@jit
def columns(x, out, first, reverse):  # type: ignore[no-untyped-def]
    """Along the middle dimension; ``first`` is one zero of the accumulator's dtype."""
    tasks = x.shape[0] * ((x.shape[2] + WIDTH - 1) // WIDTH)
    arguments = (x, out, first, reverse)
    if x.size <= 2 * RUN:
        _columns(arguments, 0, tasks)
    else:
        spread(_columns, arguments, tasks, max(RUN // (x.shape[1] * min(x.shape[2], WIDTH)), 1))
