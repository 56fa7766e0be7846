"""Gathers that act on each dimension apart: flips, rolls, mirrored and repeated borders.

Each dimension of the result is a list of segments of the input's: ``(start, length, step)`` with a step
of 1 (as it is), -1 (backwards) or 0 (one element repeated). Whole blocks are copied along the last
dimensions, and no index is computed for each element.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..jit import jit
from ..parallel import share, spread
from ..simd import copy_items, reverse_items

Array = Any
Segments = Sequence[tuple[int, int, int]]

LARGE = 16_384  # entries of the tables above which they are not kept
SHORT = 8  # elements of a segment below which they are moved one by one


@jit(inline=True, forceinline=True)  # its many arguments would cost more than a short row
def _row(x, out, from_x, to_out, source, to, runs, edges):  # type: ignore[no-untyped-def]
    size = x.itemsize
    like = x.dtype.type(0)
    for s in range(runs.shape[0]):
        place, start, length, step = to + runs[s, 0], source + runs[s, 1], runs[s, 2], runs[s, 3]
        if step == 1:
            copy_items(like, from_x + start * size, to_out + place * size, length)
        elif step == -1:
            reverse_items(like, from_x + start * size, to_out + place * size, length)
        else:
            value = x[np.uint64(start)]
            for k in range(length):
                out[np.uint64(place + k)] = value
    for e in range(edges.shape[0]):
        out[np.uint64(to + edges[e, 0])] = x[np.uint64(source + edges[e, 1])]


@jit(inline=True)
def _rows(arguments, start, stop):  # type: ignore[no-untyped-def]
    x, out, width, sizes, first, offsets, runs, edges = arguments
    last = sizes.size - 1
    at = np.empty(sizes.size, np.int64)
    rest = start
    for d in range(last, -1, -1):
        at[d] = rest % sizes[d]
        rest //= sizes[d]
    from_x, to_out = x.ctypes.data, out.ctypes.data
    row = start
    while row < stop:
        base = 0
        for d in range(last):
            base += offsets[first[d] + at[d]]
        for j in range(at[last], min(sizes[last], at[last] + stop - row)):
            _row(x, out, from_x, to_out, base + offsets[first[last] + j], row * width, runs, edges)
            row += 1
        at[last] = 0
        for d in range(last - 1, -1, -1):
            at[d] += 1
            if at[d] < sizes[d]:
                break
            at[d] = 0


@jit
def _take(x, out, width, sizes, first, offsets, runs, edges):  # type: ignore[no-untyped-def]
    rows = out.size // width
    spread(_rows, (x, out, width, sizes, first, offsets, runs, edges), rows, share(rows, out.size))


def take(x: Array, out: Array, dims: Sequence[Segments | None], shape: tuple[int, ...]) -> None:
    """Gather ``x``, 1-D of ``shape``, into ``out``, 1-D and not empty; None leaves a dimension as it is."""
    sizes = sum(
        n if each is None else sum(length for _, length, _ in each) for n, each in zip(shape, dims, strict=True)
    )
    make = _cached_tables if sizes <= LARGE else _tables  # large tables are not worth their memory
    _take(x, out, *make(tuple(dims), shape))


def _tables(dims: tuple[Segments | None, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The kernel's parameters: width of a row, the rows' sizes, first offsets and offsets, runs, edges."""
    parts: list[tuple[int, int, Segments | None]] = []  # input size, result size, segments; neighbours merged
    for size, segments in zip(shape, dims, strict=True):
        if segments is None and parts and parts[-1][2] is None:
            parts[-1] = (parts[-1][0] * size, parts[-1][1] * size, None)
        else:
            parts.append((size, size if segments is None else sum(length for _, length, _ in segments), segments))
    last = parts.pop() if parts else (1, 1, None)
    if not parts:
        parts = [(1, 1, None)]
    sizes = np.array([after for _, after, _ in parts], np.int64)
    stride, offsets = last[0], []
    for before, _, segments in reversed(parts):
        offsets.append(_positions(segments or ((0, before, 1),)) * stride)
        stride *= before
    runs, edges = _split(last[2] or ((0, last[0], 1),))
    return last[1], sizes, np.cumsum(sizes) - sizes, np.concatenate(offsets[::-1]), runs, edges


_cached_tables = functools.lru_cache(maxsize=256)(_tables)


def _split(segments: Segments) -> tuple[Array, Array]:
    """Long segments as runs (place in the row, start, length, step), short ones by element (place, source)."""
    runs, edges, place = [], [], 0
    for start, length, step in segments:
        if length < SHORT:
            edges += [(place + k, start + step * k) for k in range(length)]
        else:
            runs.append((place, start, length, step))
        place += length
    return np.array(runs, np.int64).reshape(-1, 4), np.array(edges, np.int64).reshape(-1, 2)


def _positions(segments: Segments) -> Array:
    """The input's coordinate of each of the result's."""
    return np.concatenate([start + step * np.arange(length, dtype=np.int64) for start, length, step in segments])
