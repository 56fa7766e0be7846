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
from ..dtypes import int64
from ..random.cuda_sort import sort
from .cuda_selection import as_index, as_int64, put, take

Array = Any

_WARPS = BLOCK // WARP
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
        copy(x, result)
        if index.size == 0:
            return
        strides = tuple(size(out.shape[d + 1 :]) for d in range(out.ndim))
        at, step, given = _along("scatter_add", 0, strides, index, axis)
        places = memory.empty((index.size,), int64)
        name = f"places_{index.dtype.name}"
        launch("embedding", name, None, flat_grid(index.size), BLOCK, at, step, given, places, index.size)
        values = contiguous(source[(*(slice(n) for n in index.shape), ...)])
        put("scatter_add", result, 0, (), places, (), values, 0, ((), 1, ()), True)


def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    out: Array,
) -> None:
    _sum(grad, indices, 1, -1 if padding_idx is None else padding_idx, bool(scale_grad_by_freq), num_embeddings, out)


def index_select_backward(grad: Array, index: Array, *, dim: int, size: int, out: Array) -> None:
    axis = check.dim("index_select_backward", dim, grad.ndim)
    outer = int(np.prod(grad.shape[:axis], dtype=np.int64))
    _sum(grad, index, outer, -1, False, size, out)


def _sum(grad: Array, index: Array, outer: int, left_out: int, mean: bool, rows: int, out: Array) -> None:
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
            name, grid = "sum_segments", blocks(outer * rows * -(-inner // (WARP * width)), _WARPS)
        launch("embedding_add", name, out.dtype, grid, BLOCK, record, contiguous(grad), order, starts, result)


def one_hot(indices: Array, *, num_classes: int, out: Array) -> None:
    if out.size:
        with written(out) as result:
            index = as_index(indices)
            grid = blocks(out.size, 2 * BLOCK)
            launch("embedding", f"one_hot_{index.dtype.name}", None, grid, BLOCK, index, result, out.size, num_classes)
