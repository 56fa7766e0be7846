"""The dtypes that pyneural computes in, as NumPy dtypes.

bfloat16 comes from ``ml_dtypes``; without that package every other dtype still works.
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import ml_dtypes

    bfloat16: np.dtype[Any] | None = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # an offline GPU machine may lack it
    bfloat16 = None

float64 = np.dtype("float64")
float32 = np.dtype("float32")
float16 = np.dtype("float16")
int64 = np.dtype("int64")
int32 = np.dtype("int32")
int16 = np.dtype("int16")
int8 = np.dtype("int8")
uint8 = np.dtype("uint8")
bool_ = np.dtype("bool")

HALVES = (float16,) if bfloat16 is None else (float16, bfloat16)
FLOATS = (float64, float32, *HALVES)
INTEGERS = (int64, int32, int16, int8, uint8)
ALL = (*FLOATS, *INTEGERS, bool_)

_FLOAT_SET = frozenset(FLOATS)
_HALF_SET = frozenset(HALVES)


def is_floating(dtype: np.dtype[Any]) -> bool:
    """True for float64, float32, float16 and bfloat16."""
    return dtype in _FLOAT_SET


def is_half(dtype: np.dtype[Any]) -> bool:
    """True for the two 16-bit floating dtypes."""
    return dtype in _HALF_SET


def accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that sums and statistics of ``dtype`` are kept in: float32 for the halves, else itself."""
    return float32 if dtype in _HALF_SET else dtype


def extended_sum(values: Any, axis: Any, keepdims: bool = False) -> Any:
    """The sum, for a reference that kernels are held to: of float64 in extended precision where the machine has it.

    NumPy adds pairwise along contiguous memory only, and one after the other along the rest: 25 units off for 4,000
    exponentials, where a kernel is off by 3.
    """
    wide = np.longdouble if values.dtype == float64 else None
    return np.asarray(np.sum(values, axis=axis, keepdims=keepdims, dtype=wide)).astype(values.dtype)


def epsilon(dtype: np.dtype[Any]) -> float:
    """The distance from 1 to the next representable number."""
    if dtype == bfloat16:
        return 2.0**-7
    return float(np.finfo(dtype).eps)


def category(dtype: np.dtype[Any]) -> int:
    """0 for bool, 1 for integers, 2 for floating dtypes."""
    if dtype in _FLOAT_SET:
        return 2
    return 0 if dtype == bool_ else 1


_PROMOTED: dict[tuple[np.dtype[Any], np.dtype[Any]], np.dtype[Any]] = {}


def promote(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of an operation between dtypes ``a`` and ``b``, by PyTorch's table.

    Floating wins over integer, integer over bool; float16 with bfloat16 gives float32;
    an integer never widens a floating dtype.
    """
    key = (a, b)
    found = _PROMOTED.get(key)
    if found is None:
        rank_a, rank_b = category(a), category(b)
        if rank_a != rank_b:
            found = a if rank_a > rank_b else b
        elif a in _HALF_SET and b in _HALF_SET and a != b:
            found = float32
        elif a in _HALF_SET or b in _HALF_SET:
            found = b if a in _HALF_SET else a
        else:
            found = np.promote_types(a, b)
        _PROMOTED[key] = found
    return found
