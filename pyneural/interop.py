"""Tensors over the memory of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import device
from .tensor import Tensor, check_dtype

_DLPACK_CUDA = (2, 13)  # kDLCUDA and kDLCUDAManaged of dlpack.h


def from_numpy(array: np.ndarray) -> Tensor:
    """A CPU tensor that shares memory with a NumPy array.

    Raises:
        TypeError: it is no NumPy array, or has a dtype that tensors cannot have (byte order included).
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, not {type(array).__name__}")
    check_dtype("from_numpy", array.dtype)
    if not array.dtype.isnative:
        raise TypeError(f"from_numpy: dtype {array.dtype} is not in this machine's byte order")
    return Tensor._over(array, device("cpu"))


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares memory with an object that offers DLPack, on the host or on a GPU."""
    kind, index = source.__dlpack_device__() if hasattr(source, "__dlpack_device__") else (1, 0)
    if int(kind) not in _DLPACK_CUDA:
        return from_numpy(np.from_dlpack(source))
    target = device(f"cuda:{index}")
    import cupy

    array = cupy.from_dlpack(source)
    check_dtype("from_dlpack", array.dtype)
    return Tensor._over(array, target)
