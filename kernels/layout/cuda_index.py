"""Advanced indexing on CUDA: what a key names, computed where its index arrays are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, contiguous, copy, empty, flat_grid, flat_memory, launch, layout_of, size, written
from ..cuda_memory import broadcast, scalar
from ..dtypes import bool_, int64
from ..embedding.cuda_add import add_slices
from ..embedding.cuda_selection import as_index, as_int64, put, take
from ..scan import cuda as scan
from .keys import Parsed, parse

Array = Any


class _Number(np.ndarray):
    """An int of a key: it is added to all places, wherever the index arrays beside it are."""


def index(x: Array, *, key: Any, out: Array) -> None:
    if out.size == 0:
        return
    memory_of, start, strides = flat_memory(x)
    parsed = parse("index", x.shape, key, _integers, strides)
    with written(out) as result:
        places, length, step, first = _places("index", parsed)
        begin = start + parsed.start + first
        take("index", memory_of, begin, parsed.before, places, length, step, parsed.after, result)


def index_backward(grad: Array, *, key: Any, input_shape: tuple[int, ...], out: Array) -> None:
    if out.size == 0:
        return
    parsed = parse("index_backward", input_shape, key, _integers)
    with written(out) as result:
        if _is_one_dimension(parsed, input_shape):
            array, dim, length, _ = parsed.arrays[0]
            places = _sum_places("index_backward", parsed.index_shape, [(array, length, 1)])
            add_slices(grad, places, size(input_shape[:dim]), -1, False, length, result)
            return
        launch("embedding_add", "zeros", out.dtype, flat_grid(out.size * out.itemsize // 4), BLOCK, result, out.size)
        _put("index_backward", result, parsed, grad, True)


def index_put(x: Array, values: Array, *, key: Any, accumulate: bool = False) -> None:
    if x.size == 0:
        return
    parsed = parse("index_put", x.shape, key, _integers)
    target = contiguous(x)
    _put("index_put", target, parsed, values, bool(accumulate))
    if target is not x:
        copy(target, x)


def _is_one_dimension(parsed: Parsed, shape: tuple[int, ...]) -> bool:
    """Whether a key is one index array among whole dimensions."""
    if len(parsed.arrays) != 1:
        return False
    strides = [size(shape[d + 1 :]) for d in range(len(shape))]
    whole, dim = list(zip(shape, strides, strict=True)), parsed.arrays[0][1]
    return parsed.start == 0 and parsed.before == whole[:dim] and parsed.after == whole[dim + 1 :]


def _put(operation: str, x: Array, parsed: Parsed, values: Array, accumulate: bool) -> None:
    if 0 in parsed.shape:
        return
    places, length, step, first = _places(operation, parsed)
    if (length, step) != (0, 1):
        places = _sum_places(operation, parsed.index_shape, [(places.reshape(parsed.index_shape), length, step)])
    memory_of, start, strides = _broadcast(values, parsed)
    begin, unit = parsed.start + first, math.gcd(*(stride for *_, stride in parsed.arrays))
    put(operation, x, begin, parsed.before, places, unit, parsed.after, memory_of, start, strides, accumulate)


def _broadcast(values: Array, parsed: Parsed) -> tuple[Array, int, tuple[Sequence[int], int, Sequence[int]]]:
    """Memory, first element and strides of values that broadcast to the key's shape; its index dimensions as one."""
    memory_of, start, steps = flat_memory(values)
    missing = len(parsed.shape) - values.ndim
    strides = [0] * missing + [0 if n == 1 else step for n, step in zip(values.shape, steps, strict=True)]
    first, last = len(parsed.before), len(parsed.before) + len(parsed.index_shape)
    axes = [(n, step) for n, step in zip(parsed.index_shape, strides[first:last], strict=True) if n > 1]
    if any(outer[1] != inner[1] * inner[0] for outer, inner in itertools.pairwise(axes)):
        copied = empty(parsed.shape, values.dtype, like=values)
        copy(broadcast(values, parsed.shape), copied)
        return _broadcast(copied, parsed)
    return memory_of, start, (strides[:first], axes[-1][1] if axes else 0, strides[last:])


def _integers(operation: str, item: Any, shape: tuple[int, ...], dim: int) -> list[Array]:
    """An int, an integer array or a mask as index arrays, one for each dimension that it stands for."""
    if isinstance(item, (int, np.integer)):
        return [np.asarray(item, np.int64).view(_Number)]
    return coordinates(item) if item.dtype == bool_ else [item]


def coordinates(mask: Array) -> list[Array]:
    """Where a mask is true, in C order: int64 of one dimension, for each dimension of the mask.

    How many there are decides the shape of a result, so on a GPU this waits for the count.
    """
    if mask.size == 0:
        return [empty((0,), int64, like=mask) for _ in range(mask.ndim)]
    flat = contiguous(mask).reshape(-1)
    up_to = empty((mask.size,), int64, like=mask)
    scan.cumsum(flat, dim=0, out=up_to)
    count = scalar(up_to[-1:])
    found = [empty((count,), int64, like=mask) for _ in range(mask.ndim)]
    for d, each in enumerate(found):
        behind = size(mask.shape[d + 1 :])
        arguments = (flat, up_to, each, mask.size, mask.shape[d], behind)
        if count:
            launch("embedding", "true_coordinates", None, flat_grid(mask.size), BLOCK, *arguments)
    return found


def _places(operation: str, parsed: Parsed) -> tuple[Array, int, int, int]:
    """One list of indices, contiguous, the length and step of what they stand for, and what is added to all."""
    arrays, start = [], 0
    for array, _, length, step in parsed.arrays:
        if isinstance(array, _Number):
            number = int(array)
            start += (number + length if number < 0 else number) * step
        else:
            arrays.append((array, length, step))
    if len(arrays) == 1 and arrays[0][0].shape == parsed.index_shape:
        array, length, step = arrays[0]
        return as_index(array), length, step, start
    return _sum_places(operation, parsed.index_shape, arrays), 0, 1, start


def _sum_places(operation: str, shape: tuple[int, ...], arrays: Sequence[tuple[Array, int, int]]) -> Array:
    """The places that several index arrays, each with its length and step, name together."""
    result = empty(shape, int64, like=arrays[0][0])
    for number, (array, length, step) in enumerate(arrays):
        given = array if array.dtype.name in ("int32", "int64") else as_int64(array)
        at, (memory_of,) = layout_of(operation, shape, given)
        name = f"add_places_{given.dtype.name}"
        arguments = (at, memory_of, length, step, result, result.size, number == 0)
        launch("embedding", name, None, flat_grid(result.size), BLOCK, *arguments)
    return result
