"""Advanced indexing: what a key selects, as offsets into a C-contiguous array.

A key with index arrays takes NumPy's meaning. The dimensions that its slices, None and ellipsis
leave form the outer and the inner part of the result; all its index arrays and integers, broadcast
together, form the middle part. Where something stands between two of them the middle comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cuda_memory import is_array

Array = Any
Axis = tuple[int, int]  # size, stride in elements


@dataclass(frozen=True)
class Selection:
    """Element (o, k, i, j) of the result is element ``outer[o] + index[k] + inner[i] + j`` of the array.

    Attributes:
        shape: the result's shape; its size is ``len(outer) * len(index) * len(inner) * block``.
        outer, index, inner: int64 offsets.
        block: how many elements lie next to each other.
    """

    shape: tuple[int, ...]
    outer: Array
    index: Array
    inner: Array
    block: int


@dataclass
class Parsed:
    """The parts of a key: the dimensions that stay before and after those that its arrays index.

    Attributes:
        before, after: size and stride of each such dimension.
        start: the place of the first element that the slices leave.
        arrays: index array, dimension, its size and its stride.
        index_shape: what the index arrays broadcast to.
    """

    before: list[Axis]
    after: list[Axis]
    start: int
    arrays: list[tuple[Array, int, int, int]]
    index_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*(n for n, _ in self.before), *self.index_shape, *(n for n, _ in self.after))


def selected_shape(operation: str, shape: tuple[int, ...], key: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of ``x[key]`` for ``x`` of ``shape``; TypeError, ValueError or IndexError for a bad key."""
    parsed = parse(operation, shape, key)
    for array, dim, size, _ in parsed.arrays:
        if array.size and isinstance(
            array, np.ndarray
        ):  # of a GPU's the host knows no element: see docs/architecture.md
            low, high = int(array.min()), int(array.max())
            if low < -size or high >= size:
                bad = low if low < -size else high
                raise IndexError(f"{operation}: index {bad} is out of range for dimension {dim} of size {size}")
    return parsed.shape


def select(operation: str, shape: tuple[int, ...], key: tuple[Any, ...]) -> Selection:
    """The `Selection` of a key that `selected_shape` has passed."""
    parsed = parse(operation, shape, key)
    index: Array = np.full(parsed.index_shape, parsed.start, np.int64)
    for array, _, size, stride in parsed.arrays:
        index += np.where(array < 0, array + size, array) * stride
    after, block = list(parsed.after), 1
    while after and (after[-1][0] == 1 or after[-1][1] == block):
        block *= after.pop()[0]
    return Selection(parsed.shape, _offsets(parsed.before), index.reshape(-1), _offsets(after), block)


def _offsets(axes: list[Axis]) -> Array:
    """The offsets of all elements of an array with these axes, in C order."""
    result = np.zeros(1, np.int64)
    for size, stride in axes:
        result = (result[:, None] + np.arange(size, dtype=np.int64) * stride).reshape(-1)
    return result


def parse(
    operation: str,
    shape: tuple[int, ...],
    key: tuple[Any, ...],
    integers: Callable[..., list[Array]] | None = None,
    strides: Sequence[int] | None = None,
) -> Parsed:
    """The parts of a key. ``integers`` stands in for `_integers`, ``strides`` for those of a contiguous array."""
    integers = integers or _integers
    strides = strides or [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    axes: list[Axis] = []
    arrays: list[tuple[Array, int, int, int]] = []
    splits: list[int] = []  # for each index array, how many axes stand before it
    separators: list[int] = []  # for each index array, how many slices, Nones and ellipses do
    start = dim = separated = 0
    for item in _complete(operation, shape, key):
        if item is None:
            axes.append((1, 0))
            separated += 1
        elif item is Ellipsis:
            separated += 1
        elif isinstance(item, slice):
            first, _, step = item.indices(shape[dim])
            count = len(range(*item.indices(shape[dim])))
            axes.append((count, step * strides[dim]))
            start += first * strides[dim] if count else 0
            separated += 1
            dim += 1
        else:
            for array in integers(operation, item, shape, dim):
                arrays.append((array, dim, shape[dim], strides[dim]))
                splits.append(len(axes))
                separators.append(separated)
                dim += 1
    try:
        index_shape = np.broadcast_shapes(*(array.shape for array, *_ in arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array, *_ in arrays)
        raise ValueError(f"{operation}: index arrays of shapes {shapes} cannot be broadcast together") from None
    split = splits[0] if separators[0] == separators[-1] else 0
    return Parsed(axes[:split], axes[split:], start, arrays, index_shape)


def _complete(operation: str, shape: tuple[int, ...], key: tuple[Any, ...]) -> list[Any]:
    """The key with its ellipsis, or its end, followed by the full slices it stands for."""
    if not isinstance(key, tuple):
        raise TypeError(f"{operation}: key must be a tuple, not {type(key).__name__}")
    used, ellipses, has_array = 0, 0, False
    for item in key:
        if is_array(item):
            has_array = True
            used += item.ndim if item.dtype == np.bool_ else 1
            if item.dtype != np.bool_ and not np.issubdtype(item.dtype, np.integer):
                raise TypeError(f"{operation}: an index array must hold integers or bools, not {item.dtype}")
            if item.dtype == np.bool_ and item.ndim == 0:
                raise TypeError(f"{operation}: a boolean index array must have at least one dimension")
        elif item is Ellipsis:
            ellipses += 1
        elif isinstance(item, (slice, int, np.integer)) and not isinstance(item, bool):
            used += 1
        elif item is not None:
            raise TypeError(
                f"{operation}: key must hold ints, slices, None, ... and integer or bool arrays, "
                f"not {type(item).__name__}"
            )
    if not has_array:
        raise TypeError(f"{operation}: key must hold at least one array")
    if ellipses > 1:
        raise IndexError(f"{operation}: key holds {ellipses} ellipses, at most one is allowed")
    if used > len(shape):
        raise IndexError(f"{operation}: key has {used} indices but the array has {len(shape)} dimensions")
    rest = [slice(None)] * (len(shape) - used)
    items: list[Any] = []
    for item in key:
        items.append(item)
        if item is Ellipsis:
            items.extend(rest)
    return items if ellipses else [*items, *rest]


def _integers(operation: str, item: Any, shape: tuple[int, ...], dim: int) -> list[Array]:
    """An int, an integer array or a bool array as int64 arrays, one for each dimension it indexes."""
    if not is_array(item):
        return [np.asarray(item, np.int64)]
    if item.dtype != np.bool_:
        return [item.astype(np.int64, copy=False) if isinstance(item, np.ndarray) else item]
    expected = tuple(shape[dim : dim + item.ndim])
    if item.shape != expected:
        raise IndexError(
            f"{operation}: a boolean index array at dimension {dim} must have shape {expected}, not {item.shape}"
        )
    if isinstance(item, np.ndarray):
        return list(np.nonzero(item))
    from .cuda_index import coordinates

    return coordinates(item)
