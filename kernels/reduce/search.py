"""The compiled loops of argmax and argmin: the first extreme element, NaN counting as more extreme than all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import SERIAL, jit
from ..parallel import each, share
from .loops import WIDTH, largest, largest_integer, smallest, smallest_integer
from .plan import RUN

Kernel = Any


@jit(inline=True)
def _above(a, b):  # type: ignore[no-untyped-def]
    return a > b


@jit(inline=True)
def _below(a, b):  # type: ignore[no-untyped-def]
    return a < b


def _make(kind: str, extreme_of: Callable[..., Any], beats: Callable[..., Any]) -> tuple[Kernel, Kernel]:
    """Kernels over the rows of a (outer, length) array and over columns of a (outer, length, inner) array."""

    @jit(inline=True)
    def find(row):  # type: ignore[no-untyped-def]
        """The extreme value and its first place: a pass for the value, and one for where it is."""
        value = extreme_of(row)
        missing, size = value != value, np.int64(row.size)
        place = size
        for k in range(size):
            each = row[k]
            hit = (each == value) | (missing & (each != each))
            place = min(place, k if hit else size)
        return value, place

    @jit(inline=True)
    def find_row(o, x, out):  # type: ignore[no-untyped-def]
        out[o, 0] = find(x[o])[1]

    @jit(inline=True)
    def find_part(task, x, values, places):  # type: ignore[no-untyped-def]
        o, part = task // values.shape[1], task % values.shape[1]
        value, place = find(x[o, part * RUN : min(part * RUN + RUN, x.shape[1])])
        values[o, part], places[o, part] = value, part * RUN + place

    @jit(name=f"{kind}_rows")
    def rows(x, out):  # type: ignore[no-untyped-def]
        outer, length = x.shape
        if x.size < SERIAL or length <= 4 * RUN or outer >= 64:
            each(find_row, (x, out), outer, share(outer, x.size))
        else:
            parts = (length + RUN - 1) // RUN
            values = np.empty((outer, parts), x.dtype)
            places = np.empty((outer, parts), np.int64)
            each(find_part, (x, values, places), outer * parts, 1)
            for o in range(outer):
                best = 0
                for part in range(1, parts):
                    a, b = values[o, best], values[o, part]
                    if beats(b, a) or (b != b and a == a):
                        best = part
                out[o, 0] = places[o, best]

    @jit(inline=True)
    def columns_part(task, x, out):  # type: ignore[no-untyped-def]
        _, length, inner = x.shape
        across = (inner + WIDTH - 1) // WIDTH
        o, left = task // across, task % across * WIDTH
        width = min(WIDTH, inner - left)
        best = np.empty(WIDTH, x.dtype)
        place = out[o, left : left + width]
        for k in range(width):
            best[k], place[k] = x[o, 0, left + k], 0
        for row in range(1, length):
            values = x[o, row, left : left + width]
            for k in range(width):
                value = values[k]
                better = beats(value, best[k]) | ((value != value) & (best[k] == best[k]))
                best[k] = value if better else best[k]
                place[k] = row if better else place[k]

    @jit(name=f"{kind}_columns")
    def columns(x, out):  # type: ignore[no-untyped-def]
        tasks = x.shape[0] * ((x.shape[2] + WIDTH - 1) // WIDTH)
        each(columns_part, (x, out), tasks, share(tasks, x.size))

    return rows, columns


ARGMAX = {
    False: _make("argmax_integers", largest_integer, _above),
    True: _make("argmax_floats", largest, _above),
}
"""Kernels ``(x, out)`` for an inner size of 1 and for a larger one, by whether x is floating."""

ARGMIN = {
    False: _make("argmin_integers", smallest_integer, _below),
    True: _make("argmin_floats", smallest, _below),
}
"""As `ARGMAX`."""
