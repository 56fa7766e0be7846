"""Python values to the parameters of a kernel, checked against its own C signature."""

from __future__ import annotations

import ctypes
import operator
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .runtime import Argument
from .tensor_map import TensorMap

SCALAR, POINTER, STRUCT = 0, 1, 2

_DTYPES = {
    "b1": "bool", "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32",
    "i8": "int64", "u8": "uint64", "f4": "float32", "f8": "float64", "half": "float16", "bfloat16": "bfloat16",
}  # fmt: skip
_C_NAMES = {
    "bool": "bool", "int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
    "int32": "int", "uint32": "unsigned int", "int64": "long long", "uint64": "unsigned long long",
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "nv_bfloat16",
}  # fmt: skip
_FORMATS = {
    "b1": "?",
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
    "half": "e",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel, as the compiler understood it."""

    name: str
    kind: int
    type: str
    """Element type: a key of the dtype table, "void" or "struct"."""
    size: int
    align: int
    element: int
    """Bytes of one element of the array behind a pointer."""
    constant: bool

    @classmethod
    def read(cls, record: Argument, name: str, position: int) -> Parameter:
        return cls(
            name or f"argument {position + 1}", record.kind, record.type.decode(), record.size, record.align,
            record.element, bool(record.constant),
        )  # fmt: skip

    @property
    def dtype(self) -> str | None:
        return _DTYPES.get(self.type)

    def __str__(self) -> str:
        base = _C_NAMES.get(self.dtype or "", self.type)
        if self.kind == POINTER and self.dtype and self.element > _width(self.type):
            base = f"{base}{self.element // _width(self.type)}"
        return f"{'const ' if self.constant else ''}{base}{'*' if self.kind == POINTER else ''} {self.name}"


def _width(kind: str) -> int:
    return 2 if kind in ("half", "bfloat16") else int(kind[1:])


class Buffer(NamedTuple):
    """An array argument: where it lies and how much of it there is."""

    position: int
    name: str
    array: Any
    element: int
    writable: bool
    offset: int = 0
    """Of its address in the parameter, in bytes."""


class Struct(NamedTuple):
    """A struct argument with pointers in it: a table of many arrays, passed by value.

    The addresses of ``arrays``, by their offsets in bytes, are written over ``value`` at the launch.
    """

    value: np.void
    arrays: dict[int, Any]

    def filled(self, address: Callable[[Any], int]) -> np.ndarray[Any, Any]:
        """The struct with all its addresses: an array of no dimension."""
        filled = np.array(self.value)
        data = filled.reshape(1).view(np.uint8)
        for offset, array in self.arrays.items():
            data[offset : offset + 8] = np.frombuffer(struct.pack("<Q", address(array)), np.uint8)
        return filled


def convert(
    kernel: str, parameters: list[Parameter], values: tuple[Any, ...], *, gpu: bool = False
) -> tuple[list[bytes], list[Buffer]]:
    """The bytes of each parameter (zeros for arrays: their address is filled in later) and the arrays.

    Arrays are NumPy's, or with ``gpu`` CuPy's.

    Raises TypeError for a wrong count, type or dtype, ValueError for a value or layout that does not fit.
    """
    if len(values) != len(parameters):
        wanted = ", ".join(str(p) for p in parameters)
        raise TypeError(f"{kernel}: takes {len(parameters)} arguments ({wanted}), got {len(values)}")
    data: list[bytes] = []
    buffers: list[Buffer] = []
    for position, (parameter, value) in enumerate(zip(parameters, values, strict=True)):
        if parameter.kind == POINTER:
            array = _array(kernel, parameter, value, gpu)
            if array is not None:
                buffers.append(
                    Buffer(position, parameter.name, array, _element(parameter, array), not parameter.constant)
                )
            data.append(bytes(8))
        elif gpu and isinstance(value, TensorMap) and parameter.kind == STRUCT and parameter.size == 128:
            if not is_gpu(value.array):
                raise TypeError(f"{kernel}: {parameter} got a tensor map of an array in host memory")
            data.append(value.encoded(int(value.array.data.ptr)).tobytes())
        elif isinstance(value, TensorMap) and parameter.kind == STRUCT and parameter.size == len(value.data):
            # The address of its array comes first, as that of any other is filled in.
            writable = value.array.flags.writeable
            buffers.append(Buffer(position, parameter.name, value.array, value.array.itemsize, writable))
            data.append(value.data)
        elif parameter.kind == SCALAR:
            data.append(_scalar(kernel, parameter, value))
        elif isinstance(value, Struct):
            data.append(_struct(kernel, parameter, value.value))
            for offset, array in value.arrays.items():
                if not (is_gpu(array) if gpu else isinstance(array, np.ndarray)) or not array.flags.c_contiguous:
                    kind = "arrays of a GPU" if gpu else "NumPy arrays"
                    raise TypeError(f"{kernel}: {parameter} takes contiguous {kind} at byte {offset}")
                name, writable = f"{parameter.name}+{offset}", gpu or array.flags.writeable
                buffers.append(Buffer(position, name, array, array.itemsize, writable, offset))
        else:
            data.append(_struct(kernel, parameter, value))
    return data, buffers


def _element(parameter: Parameter, array: np.ndarray[Any, Any]) -> int:
    """Findings count in the array's elements, but in float4 where the kernel asked for float4."""
    return array.dtype.itemsize if parameter.type == "void" else parameter.element


def is_gpu(value: Any) -> bool:
    """Whether a value is an array of a GPU."""
    return not isinstance(value, np.ndarray) and hasattr(type(value), "__cuda_array_interface__")


def _array(kernel: str, parameter: Parameter, value: Any, gpu: bool) -> Any:
    if value is None:
        return None
    if gpu and isinstance(value, np.ndarray):
        raise TypeError(f"{kernel}: {parameter} lies in host memory; a kernel on a GPU takes cupy.asarray(it)")
    if gpu and not is_gpu(value):
        raise TypeError(f"{kernel}: {parameter} takes an array of CuPy's, got {type(value).__name__}")
    if not gpu and is_gpu(value):
        raise TypeError(f"{kernel}: {parameter} got an array of a GPU; a kernel in the simulator takes NumPy arrays")
    if not gpu and not isinstance(value, np.ndarray):
        raise TypeError(f"{kernel}: {parameter} takes a NumPy array, got {type(value).__name__}")
    if not _matches(parameter, value.dtype):
        wanted = parameter.dtype or f"elements of {parameter.element} bytes"
        raise TypeError(f"{kernel}: {parameter} takes an array of {wanted}, got {value.dtype}")
    if not value.flags.c_contiguous:
        raise ValueError(
            f"{kernel}: {parameter} must be C-contiguous, got shape {value.shape} with strides {value.strides}"
        )
    if not gpu and not parameter.constant and not value.flags.writeable:
        raise ValueError(f"{kernel}: {parameter} is written by the kernel, but the array is read-only")
    return value


def _matches(parameter: Parameter, dtype: np.dtype[Any]) -> bool:
    if parameter.type == "void":
        return True
    if parameter.type == "struct":
        return bool(dtype.itemsize == parameter.element or dtype == np.uint8)
    if dtype.kind == "c":  # complex64 is a float2
        return (parameter.type, parameter.element, dtype.itemsize) in (("f4", 8, 8), ("f8", 16, 16))
    if dtype.kind == "V" and dtype.names:
        return bool(dtype.itemsize == parameter.element)
    return bool(dtype.name == parameter.dtype)


def _scalar(kernel: str, parameter: Parameter, value: Any) -> bytes:
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(f"{kernel}: {parameter} takes a scalar, got an array of shape {value.shape}")
    kind = parameter.type
    try:
        if kind == "bfloat16":
            bits = struct.unpack("<I", struct.pack("<f", float(value)))[0]
            return struct.pack("<H", (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF)
        if kind in ("f4", "f8", "half"):
            if isinstance(value, str | bytes):
                raise TypeError
            if kind == "f4":  # a double out of range becomes infinity, as in C
                with np.errstate(over="ignore"):
                    return bytes(np.float32(value).tobytes())
            return struct.pack(f"<{_FORMATS[kind]}", float(value))
        if kind == "b1":
            return struct.pack("<?", bool(value))
        return struct.pack(
            f"<{_FORMATS[kind]}", operator.index(value.item() if isinstance(value, np.generic | np.ndarray) else value)
        )
    except TypeError:
        raise TypeError(
            f"{kernel}: {parameter} takes {'an integer' if kind[0] in 'iu' else 'a number'}, got {value!r}"
        ) from None
    except (struct.error, OverflowError):
        raise ValueError(f"{kernel}: {parameter} cannot hold {value!r}") from None


def _struct(kernel: str, parameter: Parameter, value: Any) -> bytes:
    if isinstance(value, ctypes.Structure):
        data = bytes(value)
    elif isinstance(value, np.ndarray | np.generic):
        data = value.tobytes()
    elif isinstance(value, bytes):
        data = value
    elif isinstance(value, tuple) and parameter.type in _FORMATS and all(isinstance(v, int | float) for v in value):
        data = struct.pack(f"<{len(value)}{_FORMATS[parameter.type]}", *value)
        data = data.ljust(parameter.size, b"\0") if parameter.size % 16 == 0 and len(value) == 3 else data
    else:
        raise TypeError(
            f"{kernel}: {parameter} takes a structured scalar, ctypes.Structure or bytes, got {type(value).__name__}"
        )
    if len(data) != parameter.size:
        raise ValueError(f"{kernel}: {parameter} takes {parameter.size} bytes, got {len(data)}")
    return data
