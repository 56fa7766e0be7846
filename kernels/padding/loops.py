"""The compiled loops of padding: rows copied in, what lies between them filled; and the gradient's sums."""

from __future__ import annotations

import numpy as np

from ..jit import jit
from ..parallel import share, spread
from ..simd import copy_items


@jit(inline=True)
def _offset(at, strides):  # type: ignore[no-untyped-def]
    total = 0
    for d in range(at.size):
        total += at[d] * strides[d]
    return total


@jit(inline=True)
def _coordinates(row, sizes, at):  # type: ignore[no-untyped-def]
    rest = row
    for d in range(sizes.size - 1, -1, -1):
        at[d] = rest % sizes[d]
        rest //= sizes[d]


@jit(inline=True)
def _fill(target, value):  # type: ignore[no-untyped-def]
    for k in range(target.size):
        target[k] = value


@jit(inline=True)
def _rows(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, value, sizes, width, source_strides, target_strides, source_first, target_first, count = arguments
    at = np.empty(sizes.size, np.int64)
    from_x, to_out, size = x.ctypes.data, out.ctypes.data, x.itemsize
    filled = 0
    if start:
        _coordinates(start - 1, sizes, at)
        filled = target_first + _offset(at, target_strides) + width
    _coordinates(start, sizes, at)
    last = sizes.size - 1
    source, begin = source_first + _offset(at, source_strides), target_first + _offset(at, target_strides)
    for _ in range(start, stop):
        for k in range(filled, begin):
            out[np.uint64(k)] = value
        filled = begin + width
        copy_items(value, from_x + source * size, to_out + begin * size, width)
        if last < 0:
            break
        at[last] += 1
        if at[last] < sizes[last]:
            source += source_strides[last]
            begin += target_strides[last]
            continue
        at[last] = 0
        for d in range(last - 1, -1, -1):
            at[d] += 1
            if at[d] < sizes[d]:
                break
            at[d] = 0
        source, begin = source_first + _offset(at, source_strides), target_first + _offset(at, target_strides)
    if stop == count:
        _fill(out[filled:], value)


@jit
def pad_rows(x, out, value, sizes, width, source_strides, target_strides, source_first, target_first):  # type: ignore[no-untyped-def]
    """Copy a box of ``sizes`` rows of ``width`` elements from ``x`` into ``out``, 1-D, and fill the rest.

    A piece of the rows fills all from the end of the row before it.
    """
    count = 1
    for d in range(sizes.size):
        count *= sizes[d]
    arguments = (x, out, value, sizes, width, source_strides, target_strides, source_first, target_first, count)
    spread(_rows, arguments, count, share(count, out.size))


@jit(inline=True)
def _fold(arguments, start, stop):  # type: ignore[no-untyped-def]
    grad, out, segments = arguments
    inner = grad.shape[2]
    for o in range(start, stop):
        whole = out[o].reshape(-1)
        for k in range(whole.size):
            whole[k] = 0.0
        left = 0
        for s in range(segments.shape[0]):
            first, length, step = segments[s, 0], segments[s, 1], segments[s, 2]
            if inner == 1 and step == 1:
                target, line = out[o, first : first + length, 0], grad[o, left : left + length, 0]
                for k in range(length):
                    target[k] += line[k]
            else:
                for row in range(length):
                    target, line = out[o, first + step * row], grad[o, left + row]
                    for k in range(inner):
                        target[k] += line[k]
            left += length


@jit
def fold(grad, out, segments):  # type: ignore[no-untyped-def]
    """Add (outer, padded, inner) at the elements of (outer, size, inner) that its middle dimension was taken from."""
    arguments = (grad, out, segments)
    spread(_fold, arguments, grad.shape[0], share(grad.shape[0], grad.size))
