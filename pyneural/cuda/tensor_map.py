"""Tensor maps, which kernels with TMA take as `const __grid_constant__ CUtensorMap`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import runtime

_TYPES = {
    "uint8": 0, "int8": 0, "bool": 0, "uint16": 1, "int16": 1, "uint32": 2, "int32": 3, "uint64": 4, "int64": 5,
    "float16": 6, "float32": 7, "float64": 8, "bfloat16": 9,
}  # fmt: skip
_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}


class TensorMap:
    """An array and the boxes in which TMA copies it; see `tensor_map`."""

    def __init__(self, array: np.ndarray[Any, Any], data: bytes) -> None:
        self.array = array
        self.data = data


def tensor_map(
    array: np.ndarray[Any, Any],
    box: Sequence[int],
    *,
    swizzle: int = 0,
    element_strides: Sequence[int] | None = None,
    fill_nan: bool = False,
) -> TensorMap:
    """A tensor map of an array for the simulator, as cuTensorMapEncodeTiled makes it.

    `array` has one to five dimensions, the last one contiguous; `box` has its order, as NumPy's shapes do (the
    coordinates in the kernel are innermost first). `swizzle` is 0, 32, 64 or 128 bytes. Loads fill what lies outside
    with zeros, or with NaN.

    Raises TypeError for an array or dtype that TMA cannot copy, ValueError for shapes, strides and boxes it cannot.
    """
    if not isinstance(array, np.ndarray) or array.dtype.name not in _TYPES:
        kind = array.dtype.name if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"tensor_map: array must be a NumPy array of one of {', '.join(_TYPES)}, got {kind}")
    steps = [1] * array.ndim if element_strides is None else list(element_strides)
    if len(box) != array.ndim or len(steps) != array.ndim:
        raise ValueError(
            f"tensor_map: box (={tuple(box)}) and element_strides must have the {array.ndim} dimensions of the array"
        )
    if swizzle not in _SWIZZLES:
        raise ValueError(f"tensor_map: swizzle (={swizzle}) must be 0, 32, 64 or 128 bytes")
    if array.ndim and array.strides[-1] != array.itemsize:
        raise ValueError(f"tensor_map: the last dimension must be contiguous, got strides {array.strides}")
    if any(stride < 0 for stride in array.strides):
        raise ValueError(f"tensor_map: strides {array.strides} must not be negative")
    data = (ctypes.c_char * 128)()
    rank = array.ndim
    wrong = runtime.library().pnsim_tensor_map(
        data, _TYPES[array.dtype.name], rank,
        # The address is filled in when a kernel is launched; a checked launch moves the array, to where it is aligned.
        array.ctypes.data,
        (ctypes.c_ulonglong * rank)(*array.shape[::-1]),
        (ctypes.c_ulonglong * rank)(*array.strides[-2::-1] if rank > 1 else ()),
        (ctypes.c_uint * rank)(*list(box)[::-1]), (ctypes.c_uint * rank)(*steps[::-1]),
        0, _SWIZZLES[swizzle], int(fill_nan),
    )  # fmt: skip
    if wrong:
        raise ValueError(f"tensor_map: {wrong.decode()} (dimensions counted from the last)")
    return TensorMap(array, bytes(data))
