"""Looking up and adding by index with Numba: contiguous arrays in front of the loops of `loops.py`."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .. import check, memory
from . import loops

Array = np.ndarray[Any, Any]


def embedding(weight: Array, indices: Array, *, out: Array) -> None:
    rows, columns = weight.shape
    _take(weight.reshape(1, rows, columns), indices, out, (1, indices.size, columns))


def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    out: Array,
) -> None:
    left_out = -1 if padding_idx is None else padding_idx
    _add(grad, indices, left_out, scale_grad_by_freq, out, 1, num_embeddings)


def index_select(x: Array, index: Array, *, dim: int, out: Array) -> None:
    axis = check.dim("index_select", dim, x.ndim)
    outer, inner = _around(x.shape, axis)
    _take(_three(x, axis), index, out, (outer, index.size, inner))


def index_select_backward(grad: Array, index: Array, *, dim: int, size: int, out: Array) -> None:
    axis = check.dim("index_select_backward", dim, grad.ndim)
    _add(grad, index, -1, False, out, math.prod(grad.shape[:axis]), size)


def gather(x: Array, index: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("gather", dim, x.ndim)
    target = _contiguous(out)
    source, places = _three(_cropped(x, index.shape, axis), axis), _three(_places(index), axis)
    loops.gather(_words(source), places, _words(target).reshape(places.shape))
    _copy_back(target, out)


def scatter_add(x: Array, index: Array, source: Array, *, dim: int, out: Array) -> None:
    axis = check.dim("scatter_add", dim, x.ndim)
    np.copyto(out, x)
    if index.size == 0:
        return
    region = _cropped(out, index.shape, axis)
    target = np.ascontiguousarray(region)
    added = np.ascontiguousarray(source[tuple([slice(n) for n in index.shape])])
    places = _three(_places(index), axis)
    loops.scatter_add(_three(target, axis), places, added.reshape(places.shape), numba.get_num_threads())
    _copy_back(target, region)


def one_hot(indices: Array, *, num_classes: int, out: Array) -> None:
    target = _contiguous(out)
    loops.mark(_places(indices).reshape(-1), target.reshape(-1, num_classes))
    _copy_back(target, out)


def _take(x: Array, index: Array, out: Array, shape: tuple[int, int, int]) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    loops.take(_words(np.ascontiguousarray(x)), _places(index).reshape(-1), _words(target).reshape(shape))
    _copy_back(target, out)


def _add(grad: Array, index: Array, left_out: int, mean: bool, out: Array, outer: int, rows: int) -> None:
    """Sums of the slices of ``grad``, (outer, index.size, inner) as it lies, by their indices."""
    if out.size == 0:
        return
    target = _contiguous(out)
    inner = out.size // (outer * rows)
    starts, order = memory.scratch((rows + 1,), np.dtype(np.int64)), memory.scratch((index.size,), np.dtype(np.int64))
    loops.sort(_int64(index).reshape(-1), left_out, starts, order)
    slices = np.ascontiguousarray(grad).reshape(outer, index.size, inner)
    loops.add(slices, starts, order, bool(mean), target.reshape(outer, rows, inner), numba.get_num_threads())
    _copy_back(target, out)


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    """Elements before and behind a dimension."""
    return math.prod(shape[:axis]), math.prod(shape[axis + 1 :])


def _three(array: Array, axis: int) -> Array:
    """The array, made contiguous, as (before, at, behind) the dimension ``axis``."""
    outer, inner = _around(array.shape, axis)
    return np.ascontiguousarray(array).reshape(outer, array.shape[axis] if array.ndim else 1, inner)


def _cropped(array: Array, shape: tuple[int, ...], axis: int) -> Array:
    """The part of ``array`` that an index of ``shape`` can reach: all of ``axis``, the first of the others."""
    key = tuple([slice(None) if i == axis else slice(n) for i, n in enumerate(shape)])
    return array[key] if key else array


def _int64(index: Array) -> Array:
    return np.ascontiguousarray(index, np.int64)


def _places(index: Array) -> Array:
    """The indices as unsigned numbers, which compiled code does not ask whether they count from the end."""
    return _int64(index).view(np.uint64)


def _words(array: Array) -> Array:
    return array.view(loops.WORDS[array.itemsize])


def _contiguous(out: Array) -> Array:
    return out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)


def _copy_back(target: Array, out: Array) -> None:
    if target is not out:
        out[...] = target
