"""Launches on a ``Selection`` (selection.cuh): elements that a list of indices and the strides of the other dimensions
name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import (
    ACCESS,
    BLOCK,
    MAX_DIMS,
    bits,
    contiguous,
    empty,
    flat_grid,
    flat_memory,
    launch,
    layout,
    size,
    unary,
)
from ..dtypes import int32, int64
from ..layout.cuda_remap import SIZES, fill_sizes, widest_word
from ..random.cuda_sort import sort

Array = Any
Axis = tuple[int, int]  # size, stride in elements

_SELECTION = np.dtype([
    ("ndim", "i8"), ("index_dim", "i8"), ("start", "i8"), ("size", "i8"),
    ("shape", SIZES), ("stride", "i8", (MAX_DIMS,)),
])  # fmt: skip


def as_index(index: Array) -> Array:
    """Contiguous indices as the kernels take them: int32 or int64."""
    return contiguous(index) if index.dtype in (int32, int64) else as_int64(index)


def as_int64(index: Array) -> Array:
    """Contiguous indices as int64."""
    if index.dtype == int64:
        return contiguous(index)
    result = empty(index.shape, int64, like=index)
    unary("elementwise", "to_int64", index, result)
    return result


def take(
    operation: str,
    x: Array,
    start: int,
    before: Sequence[Axis],
    index: Array,
    length: int,
    step: int,
    after: Sequence[Axis],
    out: Array,
) -> None:
    """``out``, contiguous and not empty, of the elements of the memory ``x`` that ``index`` names.

    Args:
        operation: whose name errors begin with.
        x: 1-D or contiguous memory of any dtype.
        start: the place of the first element that the other dimensions name.
        before, after: the dimensions around that of the indices.
        index: int32 or int64, contiguous.
        length, step: of the dimension that the indices stand for.
    """
    outer, inner = _merged(before), _merged(after)
    word = 1
    if inner and inner[-1][1] == 1:
        counts = [start, step, *(stride for _, stride in (*outer, *inner[:-1])), inner[-1][0]]
        word = widest_word(x.itemsize, (x, out), counts)
        inner[-1] = inner[-1][0] // word, word
    record = selection(operation, outer, index.size, step, inner, start, length, word)
    count = out.size // word
    name = f"take_{word * x.itemsize}_{index.dtype.name}"
    launch("embedding", name, None, flat_grid(count), BLOCK, record, x, index, out, count)


def put(
    operation: str,
    x: Array,
    start: int,
    before: Sequence[Axis],
    places: Array,
    place_step: int,
    after: Sequence[Axis],
    values: Array,
    values_start: int,
    values_strides: tuple[Sequence[int], int, Sequence[int]],
    accumulate: bool,
) -> None:
    """Write to, or add to, the elements of the contiguous ``x`` at ``places``, none below 0, in a fixed order.

    Args:
        operation, start, before, after: as for `take`.
        places: int64, contiguous, not empty; what each index adds to the place, a multiple of ``place_step``.
        values: 1-D or contiguous memory of x's dtype.
        values_start, values_strides: where its first element is, and its strides along ``before``, the places and
            ``after``.
        accumulate: add in the order of the places; otherwise the last value stays.
    """
    sorted_places, order = sort(places.reshape(-1).view(np.uint64), max(x.size, 1))
    outer, step, inner = values_strides
    given_before = [(n, stride) for (n, _), stride in zip(before, outer, strict=True)]
    given_after = [(n, stride) for (n, _), stride in zip(after, inner, strict=True)]
    to_before, to_after = list(before), list(after)
    while to_after and to_after[-1][0] == 1:
        to_after.pop()
        given_after.pop()
    width = ACCESS // x.itemsize
    # Whole vectors, if what lies behind the indexed dimensions does so in both arrays.
    if to_after and to_after[-1][1] == given_after[-1][1] == 1 and place_step % width == 0:
        others = (*to_before, *to_after[:-1], *given_before, *given_after[:-1])
        counts = [start, values_start, step, to_after[-1][0], *(stride for _, stride in others)]
        if widest_word(x.itemsize, (x, values), counts) < width:
            width = 1
    else:
        width = 1
    if width > 1:
        to_after[-1] = given_after[-1] = to_after[-1][0] // width, width
    to = selection(operation, to_before, places.size, 1, to_after, start)
    given = selection(operation, given_before, places.size, step, given_after, values_start)
    count = size([*(n for n, _ in to_before), places.size, *(n for n, _ in to_after)])
    launch(
        "embedding_add", "put_vectors" if width > 1 else "put_elements", x.dtype, flat_grid(count), BLOCK,
        to, given, sorted_places.view(np.int64), order, values, x, count, places.size, accumulate,
    )  # fmt: skip


def gather_along(
    operation: str, x: Array, start: int, strides: tuple[int, ...], index: Array, axis: int, out: Array
) -> None:
    """``out``, contiguous and not empty, as `gather` of what begins at ``start`` of the memory ``x``."""
    at, step, places = along(operation, start, strides, index, axis)
    name = f"gather_{x.itemsize}_{index.dtype.name}"
    launch("embedding", name, None, flat_grid(out.size), BLOCK, at, step, bits(x), places, bits(out), out.size)


def along(operation: str, start: int, strides: tuple[int, ...], index: Array, axis: int) -> tuple[Any, int, Array]:
    """The layout of an index and of the array that it goes along, the array's stride there, the index's memory."""
    memory_of, first, steps = flat_memory(index)
    others = tuple(0 if d == axis else stride for d, stride in enumerate(strides))
    steps = tuple(0 if n == 1 else step for n, step in zip(index.shape, steps, strict=True))
    at, _ = layout(operation, index.shape, (first, start), (steps, others))
    return at, strides[axis] if strides else 0, memory_of


def selection(
    operation: str,
    before: Sequence[Axis],
    count: int,
    step: int,
    after: Sequence[Axis],
    start: int,
    length: int = 0,
    word: int = 1,
) -> Any:
    """The structure itself, with strides in words of ``word`` elements."""
    axes = [*before, (count, step), *after]
    if len(axes) > MAX_DIMS:
        raise ValueError(f"{operation}: strides that need {len(axes)} dimensions, more than {MAX_DIMS}")
    record = np.zeros((), _SELECTION)
    record["ndim"], record["index_dim"] = len(axes), len(before)
    record["start"], record["size"] = start // word, length
    record["stride"][: len(axes)] = [stride // word for _, stride in axes]
    fill_sizes(record["shape"], [n for n, _ in axes])
    return record[()]


def _merged(axes: Sequence[Axis]) -> list[Axis]:
    """The dimensions without those of one element, and neighbours that lie as one made one."""
    result: list[Axis] = []
    for n, stride in axes:
        if n == 1:
            continue
        if result and result[-1][1] == stride * n:
            result[-1] = result[-1][0] * n, stride
        else:
            result.append((n, stride))
    return result
