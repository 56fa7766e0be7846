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
    steps: tuple[int, ...]
    swizzle: int
    fill_nan: int
    box: tuple[int, ...] = ()
    column: tuple[tuple[int, ...], tuple[int, ...], int, int] | None = None
    """Or cuTensorMapEncodeIm2col: lower and upper corner, channels and pixels."""

    @property
    def function(self) -> str:
        """The driver's function that makes this map."""
        return "cuTensorMapEncodeTiled" if self.column is None else "cuTensorMapEncodeIm2col"

    def arguments(self, address: int) -> list[Any]:
        """The function's parameters from the data type to the element strides."""
        arguments = [
            self.type, len(self.sizes), ctypes.c_void_p(address), (ctypes.c_ulonglong * len(self.sizes))(*self.sizes),
            (ctypes.c_ulonglong * max(len(self.strides), 1))(*self.strides),
        ]  # fmt: skip
        if self.column is None:
            arguments.append((ctypes.c_uint * len(self.box))(*self.box))
        else:
            lower, upper, channels, pixels = self.column
            arguments += [(ctypes.c_int * len(each))(*each) for each in (lower, upper)]
            arguments += [channels, pixels]
        return [*arguments, (ctypes.c_uint * len(self.steps))(*self.steps)]


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
        status = getattr(driver(), self.encoding.function)(
            ctypes.c_void_p(place), *self.encoding.arguments(address),
            0, self.encoding.swizzle, _L2_256_BYTES, self.encoding.fill_nan,
        )  # fmt: skip
        if status:
            raise ValueError(f"tensor_map: {self.encoding.function} refused {self.encoding} (error {status})")
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
    encoding = _encoding("tensor_map", array, swizzle, element_strides, fill_nan)
    if len(box) != array.ndim:
        raise ValueError(f"tensor_map: box (={tuple(box)}) must have the {array.ndim} dimensions of the array")
    return _made("tensor_map", array, encoding._replace(box=tuple(box)[::-1]))


def tensor_map_im2col(
    array: Any,
    channels: int,
    pixels: int,
    lower_corner: Sequence[int],
    upper_corner: Sequence[int],
    *,
    swizzle: int = 0,
    element_strides: Sequence[int] | None = None,
    fill_nan: bool = False,
) -> TensorMap:
    """A tensor map of images (N, W, C), (N, H, W, C) or (N, D, H, W, C) for loads in im2col mode.

    A load takes a column of `pixels` pixels, `channels` of each. They follow one another along W, H, D and N, with the
    steps of `element_strides`, within a bounding box: from `lower_corner` to the last pixel plus `upper_corner`, both
    in the array's order. For a convolution these are minus the padding, and the padding minus
    (kernel_size - 1) * dilation; the load's offsets are then a tap times the dilation. What lies outside of the images
    is zero, or NaN.

    Raises TypeError and ValueError as `tensor_map` does.
    """
    name = "tensor_map_im2col"
    encoding = _encoding(name, array, swizzle, element_strides, fill_nan)
    if not 3 <= array.ndim <= 5 or len(lower_corner) != array.ndim - 2 or len(upper_corner) != array.ndim - 2:
        raise ValueError(
            f"{name}: lower_corner (={tuple(lower_corner)}) and upper_corner (={tuple(upper_corner)}) must have the 1 "
            f"to 3 dimensions between the first and the last of the array's {array.ndim}"
        )
    column = (tuple(lower_corner)[::-1], tuple(upper_corner)[::-1], channels, pixels)
    return _made(name, array, encoding._replace(column=column))


def _encoding(name: str, array: Any, swizzle: int, steps: Sequence[int] | None, fill_nan: bool) -> Encoding:
    """All but what is copied at once."""
    if not (isinstance(array, np.ndarray) or _gpu(array)) or array.dtype.name not in _TYPES:
        kind = array.dtype.name if hasattr(array, "dtype") else type(array).__name__
        raise TypeError(f"{name}: array must be a NumPy array of one of {', '.join(_TYPES)}, got {kind}")
    steps = [1] * array.ndim if steps is None else list(steps)
    if len(steps) != array.ndim:
        raise ValueError(f"{name}: element_strides (={steps}) must have the {array.ndim} dimensions of the array")
    if swizzle not in _SWIZZLES:
        raise ValueError(f"{name}: swizzle (={swizzle}) must be 0, 32, 64 or 128 bytes")
    if array.ndim and array.strides[-1] != array.itemsize:
        raise ValueError(f"{name}: the last dimension must be contiguous, got strides {array.strides}")
    if any(stride < 0 for stride in array.strides):
        raise ValueError(f"{name}: strides {array.strides} must not be negative")
    return Encoding(
        _TYPES[array.dtype.name], array.shape[::-1], array.strides[-2::-1] if array.ndim > 1 else (),
        tuple(steps)[::-1], _SWIZZLES[swizzle], int(fill_nan),
    )  # fmt: skip


def _made(name: str, array: Any, encoding: Encoding) -> TensorMap:
    """A GPU's map is made at the launch; the simulator's now, and the launch fills the address in."""
    if _gpu(array):
        return TensorMap(array, encoding)
    data = (ctypes.c_char * BYTES)()
    library = runtime.library()
    encode = library.pnsim_tensor_map if encoding.column is None else library.pnsim_tensor_map_im2col
    # A checked launch moves the array, to where it is aligned.
    wrong = encode(data, *encoding.arguments(array.ctypes.data), 0, encoding.swizzle, encoding.fill_nan)
    if wrong:
        raise ValueError(f"{name}: {wrong.decode()} (dimensions counted from the last)")
    return TensorMap(_memory_of(array), encoding, bytes(data))


def _memory_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, or all memory from its first to its last element where others lie between."""
    if array.flags.c_contiguous:
        return array
    reach = sum((n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)) + array.itemsize
    count, step = reach // array.itemsize, array.itemsize
    return np.lib.stride_tricks.as_strided(array, (count,), (step,), writeable=array.flags.writeable)
