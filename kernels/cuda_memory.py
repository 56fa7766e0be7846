"""Where the arrays of CUDA kernels live: in NumPy's memory (the simulator) or in CuPy's (a GPU).

Nothing here copies between the two, and only `scalar` waits for a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from . import memory

Array = Any
DType = np.dtype[Any]


class OutOfMemoryError(RuntimeError, MemoryError):
    """A GPU has no memory left for an array. What was allocated before stays usable, and so does the device."""


def is_host(x: Any) -> bool:
    """Whether an array is NumPy's."""
    return isinstance(x, np.ndarray)


def is_gpu(x: Any) -> bool:
    """Whether an array is a GPU's: CuPy's, since kernels know no other."""
    return not isinstance(x, np.ndarray) and hasattr(type(x), "__cuda_array_interface__")


def is_array(x: Any) -> bool:
    """Whether a value is an array of either."""
    return isinstance(x, np.ndarray) or is_gpu(x)


def empty(shape: tuple[int, ...], dtype: DType, like: Array) -> Array:
    """Uninitialised C-contiguous memory beside an array: in NumPy's pool, or in CuPy's on the array's GPU."""
    if isinstance(like, np.ndarray):
        return memory.empty(shape, dtype)
    return gpu_empty(like.data.device_id, shape, dtype)


def gpu_empty(index: int, shape: tuple[int, ...], dtype: DType) -> Array:
    """Uninitialised C-contiguous memory of CuPy's pool on a GPU.

    Raises OutOfMemoryError where it does not suffice even after the pool gave back all that it kept.
    """
    import cupy

    with cupy.cuda.Device(index) as device:
        try:
            return cupy.empty(shape, dtype)
        except cupy.cuda.memory.OutOfMemoryError:
            pool = cupy.get_default_memory_pool()
            free, total = device.mem_info
            wanted = math.prod(shape) * dtype.itemsize
            raise OutOfMemoryError(
                f"cuda:{index}: no memory for {_size(wanted)} (shape {tuple(shape)}, {dtype}): {_size(free)} of "
                f"{_size(total)} are free; arrays hold {_size(pool.used_bytes())}, the pool keeps "
                f"{_size(pool.free_bytes())}"
            ) from None


def _size(nbytes: int) -> str:
    """Bytes as people read them."""
    value, unit = float(nbytes), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{nbytes} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def on_device_of(x: Array) -> AbstractContextManager[Any]:
    """A ``with`` block in which the GPU of ``x`` is the current one; nothing for an array of NumPy's."""
    return nullcontext() if isinstance(x, np.ndarray) else x.device  # type: ignore[no-any-return]


def strided(x: Array, shape: Sequence[int], strides: Sequence[int]) -> Array:
    """A view from the first element of ``x``, of any shape and strides in bytes."""
    if isinstance(x, np.ndarray):
        return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=x.flags.writeable)
    import cupy

    return cupy.lib.stride_tricks.as_strided(x, tuple(shape), tuple(strides))


def broadcast(x: Array, shape: Sequence[int]) -> Array:
    """A view of ``x`` with ``shape``, which it broadcasts to."""
    missing = len(shape) - x.ndim
    steps = [0 if n == 1 else step for n, step in zip(x.shape, x.strides, strict=True)]
    return strided(x, shape, [0] * missing + steps)


def address(x: Array) -> int:
    """Where an array's first element lies."""
    if isinstance(x, np.ndarray):
        return int(x.__array_interface__["data"][0])
    return int(x.data.ptr)


def scalar(x: Array) -> Any:
    """The one element of an array as a Python number. On a GPU this waits for all that was launched before it."""
    return x.item()


def place(operation: str, arrays: Iterable[Array]) -> Array:
    """One of the arrays, all of which live in one place; TypeError and ValueError where they do not."""
    first = None
    for each in arrays:
        if first is None:
            first = each
        elif isinstance(first, np.ndarray) != isinstance(each, np.ndarray):
            host, gpu = (first, each) if isinstance(first, np.ndarray) else (each, first)
            raise TypeError(
                f"{operation}: got an array of NumPy's of shape {host.shape} beside one of a GPU of shape {gpu.shape}; "
                "copy one of them explicitly"
            )
        elif not isinstance(first, np.ndarray) and each.data.device_id != first.data.device_id:
            raise ValueError(
                f"{operation}: got arrays on the GPUs {first.data.device_id} and {each.data.device_id}; "
                "all must be on one"
            )
    if first is None:
        raise TypeError(f"{operation}: got no array, so nothing says where to run")
    return first
