"""Sums by indices as Numba kernels, without atomics: what goes to one element is added in its order."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import size
from ..cuda_memory import empty
from ..dtypes import int32
from ..numba_launch import Kernel, cuda, flat_grid, kernel, nothing, offset, padded_dims, real_of, simulated

Array = Any
Steps = tuple[int, int, int]  # of the result, the indices, the values

_ENOUGH = 32 if simulated() else 65_536  # threads that fill a GPU


@functools.cache
def _begin(real: Any) -> Kernel:
    @kernel
    def begin_sums(start: Array, has_start: int, sums: Array, count: int) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            sums[i] = real(start[i]) if has_start else real(0)

    return begin_sums


@functools.cache
def _add(real: Any) -> Kernel:
    @kernel
    def add_along_lines(
        shape: Any, sums_steps: Any, index_steps: Any, value_steps: Any, axis: Any, lines: int, count: int, n: int,
        parts: int, left_out: int, index: Array, values: Array, sums: Array,
    ) -> None:  # fmt: skip
        # A thread has a part of a line of sums and reads all indices of the line: threads beside each other read the
        # same ones, or ones beside each other.
        for task in range(cuda.grid(1), lines * parts, cuda.gridsize(1)):
            line, part = task % lines, task // lines
            low, high = part * n // parts, (part + 1) * n // parts
            to, at = offset(line, shape, sums_steps), offset(line, shape, index_steps)
            value_at = offset(line, shape, value_steps)
            for i in range(count):
                place = index[at + i * axis[1]]
                if low <= place and place < high and place != left_out:
                    sums[to + place * axis[0]] += real(values[value_at + i * axis[2]])

    return add_along_lines


@functools.cache
def _finish(real: Any) -> Kernel:
    @kernel
    def finish_sums(sums: Array, counts: Array, has_counts: int, inner: int, out: Array, count: int) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            value = sums[i]
            if has_counts and counts[i // inner] > 1:
                value /= real(counts[i // inner])
            out[i] = value

    return finish_sums


@kernel
def count_indices(index: Array, counts: Array, count: int) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        cuda.atomic.add(counts, index[i], 1)  # of integers: the order does not matter


def _occurrences(index: Array, n: int) -> Array:
    """How often each number below ``n`` is among the indices."""
    counts = empty((n,), int32, like=index)
    _begin(np.int32)[flat_grid(n)](counts, 0, counts, n)
    if index.size:
        count_indices[flat_grid(index.size)](index, counts, index.size)
    return counts


def add_along(
    operation: str, values: Array, index: Array, out: Array, lines: Sequence[tuple[int, Steps]], axis: Steps,
    count: int, n: int, *, start: Array | None = None, left_out: int = -1, mean_of: int = 0,
) -> None:  # fmt: skip
    """``out`` as ``start``, or zeros, with ``count`` values of each line added at their indices, all in flat memory.

    Args:
        operation: whose name errors begin with.
        lines: the dimensions that lines are counted by, each with the steps of the three arrays.
        axis: the steps along a line.
        n: elements of ``out`` in a line.
        left_out: an index whose values are not added.
        mean_of: elements of ``out`` for each index, to divide each by how often its index occurs; 0 for sums.
    """
    real = real_of(out.dtype)
    sums = out if out.dtype == np.dtype(real) else empty(out.shape, np.dtype(real), like=out)
    _begin(real)[flat_grid(out.size)](nothing(out) if start is None else start, int(start is not None), sums, out.size)
    sizes = [m for m, _ in lines]
    shape, steps = padded_dims(operation, sizes, *([each[which] for _, each in lines] for which in range(3)))
    number = size(sizes)
    if number and count:
        parts = max(1, min(n, _ENOUGH // number))
        _add(real)[flat_grid(number * parts)](
            shape, *steps, axis, number, count, n, parts, left_out, index, values, sums
        )
    if sums is not out or mean_of:
        counts = _occurrences(index, n) if mean_of else nothing(index)
        _finish(real)[flat_grid(out.size)](sums, counts, int(mean_of > 0), max(mean_of, 1), out, out.size)
