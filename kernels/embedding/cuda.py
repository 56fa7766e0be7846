"""Launches of ``csrc/kernels/embedding.cu`` and ``embedding_add.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check, memory
from ..cuda_launch import (
    BLOCK,
    WARP,
    bits,
    blocks,
    contiguous,
    copy,
    flat_grid,
    flat_memory,
    launch,
    layout,
    size,
    written,
)
from ..dtypes import accumulator, int64, is_floating
from ..random.cuda_sort import sort
from .cuda_selection import as_index, as_int64, put, take

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


def embedding(weight: Array, indices: Array, *, out: Array) -> None:
    _take("embedding", weight, 0, indices, out)


def index_select(x: Array, index: Array, *, dim: int, out: Array) -> None:
    axis = check.dim("index_select", dim, x.ndim)
    if x.ndim:
        _take("index_select", x, axis, index, out)
    else:
        copy(x, out)


def _take(operation: str, x: Array, axis: int, index: Array, out: Array) -> None:
    if out.size == 0:
        return
    memory_of, start, strides = flat_memory(x)
    axes = list(zip(x.shape, strides, strict=True))
    with written(out) as result:
        given = as_index(index)
        take(operation, memory_of, start, axes[:axis], given, *axes[axis], axes[axis + 1 :], result)


def gather(x: Array, index: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    memory_of, start, strides = flat_memory(x)
    with written(out) as result:
        gather_along("gather", memory_of, start, strides, index, check.dim("gather", dim, x.ndim), result)


def gather_along(
    operation: str, x: Array, start: int, strides: tuple[int, ...], index: Array, axis: int, out: Array
) -> None:
    """``out``, contiguous and not empty, as `gather` of what begins at ``start`` of the memory ``x``."""
    at, step, places = _along(operation, start, strides, index, axis)
    name = f"gather_{x.itemsize}_{index.dtype.name}"
    launch("embedding", name, None, flat_grid(out.size), BLOCK, at, step, bits(x), places, bits(out), out.size)


def _along(operation: str, start: int, strides: tuple[int, ...], index: Array, axis: int) -> tuple[Any, int, Array]:
    """The layout of an index and of the array that it goes along, the array's stride there, the index's memory."""
    memory_of, first, steps = flat_memory(index)
    others = tuple(0 if d == axis else stride for d, stride in enumerate(strides))
    steps = tuple(0 if n == 1 else step for n, step in zip(index.shape, steps, strict=True))
    at, _ = layout(operation, index.shape, (first, start), (steps, others))
    return at, strides[axis] if strides else 0, memory_of


def scatter_add(x: Array, index: Array, source: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("scatter_add", dim, x.ndim)
    with written(out) as result:
        reach = (*(slice(n) for n in index.shape), Ellipsis)  # for 0-d arrays to stay arrays
        fits = all(n == m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if d != axis)
        shape = size(out.shape[:axis]), index.size, out.shape[axis] if out.ndim else 1, size(out.shape[axis + 1 :])
        if fits and _suits(*shape, out):
            values = contiguous(source[reach])
            add_in_planes(values, as_index(index), contiguous(x), result, shape[0], shape[3])
            return
        copy(x, result)
        if index.size == 0:
            return
        strides = tuple(size(out.shape[d + 1 :]) for d in range(out.ndim))
        at, step, given = _along("scatter_add", 0, strides, index, axis)
        places = memory.empty((index.size,), int64)
        name = f"places_{index.dtype.name}"
        launch("embedding", name, None, flat_grid(index.size), BLOCK, at, step, given, places, index.size)
        values = contiguous(source[reach])
        put("scatter_add", result, 0, (), places, 1, (), values, 0, ((), 1, ()), True)


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


def _suits(outer: int, values: int, n: int, inner: int, out: Array) -> bool:
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


def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    out: Array,
) -> None:
    add_slices(
        grad, indices, 1, -1 if padding_idx is None else padding_idx, bool(scale_grad_by_freq), num_embeddings, out
    )


def index_select_backward(grad: Array, index: Array, *, dim: int, size: int, out: Array) -> None:
    axis = check.dim("index_select_backward", dim, grad.ndim)
    outer = int(np.prod(grad.shape[:axis], dtype=np.int64))
    add_slices(grad, index, outer, -1, False, size, out)


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
    starts = memory.empty((rows + 1,), int64)
    launch("embedding_add", "starts", out.dtype, blocks(rows + 1, BLOCK), BLOCK, keys, starts, keys.size, rows)
    record = np.array((outer, keys.size, rows, inner, left_out, mean), _SEGMENTS)[()]
    with written(out) as result:
        if inner < WARP:
            name, grid = "sum_elements", flat_grid(out.size)
        else:
            width = 16 // out.itemsize if inner % (16 // out.itemsize) == 0 else 1
            strips = -(-inner // (WARP * width * (2 if width > 1 else 1)))
            name, grid = "sum_segments", blocks(outer * rows * strips, _WARPS)
        launch("embedding_add", name, out.dtype, grid, BLOCK, record, contiguous(grad), order, starts, result)


def one_hot(indices: Array, *, num_classes: int, out: Array) -> None:
    if out.size:
        with written(out) as result:
            index = as_index(indices)
            grid = blocks(out.size, 2 * BLOCK)
            launch("embedding", f"one_hot_{index.dtype.name}", None, grid, BLOCK, index, result, out.size, num_classes)
