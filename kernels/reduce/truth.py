"""The compiled loops of any and all: a search for an element whose truth decides the result.

``any`` looks for an element that is not zero, ``all`` for one that is; each stops at the block where
it finds one. Elements come as floats, int64, or a bool's byte.
"""

from __future__ import annotations

from ..jit import SERIAL, jit
from ..parallel import spread
from .loops import WIDTH

BLOCK = 1024  # elements looked at before the search may stop
PART = 65_536  # elements of one part of a single run


@jit(inline=True)
def _found(x, wanted):  # type: ignore[no-untyped-def]
    """Whether the truth of an element of a contiguous array is ``wanted``."""
    for start in range(0, x.size, BLOCK):
        block = x[start : min(start + BLOCK, x.size)]
        hit = False
        for k in range(block.size):
            hit |= (block[k] != 0) == wanted
        if hit:
            return True
    return False


@jit(inline=True)
def _runs(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, partial, wanted, parts = arguments
    _, rows, inner, size = x.shape
    for task in range(start, stop):
        output, part = task // parts, task % parts
        first = part * PART if parts > 1 else 0
        last = min(first + PART, size) if parts > 1 else size
        hit = False
        for row in range(rows):
            if _found(x[output // inner, row, output % inner, first:last], wanted):
                hit = True
                break
        partial[task] = hit


@jit
def runs(x, partial, out, wanted):  # type: ignore[no-untyped-def]
    """Reduce a (outer, rows, inner, run) array over rows and runs; ``partial`` is scratch for the parts."""
    parts = partial.size // out.size
    arguments = (x, partial, wanted, parts)
    if x.size < 4 * SERIAL:
        _runs(arguments, 0, partial.size)
    else:
        spread(_runs, arguments, partial.size, max(PART // max(x.size // partial.size, 1), 1))
    for output in range(out.size):
        hit = False
        for part in range(parts):
            hit |= partial[output * parts + part]
        out[output] = hit == wanted


@jit(inline=True)
def _columns(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, wanted = arguments
    across = (x.shape[2] + WIDTH - 1) // WIDTH
    for task in range(start, stop):
        o, left = task // across, task % across * WIDTH
        hit = out[o, left : min(left + WIDTH, x.shape[2])]
        hit[:] = False
        for row in range(x.shape[1]):
            values = x[o, row, left : left + hit.size]
            for k in range(hit.size):
                hit[k] |= (values[k] != 0) == wanted
        for k in range(hit.size):
            hit[k] = hit[k] == wanted


@jit
def columns(x, out, wanted):  # type: ignore[no-untyped-def]
    """Reduce a (outer, rows, inner) array over rows."""
    tasks = x.shape[0] * ((x.shape[2] + WIDTH - 1) // WIDTH)
    arguments = (x, out.reshape(x.shape[0], x.shape[2]), wanted)
    if x.size < 4 * SERIAL:
        _columns(arguments, 0, tasks)
    else:
        spread(_columns, arguments, tasks, max(PART // (x.shape[1] * min(x.shape[2], WIDTH)), 1))
