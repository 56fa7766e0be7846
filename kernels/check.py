"""Argument checks that contracts share. Each raises with the offending values in its message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .dtypes import is_floating

Array = Any


def floating(operation: str, **arrays: Array | None) -> None:
    """Raise TypeError unless every given array (None passes) has a floating dtype."""
    for name, array in arrays.items():
        if array is not None and not is_floating(array.dtype):
            raise TypeError(f"{operation}: {name} must have a floating dtype, not {array.dtype}")


def same_dtype(operation: str, **arrays: Array | None) -> None:
    """Raise TypeError unless all given arrays (None passes) have one dtype."""
    first = None
    for name, array in arrays.items():
        if array is None:
            continue
        if first is None:
            first = (name, array.dtype)
        elif array.dtype != first[1]:
            raise TypeError(f"{operation}: {first[0]} has dtype {first[1]} but {name} has dtype {array.dtype}")


def same_shape(operation: str, **arrays: Array | None) -> None:
    """Raise ValueError unless all given arrays (None passes) have one shape."""
    first = None
    for name, array in arrays.items():
        if array is None:
            continue
        if first is None:
            first = (name, array.shape)
        elif array.shape != first[1]:
            raise ValueError(f"{operation}: {first[0]} has shape {first[1]} but {name} has shape {array.shape}")


def shape(operation: str, name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise ValueError unless ``array.shape == expected``."""
    if array.shape != expected:
        raise ValueError(f"{operation}: {name} must have shape {expected}, not {array.shape}")


def ndim(operation: str, name: str, array: Array, expected: int) -> None:
    """Raise ValueError unless the array has ``expected`` dimensions."""
    if len(array.shape) != expected:
        raise ValueError(
            f"{operation}: {name} must have {expected} dimensions, not {len(array.shape)} (shape {tuple(array.shape)})"
        )


def broadcast(operation: str, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that ``a`` and ``b`` broadcast to; ValueError where they do not."""
    if a == b:
        return a
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise ValueError(f"{operation}: shapes {tuple(a)} and {tuple(b)} cannot be broadcast together") from None


def dim(operation: str, value: Any, ndim: int, name: str = "dim") -> int:
    """``value`` as a dimension in ``[0, ndim)``; a 0-d array has one dimension to name, 0 or -1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{operation}: {name} must be an int, not {type(value).__name__}")
    limit = max(ndim, 1)
    if not -limit <= value < limit:
        raise IndexError(f"{operation}: {name} (={value}) must be in [{-limit}, {limit - 1}] for {ndim} dimensions")
    return int(value) % limit


def dims(operation: str, value: Any, ndim: int) -> tuple[int, ...]:
    """``value`` (None or an empty sequence for all, an int or a sequence) as sorted distinct dimensions."""
    if value is None:
        return tuple(range(ndim))
    found: tuple[int, ...]
    if isinstance(value, (int, np.integer)):
        found = (dim(operation, value, ndim),)
    elif not value:
        found = tuple(range(ndim))
    else:
        found = tuple(sorted(dim(operation, each, ndim) for each in value))
        if len(set(found)) != len(found):
            raise ValueError(f"{operation}: dim (={tuple(value)}) names a dimension twice")
    # A 0-d array may be reduced over its pretended dimension 0.
    return found if ndim else ()


def reduced_shape(shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """The shape left of ``shape`` when ``dims`` are reduced."""
    if keepdim:
        return tuple(1 if i in dims else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in dims)


def pair(operation: str, name: str, value: Any, minimum: int) -> tuple[int, int]:
    """``value`` (an int, a sequence of one, or of two) as two ints, each at least ``minimum``."""
    if type(value) is int and value >= minimum:  # the usual case, decided at once
        return value, value
    values: Sequence[Any] = (value, value) if isinstance(value, (int, np.integer)) else value
    if isinstance(values, (tuple, list)) and len(values) == 1:
        values = (values[0], values[0])
    if (
        not isinstance(values, (tuple, list))
        or len(values) != 2
        or not all(isinstance(v, (int, np.integer)) for v in values)
    ):
        raise TypeError(f"{operation}: {name} (={value!r}) must be an int or two ints")
    if min(values) < minimum:
        raise ValueError(f"{operation}: {name} (={value!r}) must be at least {minimum}")
    return int(values[0]), int(values[1])
