"""Launches of ``csrc/kernels/embedding_planes.cu`` and of the segmented sums of ``embedding_add.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cuda_launch import ACCESS, BLOCK, WARP, blocks, contiguous, empty, flat_grid, launch, written
from ..dtypes import accumulator, int64, is_floating
from ..random.cuda_sort import sort
from .cuda_selection import as_int64

Array = Any

_WARPS = BLOCK // WARP
_SUMS = 44 * 1024  # bytes of sums that a block holds: kSums of embedding_planes.cu
_VALUES = 2048  # that a block adds, where planes are small
_PARTS, _FEW, _SORTED = 8, 64, 32_768  # parts of a plane at most; blocks below which more values are sorted
_PLANES = np.dtype([(name, "i8") for name in ("outer", "count", "n", "inner", "columns", "group", "parts")])
_SEGMENTS = np.dtype(
    {
        "names": ["outer", "count", "rows", "inner", "left_out", "mean"],
        "formats": ["i8", "i8", "i8", "i8", "i8", "?"],
        "itemsize": 48,
    }
)


def _planes(outer: int, n: int, inner: int, count: int, out: Array) -> tuple[int, int, int]:
    """Columns, planes and parts of one plane to a block of ``embedding_planes.cu``."""
    most = _SUMS // (accumulator(out.dtype).itemsize if is_floating(out.dtype) else 8)
    # Whole cache lines where they leave blocks enough, and whole sectors in any case.
    wide = (each for each in (min(inner, WARP), 16) if each <= inner and n * each <= most)
    columns = next((each for each in wide if outer * -(-inner // each) >= _FEW or each == inner), min(inner, 8))
    parts = -(-n * columns // most)
    group = 1
    if columns == inner and parts == 1:
        group = max(1, min(most // (n * inner), -(-_VALUES // max(count * inner, 1)), outer))
    return columns, group, parts


def suits_planes(outer: int, values: int, n: int, inner: int, out: Array) -> bool:
    """Whether few blocks read the same indices, and there are blocks enough; otherwise they are sorted."""
    columns, group, parts = _planes(outer, n, inner, values // max(outer * inner, 1), out)
    tasks = -(-outer // group) * -(-inner // columns) * parts
    return parts <= _PARTS and (tasks >= _FEW or values <= _SORTED)


def add_in_planes(values: Array, indices: Array, start: Array | None, out: Array, outer: int, inner: int) -> None:
    """``out``, (outer, n, inner), with ``values``, (outer, count, inner), added in order at ``indices`` of a column.

    All are contiguous, ``indices`` int32 or int64 and of the shape of ``values``, ``out`` is not empty; it begins as
    ``start``, or as 0.
    """
    n, count = out.size // (outer * inner), values.size // (outer * inner)
    columns, group, parts = _planes(outer, n, inner, count, out)
    grid = blocks(-(-outer // group) * -(-inner // columns) * parts, 1)
    record = np.array((outer, count, n, inner, columns, group, parts), _PLANES)[()]
    name = f"add_in_planes_{indices.dtype.name}"
    launch("embedding_planes", name, out.dtype, grid, BLOCK, record, values, indices, start, out)


def add_slices(grad: Array, index: Array, outer: int, left_out: int, mean: bool, rows: int, out: Array) -> None:
    """Sums of the slices of ``grad``, (outer, index.size, inner), by their indices: ``out`` is (outer, rows, inner)."""
    if out.size == 0:
        return
    inner = out.size // (outer * rows)
    keys = as_int64(index).reshape(-1)
    order = keys
    if keys.size:
        sorted_keys, order = sort(keys.view(np.uint64), rows)
        keys = sorted_keys.view(np.int64)
    starts = empty((rows + 1,), int64, like=out)
    launch("embedding_add", "starts", out.dtype, blocks(rows + 1, BLOCK), BLOCK, keys, starts, keys.size, rows)
    record = np.array((outer, keys.size, rows, inner, left_out, mean), _SEGMENTS)[()]
    with written(out) as result:
        if inner < WARP:
            name, grid = "sum_elements", flat_grid(out.size)
        else:
            width = ACCESS // out.itemsize if inner % (ACCESS // out.itemsize) == 0 else 1
            strips = -(-inner // (WARP * width * (2 if width > 1 else 1)))
            name, grid = "sum_segments", blocks(outer * rows * strips, _WARPS)
        launch("embedding_add", name, out.dtype, grid, BLOCK, record, contiguous(grad), order, starts, result)
