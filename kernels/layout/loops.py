"""The compiled loops that move elements. They see bytes or unsigned integers of an element's size, so
that one kernel serves every dtype of that size; only adding needs the dtype itself."""

from __future__ import annotations

import numpy as np

from ..jit import SERIAL, jit
from ..parallel import each, share, spread
from ..routine import copy


@jit(inline=True)
def _join_row(row, out, addresses, widths, starts):  # type: ignore[no-untyped-def]
    for position in range(addresses.size):
        size = widths[position] * out.itemsize
        target = out.ctypes.data + (row * out.shape[1] + starts[position]) * out.itemsize
        copy(target, addresses[position] + row * size, size)


@jit(inline=True)
def _join_part(task, out, addresses, widths, starts, parts):  # type: ignore[no-untyped-def]
    position, part = task // parts, task % parts
    address, width, start = addresses[position], widths[position], starts[position]
    first, last = width * part // parts, width * (part + 1) // parts
    size = out.itemsize
    copy(out.ctypes.data + (start + first) * size, address + first * size, (last - first) * size)


@jit
def join(out, addresses, widths, starts, parts):  # type: ignore[no-untyped-def]
    """Row r of ``out`` is row r of each array in turn; an array has ``widths`` elements a row, contiguous.

    A single row is cut into ``parts`` of every array.
    """
    rows = out.shape[0]
    if out.size < SERIAL or rows > 1:
        each(_join_row, (out, addresses, widths, starts), rows, share(rows, out.size))
    else:
        each(_join_part, (out, addresses, widths, starts, parts), addresses.size * parts, 1)


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
    spread(_triangle_rows, arguments, x.shape[0], share(x.shape[0], x.size))


@jit(inline=True)
def _take(task, x, out, outer, index, inner, block):  # type: ignore[no-untyped-def]
    o, k = task // index.size, task % index.size
    start = outer[o] + index[k]
    at = task * inner.size * block
    for i in range(inner.size):
        source = x[start + inner[i] : start + inner[i] + block]
        target = out[at + i * block : at + (i + 1) * block]
        for j in range(block):
            target[j] = source[j]


@jit
def take(x, out, outer, index, inner, block):  # type: ignore[no-untyped-def]
    """The elements of a `Selection`, in order."""
    tasks = outer.size * index.size
    each(_take, (x, out, outer, index, inner, block), tasks, share(tasks, out.size))


@jit(inline=True)
def _share(index, span, part, parts):  # type: ignore[no-untyped-def]
    """Whether the elements an index leads to are this part's: a range of the indices for each."""
    return index * parts // span == part


@jit
def put(x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
    """Write ``values`` to the elements of a `Selection`; the last write to an element stays.

    Each of ``parts`` tasks goes through all indices in order and writes those in its own part of ``[0, span)``.
    """
    parts = 1 if values.size < SERIAL else parts
    each(_put_part, (x, values, outer, index, inner, block, span, parts), parts, 1)


@jit(inline=True)
def _put_part(part, x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
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


@jit
def add(x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
    """Add ``values`` to the elements of a `Selection`, in order; the work is shared as in `put`."""
    parts = 1 if values.size < SERIAL else parts
    each(_add_part, (x, values, outer, index, inner, block, span, parts), parts, 1)


@jit(inline=True)
def _add_part(part, x, values, outer, index, inner, block, span, parts):  # type: ignore[no-untyped-def]
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
