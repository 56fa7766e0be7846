"""Compiled code of the stand-in, and its launches: every argument as the bytes that CuPy would pass."""

from __future__ import annotations

import ctypes
import json
import pathlib
import struct
import sys
from typing import Any

import numpy as np

from . import graph, memory, nvrtc, runtime


class Driver:
    """What of NVIDIA's driver is called directly."""

    def cuTensorMapEncodeTiled(self, place: Any, *arguments: Any) -> int:
        from pyneural.cuda import runtime as simulator

        *described, interleave, swizzle, _, fill = arguments
        data = (ctypes.c_char * 128)()
        if simulator.library().pnsim_tensor_map(data, *described, interleave, swizzle, fill):
            return 1
        ctypes.memmove(place, data, 128)
        return 0


class Loaded:
    """The simulator's module of a source."""

    def __init__(self, given: dict[str, Any]) -> None:
        from pyneural.cuda.module import Module, gather, host_options

        # The package has a function of the module's name.
        sys.modules["pyneural.cuda.tensor_map"].driver = Driver  # type: ignore[attr-defined]
        options = [each for each in given["options"] if not each.startswith(("-I", "--device-as"))]
        folders = [pathlib.Path(each[2:]) for each in given["options"] if each.startswith("-I")]
        folders = [each for each in folders if not (each / "cuda_fp16.h").exists()]  # the simulator has its own
        sources = gather(given["text"], given["file"], None, folders)
        self.module = Module(sources, host_options(options))

    def instance(self, name: str) -> Any:
        return self.module[name]

    def kernel(self, lowered: str) -> Any:
        return self.module[nvrtc._raised(lowered)]


def load(path: str) -> Any:
    _, _, given = pathlib.Path(path).read_bytes().rpartition(nvrtc.MARK)
    return Loaded(json.loads(given))


def launch(kernel: Any, grid: Any, block: Any, args: Any, shared: int) -> None:
    if not (isinstance(grid, tuple) and isinstance(block, tuple) and isinstance(args, tuple)):
        raise TypeError("grid, block and args must be tuples")
    parameters = kernel.parameters
    if len(args) != len(parameters):
        raise AssertionError(f"{kernel.signature} got {len(args)} arguments")
    data = [_bytes(each) for each in args]

    def run() -> None:
        values = [_value(parameter, each, kernel) for parameter, each in zip(parameters, data, strict=True)]
        kernel[grid, block, shared](*values)

    graph._do(run)


def _bytes(value: Any) -> bytes:
    """As CuPy passes an argument on."""
    import cupy

    if value is None:
        return bytes(8)
    if isinstance(value, cupy.ndarray):
        return struct.pack("<Q", value.data.ptr)
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(f"You are trying to pass a numpy.ndarray of shape {value.shape} as a kernel parameter.")
        return value.tobytes()
    if isinstance(value, np.generic):
        return value.tobytes()
    if isinstance(value, bool):
        return struct.pack("<?", value)
    if isinstance(value, int):
        return struct.pack("<q", value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    raise TypeError(f"Unsupported type {type(value)}")


_SCALARS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f",
    "f8": "d", "half": "e",
}  # fmt: skip


def _value(parameter: Any, data: bytes, kernel: Any) -> Any:
    if len(data) != parameter.size:
        raise AssertionError(f"{kernel.name}: {parameter} has {parameter.size} bytes, and got {len(data)}")
    if parameter.kind == 1:
        return _array(parameter, struct.unpack("<Q", data)[0], kernel)
    if parameter.kind == 0:
        if parameter.type == "bfloat16":
            return struct.unpack("<f", bytes(2) + data)[0]
        return struct.unpack(f"<{_SCALARS[parameter.type]}", data)[0]
    return data


def _array(parameter: Any, address: int, kernel: Any) -> Any:
    if not address:
        return None
    for block in memory.BLOCKS:
        if block.ptr <= address < block.ptr + max(block.size, 1):
            break
    else:
        raise AssertionError(f"{kernel.name}: {parameter} got the address {address:#x}, which is no memory of a GPU")
    if block.device_id != runtime.getDevice():
        raise AssertionError(f"{kernel.name}: {parameter} lies on GPU {block.device_id}, not {runtime.getDevice()}")
    if parameter.dtype == "bfloat16":
        import ml_dtypes

        dtype = np.dtype(ml_dtypes.bfloat16)
    else:
        dtype = np.dtype(parameter.dtype or "uint8")
    if not block.size:
        return np.empty(0, dtype)
    count = (block.ptr + block.size - address) // dtype.itemsize
    return np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(address), dtype)
