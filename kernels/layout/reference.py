"""Moving elements in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any


def cat(arrays: Any, *, dim: int) -> Array:
    return np.concatenate(arrays, axis=dim)


def flip(x: Array, *, dims: Any) -> Array:
    return np.flip(x, dims if x.ndim else ()).copy()


def roll(x: Array, *, shifts: Any, dims: Any = None) -> Array:
    return np.roll(x, shifts if dims is not None or isinstance(shifts, (int, np.integer)) else shifts[0], dims)


def tril(x: Array, *, diagonal: int = 0) -> Array:
    return np.where(np.tri(x.shape[-2], x.shape[-1], diagonal, np.bool_), x, x.dtype.type(0))


def triu(x: Array, *, diagonal: int = 0) -> Array:
    return np.where(np.tri(x.shape[-2], x.shape[-1], diagonal - 1, np.bool_), x.dtype.type(0), x)


def index(x: Array, *, key: Any) -> Array:
    return x[key]


def index_backward(grad: Array, *, key: Any, input_shape: tuple[int, ...]) -> Array:
    result = np.zeros(input_shape, dtypes.accumulator(grad.dtype))
    np.add.at(result, key, grad.astype(result.dtype))
    return result.astype(grad.dtype)


def index_put(x: Array, values: Array, *, key: Any, accumulate: bool = False) -> None:
    if not accumulate:
        x[_in_order(key)] = values
        return
    wide = x.astype(dtypes.accumulator(x.dtype))
    np.add.at(wide, key, values.astype(wide.dtype))
    x[...] = wide.astype(x.dtype)


def _in_order(key: Any) -> Any:
    """The key with its integer arrays broadcast and contiguous: NumPy goes through others in the order of memory."""
    parts = key if isinstance(key, tuple) else (key,)
    is_numbers = [isinstance(each, np.ndarray) and each.dtype != dtypes.bool_ for each in parts]
    shape = np.broadcast_shapes(*(each.shape for each, yes in zip(parts, is_numbers, strict=True) if yes))
    return tuple(
        np.array(np.broadcast_to(each, shape), order="C") if yes else each
        for each, yes in zip(parts, is_numbers, strict=True)
    )
