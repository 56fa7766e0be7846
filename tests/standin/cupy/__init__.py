"""A stand-in for CuPy on a machine without a GPU: its arrays in host memory, its kernels run by the simulator.

It has what pyneural uses of CuPy and nothing else, and is as strict: no array becomes NumPy's by itself, none is mixed
with NumPy's, a kernel takes addresses of its own GPU only. It has two GPUs. Every name in it is compared with the real
package where that is installed (tests/gpu/test_standin.py). It is never part of an installation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cuda, lib
from .cuda.memory import MemoryPointer as _MemoryPointer

__version__ = "14.2.0"
__all__ = [
    "RawKernel",
    "RawModule",
    "asarray",
    "asnumpy",
    "cuda",
    "empty",
    "from_dlpack",
    "get_default_memory_pool",
    "lib",
]
STANDIN = True


class _Flags:
    def __init__(self, array: np.ndarray, owndata: bool) -> None:
        self.c_contiguous = bool(array.flags.c_contiguous)
        self.f_contiguous = bool(array.flags.f_contiguous)
        self.forc = self.c_contiguous or self.f_contiguous
        self.fnc = self.f_contiguous and not self.c_contiguous
        self.owndata = owndata


class ndarray:
    """An array in the memory of a GPU."""

    __slots__ = ("__weakref__", "_host", "base", "data")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: _MemoryPointer | None = None,
        strides: Any = None,
        order: str = "C",
    ) -> None:
        dtype = np.dtype(dtype)
        if dtype.kind not in "biufc" and dtype.name != "bfloat16":
            raise ValueError(f"Unsupported dtype {dtype}")
        shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        if memptr is None:
            memptr = cuda.memory._allocate(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        self.data = memptr
        self.base: Any = None
        self._host = memptr._array(shape, dtype, None if strides is None else tuple(strides))

    def _over(self, host: np.ndarray) -> ndarray:
        view = object.__new__(ndarray)
        step = host.__array_interface__["data"][0] - self._host.__array_interface__["data"][0] if host.size else 0
        view.data = self.data + step
        view.base = self if self.base is None else self.base
        view._host = host
        return view

    @property
    def shape(self) -> tuple[int, ...]:
        return self._host.shape

    @property
    def strides(self) -> tuple[int, ...]:
        return self._host.strides if self.size else (0,) * self.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._host.dtype

    @property
    def ndim(self) -> int:
        return self._host.ndim

    @property
    def size(self) -> int:
        return self._host.size

    @property
    def itemsize(self) -> int:
        return self._host.itemsize

    @property
    def nbytes(self) -> int:
        return self._host.nbytes

    @property
    def flags(self) -> _Flags:
        return _Flags(self._host, self.base is None)

    @property
    def device(self) -> cuda.Device:
        return cuda.Device(self.data.device_id)

    @property
    def T(self) -> ndarray:
        return self._over(self._host.T)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __getitem__(self, key: Any) -> ndarray:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice)) for part in parts):
            raise NotImplementedError(f"the stand-in has no advanced indexing: {key!r}")
        return self._over(self._host[(*parts, ...) if Ellipsis not in parts else parts])

    def view(self, dtype: Any = None) -> ndarray:
        return self._over(self._host.view() if dtype is None else self._host.view(dtype))

    def reshape(self, *shape: Any) -> ndarray:
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        host = self._host.reshape(wanted)
        if host.size and not np.shares_memory(host, self._host):
            raise NotImplementedError("the stand-in does not copy: reshape of an array that is not contiguous")
        return self._over(host)

    def transpose(self, *axes: Any) -> ndarray:
        return self._over(self._host.transpose(*axes))

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        if not self.flags.c_contiguous:
            raise NotImplementedError("the stand-in does not copy: get of an array that is not contiguous")
        cuda.graph._refuse_capture()
        return np.array(self._host)

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self.flags.c_contiguous and arr.flags.c_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        cuda._require(self.data.device_id)
        cuda.graph._refuse_capture()
        self._host[...] = arr

    def fill(self, value: Any) -> None:
        cuda._require(self.data.device_id)
        cuda.graph._do(lambda: self._host.fill(value))

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        cuda.graph._refuse_capture()
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        given = {"shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr, "stream": 1, "version": 3}
        strides = None if self.flags.c_contiguous else self.strides
        return {**given, "strides": strides, "data": (self.data.ptr, False)}

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.data.device_id

    def __dlpack__(self, **options: Any) -> Any:
        return _Capsule(self)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, *_: Any, **__: Any) -> Any:
        raise TypeError(f"the stand-in computes nothing itself: numpy.{ufunc.__name__} of an array of a GPU")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"the stand-in computes nothing itself: numpy.{function.__name__} of an array of a GPU")

    def _refuse(self, *_: Any) -> Any:
        raise TypeError("the stand-in computes nothing itself: pyneural uses its own kernels")

    __add__ = __radd__ = __iadd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __int__ = __float__ = __setitem__ = _refuse
    __and__ = __or__ = __invert__ = __neg__ = __matmul__ = __pow__ = __mod__ = __floordiv__ = _refuse


class _Capsule:
    """Instead of a DLPack capsule, which NumPy's memory would not make for a GPU."""

    def __init__(self, array: ndarray) -> None:
        self.array = array


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype)


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    if isinstance(a, ndarray):
        return a
    host = np.ascontiguousarray(a, dtype)
    result = empty(np.shape(a), host.dtype)
    if result.size:
        result.set(host.reshape(np.shape(a)))
    return result


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def from_dlpack(array: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    capsule = array.__dlpack__()
    if not isinstance(capsule, _Capsule):
        raise TypeError("the stand-in takes DLPack of its own arrays only")
    return capsule.array.view()


def get_default_memory_pool() -> cuda.MemoryPool:
    return cuda.memory.POOL


class RawKernel:
    """A kernel of a `RawModule`."""

    def __init__(self, code: Any, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        if code is not None:
            raise NotImplementedError("the stand-in loads compiled code only")
        self.name = name
        self._shared: dict[int, int] = {}
        self._kernel: Any = None

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._shared.get(cuda.runtime.getDevice(), 48 * 1024)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, nbytes: int) -> None:
        if nbytes > 227 * 1024:
            raise cuda.driver.CUDADriverError(1)
        self._shared[cuda.runtime.getDevice()] = nbytes

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], **kwargs: Any) -> None:
        from .cuda import _launch

        shared = kwargs.pop("shared_mem", 0)
        if kwargs:
            raise TypeError(f"unexpected {', '.join(kwargs)}")
        if shared > self.max_dynamic_shared_size_bytes:
            raise cuda.driver.CUDADriverError(1)
        _launch.launch(self._kernel, grid, block, args, shared)


class RawModule:
    """Compiled code of a file, as the stand-in's NVRTC makes it."""

    def __init__(self, *, code: Any = None, path: str | None = None, options: tuple[str, ...] = ()) -> None:
        if code is not None or path is None:
            raise NotImplementedError("the stand-in loads compiled code only")
        from .cuda import _launch

        self._module = _launch.load(path)

    def get_function(self, name: str) -> RawKernel:
        kernel = RawKernel(None, name)
        kernel._kernel = self._module.kernel(name)
        return kernel
