"""Loops of looking up and adding by index, over contiguous arrays of three dimensions.

An array is (outer, length, inner): the dimensions before, at and behind the one that indices stand for.
What is added has one order whatever the number of threads: no element is written by two of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import SERIAL, jit
from ..parallel import spread

Array = Any

WORDS = {1: np.dtype("uint8"), 2: np.dtype("uint16"), 4: np.dtype("uint32"), 8: np.dtype("uint64")}
"""What elements are moved as, by their size: one compiled kernel for all dtypes of that size."""

PIECE = 4_096
"""Elements that a thread takes at a time."""


@jit
def _take_rows(arguments: tuple[Array, Array, Array], start: int, stop: int) -> None:
    x, index, out = arguments
    count, inner = out.shape[1], out.shape[2]
    for row in range(start, stop):
        outer, k = row // count, row % count
        source, target = x[outer, index[k]], out[outer, k]
        for i in range(inner):
            target[i] = source[i]


@jit
def _take_elements(arguments: tuple[Array, Array, Array], start: int, stop: int) -> None:
    """`_take_rows` of one element: a loop along each line instead of one a row."""
    x, index, out = arguments
    count = out.shape[1]
    while start < stop:
        outer, first = start // count, start % count
        last = min(count, first + stop - start)
        source, target = x[outer, :, 0], out[outer, :, 0]
        for k in range(first, last):
            target[k] = source[index[k]]
        start += last - first


@jit
def take(x: Array, index: Array, out: Array) -> None:
    """``out[o, k, :] = x[o, index[k], :]``"""
    rows = out.shape[0] * out.shape[1]
    if out.size < SERIAL:
        _take_rows((x, index, out), 0, rows)
    elif out.shape[2] == 1:
        spread(_take_elements, (x, index, out), rows, PIECE)
    else:
        spread(_take_rows, (x, index, out), rows, PIECE // out.shape[2] + 1)


@jit
def sort(index: Array, left_out: int, starts: Array, order: Array) -> None:
    """The places of each number in ``index`` next to each other, in rising order: a stable counting sort.

    Those of number n become ``order[starts[n]:starts[n + 1]]``; ``left_out`` gets none.
    """
    starts[:] = 0
    for number in index:
        if number != left_out:
            starts[number + 1] += 1
    for number in range(starts.size - 1):
        starts[number + 1] += starts[number]
    for place in range(index.size):
        number = index[place]
        if number != left_out:
            order[starts[number]] = place
            starts[number] += 1
    # Each start has moved to its end, which is the next one's start.
    for number in range(starts.size - 1, 0, -1):
        starts[number] = starts[number - 1]
    starts[0] = 0


@jit
def _boundary(starts: Array, part: int, parts: int) -> int:
    """The first row of a part, of parts with about as many rows and additions."""
    rows = starts.size - 1
    wanted = (rows + starts[rows]) * part // parts
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        if middle + starts[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _add_parts(arguments: tuple[Array, Array, Array, bool, Array, int], start: int, stop: int) -> None:
    grad, starts, order, mean, out, parts = arguments
    inner = out.shape[2]
    for task in range(start, stop):
        outer, part = task // parts, task % parts
        last = out.shape[1] if part == parts - 1 else _boundary(starts, part + 1, parts)
        for row in range(_boundary(starts, part, parts), last):
            target = out[outer, row]
            for i in range(inner):
                target[i] = 0
            for place in range(starts[row], starts[row + 1]):
                source = grad[outer, order[place]]
                for i in range(inner):
                    target[i] += source[i]
            if mean and starts[row + 1] > starts[row] + 1:
                count = target.dtype.type(starts[row + 1] - starts[row])
                for i in range(inner):
                    target[i] /= count


@jit
def add(grad: Array, starts: Array, order: Array, mean: bool, out: Array, threads: int) -> None:
    """``out[o, n, :]`` is the sum (or mean) of ``grad[o, k, :]`` over the places k that `sort` found for n."""
    work = grad.size + out.size
    parts = 1 if work < SERIAL or out.shape[0] >= threads else threads
    arguments = (grad, starts, order, mean, out, parts)
    if work < SERIAL:
        _add_parts(arguments, 0, out.shape[0])
    else:
        spread(_add_parts, arguments, out.shape[0] * parts, max(out.shape[0] * parts // (8 * threads), 1))


@jit
def _gather_rows(arguments: tuple[Array, Array, Array], start: int, stop: int) -> None:
    x, index, out = arguments
    count, inner = out.shape[1], out.shape[2]
    for row in range(start, stop):
        outer, k = row // count, row % count
        source, places, target = x[outer], index[outer, k], out[outer, k]
        for i in range(inner):
            target[i] = source[places[i], i]


@jit
def _gather_elements(arguments: tuple[Array, Array, Array], start: int, stop: int) -> None:
    """`_gather_rows` of one element: a loop along each line instead of one a row."""
    x, index, out = arguments
    count = out.shape[1]
    while start < stop:
        outer, first = start // count, start % count
        last = min(count, first + stop - start)
        source, places, target = x[outer, :, 0], index[outer, :, 0], out[outer, :, 0]
        for k in range(first, last):
            target[k] = source[places[k]]
        start += last - first


@jit
def gather(x: Array, index: Array, out: Array) -> None:
    """``out[o, k, i] = x[o, index[o, k, i], i]``"""
    rows = out.shape[0] * out.shape[1]
    if out.size < SERIAL:
        _gather_rows((x, index, out), 0, rows)
    elif out.shape[2] == 1:
        spread(_gather_elements, (x, index, out), rows, PIECE)
    else:
        spread(_gather_rows, (x, index, out), rows, PIECE // out.shape[2] + 1)


@jit
def _scatter_parts(arguments: tuple[Array, Array, Array, int], start: int, stop: int) -> None:
    out, index, source, parts = arguments
    count, inner = index.shape[1], index.shape[2]
    for task in range(start, stop):
        outer, part = task // parts, task % parts
        if inner == 1:
            line, places, added = out[outer, :, 0], index[outer, :, 0], source[outer, :, 0]
            for k in range(count):
                line[places[k]] += added[k]
            continue
        target, low, high = out[outer], part * inner // parts, (part + 1) * inner // parts
        for k in range(count):
            places, added = index[outer, k], source[outer, k]
            for i in range(low, high):
                target[places[i], i] += added[i]


@jit
def scatter_add(out: Array, index: Array, source: Array, threads: int) -> None:
    """``out[o, index[o, k, i], i] += source[o, k, i]``, k rising; a thread has columns of its own."""
    parts = 1 if index.size < SERIAL or out.shape[0] >= threads else min(index.shape[2], threads)
    arguments = (out, index, source, parts)
    if index.size < SERIAL:
        _scatter_parts(arguments, 0, out.shape[0])
    else:
        spread(_scatter_parts, arguments, out.shape[0] * parts, max(out.shape[0] * parts // (8 * threads), 1))


@jit
def _mark_rows(arguments: tuple[Array, Array], start: int, stop: int) -> None:
    indices, out = arguments
    for row in range(start, stop):
        target = out[row]
        for i in range(target.size):
            target[i] = 0
        target[indices[row]] = 1


@jit
def mark(indices: Array, out: Array) -> None:
    """Row r of ``out`` is 0 but for a 1 at ``indices[r]``."""
    if out.size < SERIAL:
        _mark_rows((indices, out), 0, indices.size)
    else:
        spread(_mark_rows, (indices, out), indices.size, PIECE // out.shape[1] + 1)
