"""Dimensions and strides as the kernels of ``numba_cuda`` take them: tuples of one length, for one compiled kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cuda_launch import joined
from .cuda_memory import empty
from .numba_launch import MAX_DIMS

Array = Any
Dims = tuple[int, ...]


def padded_dims(operation: str, shape: Sequence[int], *strides: Sequence[int]) -> tuple[Dims, list[Dims]]:
    """The shape with dimensions joined where all strides allow it, and those strides, in front of both ones and zeros.

    ``strides`` are each for its array's own trailing dimensions. Raises ValueError for more than `MAX_DIMS` dimensions.
    """
    dims = joined(shape, strides)
    if len(dims) > MAX_DIMS:
        raise ValueError(f"{operation}: strides that need {len(dims)} dimensions, more than {MAX_DIMS}")
    missing = MAX_DIMS - len(dims)
    steps = [(0,) * missing + tuple(each[number] for _, each in dims) for number in range(len(strides))]
    return (1,) * missing + tuple(n for n, _ in dims), steps


def nothing(like: Array) -> Array:
    """One element of memory, for a kernel's argument that it does not read."""
    return empty((1,), like.dtype, like=like)
