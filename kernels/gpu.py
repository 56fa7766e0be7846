"""CuPy's memory as an engine: what `Backend` needs of the arrays of one GPU."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .backend import Engine
from .cuda_launch import contiguous, fill
from .cuda_memory import gpu_empty, is_gpu, strided

Array = Any


@functools.cache
def engine(index: int) -> Engine:
    """The engine of the GPU with this number; ImportError without CuPy."""
    import cupy

    return Engine(
        cupy.ndarray,
        functools.partial(gpu_empty, index),
        widen_halves=False,
        from_host=functools.partial(from_host, index),
        to_host=to_host,
        fill=fill,
        strided=strided,
        uploaded=functools.partial(uploaded, index),
    )


def from_host(index: int, array: Any) -> Array:
    """A copy of a NumPy array, or of another GPU's, on the GPU with this number; C-contiguous."""
    if is_gpu(array):
        return _from_gpu(index, array)
    array = np.asarray(array)
    copy = gpu_empty(index, array.shape, array.dtype)
    if copy.size:
        with copy.device:
            copy.set(np.ascontiguousarray(array).reshape(array.shape))
    return copy


def _from_gpu(index: int, array: Array) -> Array:
    """From GPU to GPU, not by way of the host."""
    source = contiguous(array)
    copy = gpu_empty(index, source.shape, source.dtype)
    if copy.size:
        import cupy

        # The copy must wait for what computes the source, and what reads it afterwards for the copy.
        with source.device:
            cupy.cuda.get_current_stream().synchronize()
        with copy.device:
            copy.data.copy_from_device_async(source.data, source.nbytes, cupy.cuda.get_current_stream())
            cupy.cuda.get_current_stream().synchronize()
    return copy


def to_host(array: Array) -> np.ndarray:
    """A NumPy array with the elements of a GPU's; waits for what computes them."""
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    with array.device:
        return contiguous(array).get()  # type: ignore[no-any-return]


def uploaded(index: int, array: np.ndarray) -> Array:
    """A copy of a NumPy array on a GPU, strides and all: be they negative, 0, or with gaps between."""
    if array.flags.c_contiguous or array.size == 0:
        return from_host(index, array)
    reach = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    behind = -sum(each for each in reach if each < 0)
    span = behind + sum(each for each in reach if each > 0) + array.itemsize
    count = math.ceil(span / array.itemsize)
    memory = np.zeros(count * array.itemsize, np.uint8)
    held: np.ndarray = np.ndarray(array.shape, array.dtype, memory, behind, array.strides)
    held[...] = array
    if behind % array.itemsize:
        raise ValueError(
            f"uploaded: strides {array.strides} that no element of {array.itemsize} bytes is a multiple of"
        )
    whole = from_host(index, memory.view(array.dtype))
    return strided(whole[behind // array.itemsize :], array.shape, array.strides)
