"""Launches of ``csrc/kernels/embedding.cu`` and ``embedding_add.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..cuda_launch import BLOCK, blocks, contiguous, copy, empty, flat_grid, flat_memory, launch, size, written
from ..dtypes import int64
from .cuda_add import add_in_planes, add_slices, suits_planes
from .cuda_selection import along, as_index, gather_along, put, take

Array = Any


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


def scatter_add(x: Array, index: Array, source: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("scatter_add", dim, x.ndim)
    with written(out) as result:
        reach = (*(slice(n) for n in index.shape), Ellipsis)  # for 0-d arrays to stay arrays
        fits = all(n == m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if d != axis)
        shape = size(out.shape[:axis]), index.size, out.shape[axis] if out.ndim else 1, size(out.shape[axis + 1 :])
        if fits and suits_planes(*shape, out):
            values = contiguous(source[reach])
            add_in_planes(values, as_index(index), contiguous(x), result, shape[0], shape[3])
            return
        copy(x, result)
        if index.size == 0:
            return
        strides = tuple(size(out.shape[d + 1 :]) for d in range(out.ndim))
        at, step, given = along("scatter_add", 0, strides, index, axis)
        places = empty((index.size,), int64, like=index)
        name = f"places_{index.dtype.name}"
        launch("embedding", name, None, flat_grid(index.size), BLOCK, at, step, given, places, index.size)
        values = contiguous(source[reach])
        put("scatter_add", result, 0, (), places, 1, (), values, 0, ((), 1, ()), True)


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


def one_hot(indices: Array, *, num_classes: int, out: Array) -> None:
    if out.size:
        with written(out) as result:
            index = as_index(indices)
            grid = blocks(out.size, 2 * BLOCK)
            launch("embedding", f"one_hot_{index.dtype.name}", None, grid, BLOCK, index, result, out.size, num_classes)
