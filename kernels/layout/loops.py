"""The compiled loops that move elements. They see bytes or unsigned integers of an element's size, so
that one kernel serves every dtype of that size; only adding needs the dtype itself."""

from __future__ import annotations

import numpy as np
from numba import prange

from ..addresses import carray, pointer
from ..jit import SERIAL, jit
from ..parallel import spread


@jit(inline=True)
def _join_rows(out, addresses, widths, starts, row):  # type: ignore[no-untyped-def]
    for position in range(addresses.size):
        width = widths[position]
        source = carray(pointer(out, addresses[position] + row * width * out.itemsize), (width,))
        target = out[row, starts[position] : starts[position] + width]
        for k in range(width):
            target[k] = source[k]


@jit(inline=True)
def _join_part(out, address, width, start, part, parts):  # type: ignore[no-untyped-def]
    first, last = width * part // parts, width * (part + 1) // parts
    source = carray(pointer(out, address), (width,))
    target = out[0, start : start + width]
    for k in range(first, last):
        target[k] = source[k]


@jit(parallel=True)
def join(out, addresses, widths, starts, parts):  # type: ignore[no-untyped-def]
    """Row r of ``out`` is row r of each array in turn; an array has ``widths`` elements a row, contiguous.

    A single row is cut into ``parts`` of every array.
    """
    rows = out.shape[0]
    if out.size < SERIAL:
        for row in range(rows):
            _join_rows(out, addresses, widths, starts, row)
    elif rows > 1:
        for row in prange(rows):
            _join_rows(out, addresses, widths, starts, row)
    else:
        for task in prange(addresses.size * parts):
            position = task // parts
            _join_part(out, addresses[position], widths[position], starts[position], task % parts, parts)


@jit(inline=True)
def _triangle_rows(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, height, diagonal, lower = arguments
    for row in range(start, stop):
        source, target = x[row], out[row]
        split = min(max(row % height + diagonal + lower, 0), target.size)
        first, last = (0, split) if lower else (split, target.size)
        for k in range(first):
            target[k] = 0
        kept, line = target[first:last], source[first:last]
        for k in range(kept.size):
            kept[k] = line[k]
        rest = target[last:]
        for k in range(rest.size):
            rest[k] = 0


@jit
def triangle(x, out, height, diagonal, lower):  # type: ignore[no-untyped-def]
    """Rows of matrices of ``height``, with zeros above (``lower`` is 1) or below (0) a diagonal."""
    arguments = (x, out, height, diagonal, lower)
    if x.size < SERIAL:
        _triangle_rows(arguments, 0, x.shape[0])
    else:
        spread(_triangle_rows, arguments, x.shape[0], max(SERIAL // x.shape[1], 1))


@jit(inline=True)
def _take(x, out, outer, index, inner, block, o, k):  # type: ignore[no-untyped-def]
    start = outer[o] + index[k]
    at = (o * index.size + k) * inner.size * block
    for i in range(inner.size):
        source = x[start + inner[i] : start + inner[i] + block]
        target = out[at + i * block : at + (i + 1) * block]
        for j in range(block):
            target[j] = source[j]


@jit(parallel=True)
def take(x, out, outer, index, inner, block):  # type: ignore[no-untyped-def]
    """The elements of a `Selection`, in order."""
    if out.size < SERIAL:
        for task in range(outer.size * index.size):
            _take(x, out, outer, index, inner, block, task // index.size, task % index.size)
    else:
        for task in prange(outer.size * index.size):
            _take(x, out, outer, index, inner, block, task // index.size, task % index.size)


@jit(inline=True)
def _share(index, span, part, parts):  # type: ignore[no-untyped-def]
    """Whether the elements an index leads to are this part's: a range of the indices for each."""
    return index * parts // span == part


@jit(parallel=True)
def put(x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
    """Write ``values`` to the elements of a `Selection`; the last write to an element stays.

    Each of ``parts`` tasks goes through all indices in order and writes those in its own part of ``[0, span)``.
    """
    if values.size < SERIAL or parts == 1:
        _put_part(x, values, outer, index, inner, block, span, 0, 1)
    else:
        for part in prange(parts):
            _put_part(x, values, outer, index, inner, block, span, part, parts)


@jit(inline=True)
def _put_part(x, values, outer, index, inner, block, span, part, parts):  # type: ignore[no-untyped-def]
    for o in range(outer.size):
        for k in range(index.size):
            if parts > 1 and not _share(index[k], span, part, parts):
                continue
            start = outer[o] + index[k]
            at = (o * index.size + k) * inner.size * block
            for i in range(inner.size):
                target = x[start + inner[i] : start + inner[i] + block]
                source = values[at + i * block : at + (i + 1) * block]
                for j in range(block):
                    target[j] = source[j]


@jit(parallel=True)
def add(x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
    """Add ``values`` to the elements of a `Selection`, in order; the work is shared as in `put`."""
    if values.size < SERIAL or parts == 1:
        _add_part(x, values, outer, index, inner, block, span, 0, 1)
    else:
        for part in prange(parts):
            _add_part(x, values, outer, index, inner, block, span, part, parts)


@jit(inline=True)
def _add_part(x, values, outer, index, inner, block, span, part, parts):  # type: ignore[no-untyped-def]
    for o in range(outer.size):
        for k in range(index.size):
            if parts > 1 and not _share(index[k], span, part, parts):
                continue
            start = outer[o] + index[k]
            at = (o * index.size + k) * inner.size * block
            for i in range(inner.size):
                target = x[start + inner[i] : start + inner[i] + block]
                source = values[at + i * block : at + (i + 1) * block]
                for j in range(block):
                    target[j] += source[j]


WORDS = {size: np.dtype(f"uint{8 * size}") for size in (1, 2, 4, 8)}
"""The unsigned integer of each element size."""
