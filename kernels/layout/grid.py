"""Gathers that act on each dimension apart: flips, rolls, mirrored and repeated borders.

Each dimension of the result is a list of segments of the input's: ``(start, length, step)`` with a step
of 1 (as it is), -1 (backwards) or 0 (one element repeated). Whole blocks are copied along the last
dimensions, and no index is computed for each element.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..jit import jit
from ..parallel import spread

Array = Any
Segments = Sequence[tuple[int, int, int]]

ELEMENTS = 16_384  # elements that a thread takes at a time, at least


@jit(inline=True)
def _rows(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, sizes, first, offsets, segments = arguments
    at = np.empty(sizes.size, np.int64)
    rest = start
    for d in range(sizes.size - 1, -1, -1):
        at[d] = rest % sizes[d]
        rest //= sizes[d]
    for row in range(start, stop):
        base = 0
        for d in range(sizes.size):
            base += offsets[first[d] + at[d]]
        left = 0
        for s in range(segments.shape[0]):
            source, length, step = base + segments[s, 0], segments[s, 1], segments[s, 2]
            target = out[row, left : left + length]
            left += length
            if step == 1:
                line = x[source : source + length]
                for k in range(length):
                    target[k] = line[k]
            elif step == -1:
                line = x[source - length + 1 : source + 1]
                for k in range(length):
                    target[k] = line[np.uint64(length - 1 - k)]
            else:
                value = x[source]
                for k in range(length):
                    target[k] = value
        for d in range(sizes.size - 1, -1, -1):
            at[d] += 1
            if at[d] < sizes[d]:
                break
            at[d] = 0


@jit
def _take(x, out, sizes, first, offsets, segments):  # type: ignore[no-untyped-def]
    arguments = (x, out, sizes, first, offsets, segments)
    if out.size <= 2 * ELEMENTS:
        _rows(arguments, 0, out.shape[0])
    else:
        spread(_rows, arguments, out.shape[0], max(ELEMENTS // out.shape[1], 1))


def take(x: Array, out: Array, dims: Sequence[Segments | None], shape: tuple[int, ...]) -> None:
    """Gather ``x``, 1-D of ``shape``, into ``out``, 1-D and not empty; None leaves a dimension as it is."""
    parts: list[tuple[int, int, Segments | None]] = []  # input size, result size, segments; neighbours merged
    for size, segments in zip(shape, dims, strict=True):
        if segments is None and parts and parts[-1][2] is None:
            parts[-1] = (parts[-1][0] * size, parts[-1][1] * size, None)
        else:
            parts.append((size, size if segments is None else sum(length for _, length, _ in segments), segments))
    last = parts.pop() if parts else (1, 1, None)
    sizes = np.array([after for _, after, _ in parts], np.int64)
    stride, offsets = last[0], []
    for before, _, segments in reversed(parts):
        offsets.append(_positions(segments or ((0, before, 1),)) * stride)
        stride *= before
    _take(
        x,
        out.reshape(math.prod(sizes.tolist()), last[1]),
        sizes,
        np.cumsum(sizes) - sizes,
        np.concatenate(offsets[::-1]) if offsets else np.zeros(0, np.int64),
        np.array(last[2] or ((0, last[0], 1),), np.int64),
    )


def _positions(segments: Segments) -> Array:
    """The input's coordinate of each of the result's."""
    return np.concatenate([start + step * np.arange(length, dtype=np.int64) for start, length, step in segments])
