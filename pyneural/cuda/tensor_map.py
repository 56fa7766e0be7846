"""Tensor maps, which kernels with TMA take as `const __grid_constant__ CUtensorMap`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import runtime

_TYPES = {
    "uint8": 0, "int8": 0, "bool": 0, "uint16": 1, "int16": 1, "uint32": 2, "int32": 3, "uint64": 4, "int64": 5,
    "float16": 6, "float32": 7, "float64": 8, "bfloat16": 9,
}  # fmt: skip
_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
_L2_256_BYTES = 3  # CU_TENSOR_MAP_L2_PROMOTION_L2_256B
BYTES = 128


class Encoding(NamedTuple):
    """What cuTensorMapEncodeTiled is given besides the address, dimensions innermost first."""

    type: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    """In bytes, of all dimensions but the innermost."""
    box: tuple[int, ...]
    steps: tuple[int, ...]
    swizzle: int
    fill_nan: int

    def arguments(self, address: int) -> list[Any]:
        """The parameters of cuTensorMapEncodeTiled from the data type to the element strides."""
        return [
            self.type, len(self.sizes), ctypes.c_void_p(address), (ctypes.c_ulonglong * len(self.sizes))(*self.sizes),
            (ctypes.c_ulonglong * max(len(self.strides), 1))(*self.strides), (ctypes.c_uint * len(self.box))(*self.box),
            (ctypes.c_uint * len(self.steps))(*self.steps),
        ]  # fmt: skip


class TensorMap:
    """An array and the boxes in which TMA copies it; see `tensor_map`."""

    def __init__(self, array: Any, encoding: Encoding, data: bytes = b"") -> None:
        self.array = array
        self.encoding = encoding
        self.data = data
        """Of the simulator's map; empty for an array of a GPU."""

    @property
    def arrays(self) -> dict[int, Any]:
        """The one array, as a `Struct` has its own."""
        return {0: self.array}

    def encoded(self, address: int) -> np.ndarray[Any, Any]:
        """The map as the driver of an NVIDIA GPU encodes it: 128 bytes, an array of no dimension.

        Raises ValueError where the driver refuses it.
        """
        storage = ctypes.create_string_buffer(BYTES + 64)
        place = -(-ctypes.addressof(storage) // 64) * 64
        status = driver().cuTensorMapEncodeTiled(
            ctypes.c_void_p(place), *self.encoding.arguments(address),
            0, self.encoding.swizzle, _L2_256_BYTES, self.encoding.fill_nan,
        )  # fmt: skip
        if status:
            raise ValueError(f"tensor_map: cuTensorMapEncodeTiled refused {self.encoding} (error {status})")
        return np.frombuffer(ctypes.string_at(place, BYTES), f"V{BYTES}").reshape(())


@functools.cache
def driver() -> Any:
    """NVIDIA's driver library. OSError where there is none."""
    import sys

    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def _gpu(array: Any) -> bool:
    return not isinstance(array, np.ndarray) and hasattr(array, "__cuda_array_interface__")


def tensor_map(
    array: Any,
    box: Sequence[int],
    *,
    swizzle: int = 0,
    element_strides: Sequence[int] | None = None,
    fill_nan: bool = False,
) -> TensorMap:
    """A tensor map of an array of NumPy's or CuPy's, as cuTensorMapEncodeTiled makes it.

    `array` has one to five dimensions, the last one contiguous; `box` has its order, as NumPy's shapes do (the
    coordinates in the kernel are innermost first). `swizzle` is 0, 32, 64 or 128 bytes. Loads fill what lies outside
    with zeros, or with NaN.

    Raises TypeError for an array or dtype that TMA cannot copy, ValueError for shapes, strides and boxes it cannot;
    of a GPU's array, at the launch where only the driver knows.
    """
    if not (isinstance(array, np.ndarray) or _gpu(array)) or array.dtype.name not in _TYPES:
        kind = array.dtype.name if hasattr(array, "dtype") else type(array).__name__
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
    encoding = Encoding(
        _TYPES[array.dtype.name], array.shape[::-1], array.strides[-2::-1] if array.ndim > 1 else (),
        tuple(box)[::-1], tuple(steps)[::-1], _SWIZZLES[swizzle], int(fill_nan),
    )  # fmt: skip
    if _gpu(array):
        return TensorMap(array, encoding)
    data = (ctypes.c_char * BYTES)()
    # The address is filled in when a kernel is launched; a checked launch moves the array, to where it is aligned.
    arguments = encoding.arguments(array.ctypes.data)
    wrong = runtime.library().pnsim_tensor_map(data, *arguments, 0, encoding.swizzle, encoding.fill_nan)
    if wrong:
        raise ValueError(f"tensor_map: {wrong.decode()} (dimensions counted from the last)")
    return TensorMap(_memory_of(array), encoding, bytes(data))


def _memory_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, or all memory from its first to its last element where others lie between."""
    if array.flags.c_contiguous:
        return array
    reach = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)) + array.itemsize
    count, step = reach // array.itemsize, array.itemsize
    return np.lib.stride_tricks.as_strided(array, (count,), (step,), writeable=array.flags.writeable)
