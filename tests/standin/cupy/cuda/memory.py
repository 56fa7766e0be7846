"""Memory of the stand-in's GPUs: host memory, aligned and poisoned, of which there is little."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from . import graph as _graph

ALIGNMENT = 512  # bytes, as CuPy's pool
TOTAL = 2 * 1024**3  # bytes of each GPU


class OutOfMemoryError(MemoryError):
    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


class _Block:
    """One allocation."""

    def __init__(self, nbytes: int, device: int) -> None:
        self.raw = np.full(nbytes + ALIGNMENT, 0xFF, np.uint8)  # NaN, and -1
        start = -self.raw.ctypes.data % ALIGNMENT
        self.bytes = self.raw[start : start + nbytes]
        self.ptr = int(self.raw.ctypes.data) + start
        self.size = nbytes
        self.device_id = device


class MemoryPointer:
    def __init__(self, mem: _Block, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset
        self.device_id = mem.device_id

    @property
    def device(self) -> Any:
        from . import Device

        return Device(self.device_id)

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def _array(self, shape: tuple[int, ...], dtype: np.dtype[Any], strides: Any) -> np.ndarray:
        if not self.mem.size or 0 in shape:
            return np.empty(shape, dtype)
        return np.ndarray(shape, dtype, self.mem.bytes, self.ptr - self.mem.ptr, strides)

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        to, at = self.ptr - self.mem.ptr, src.ptr - src.mem.ptr

        def copy() -> None:
            self.mem.bytes[to : to + size] = src.mem.bytes[at : at + size]

        _graph._do(copy)


BLOCKS: weakref.WeakSet[_Block] = weakref.WeakSet()


class MemoryPool:
    """Of the current GPU; one that is not the default keeps all that it ever gave."""

    def __init__(self) -> None:
        self._limit: dict[int, int] = {}
        self._given: list[_Block] = []

    def malloc(self, size: int) -> MemoryPointer:
        pointer = _new(size)
        self._given.append(pointer.mem)
        return pointer

    def used_bytes(self) -> int:
        from . import runtime

        return sum(each.size for each in BLOCKS if each.device_id == runtime.getDevice())

    def free_bytes(self) -> int:
        return 0

    def total_bytes(self) -> int:
        return self.used_bytes() + self.free_bytes()

    def free_all_blocks(self, stream: Any = None) -> None:
        pass

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        from . import runtime

        self._limit[runtime.getDevice()] = size or 0

    def get_limit(self) -> int:
        from . import runtime

        return self._limit.get(runtime.getDevice(), 0)


POOL = MemoryPool()


_allocators: list[Any] = []


def _allocate(nbytes: int) -> MemoryPointer:
    """By the allocator that is set."""
    if _allocators:
        return _allocators[-1](nbytes)  # type: ignore[no-any-return]
    return _new(nbytes)


def _new(nbytes: int) -> MemoryPointer:
    from . import runtime

    limit = POOL.get_limit() or TOTAL
    if POOL.used_bytes() + nbytes > limit:
        raise OutOfMemoryError(nbytes, POOL.used_bytes(), POOL.get_limit())
    block = _Block(nbytes, runtime.getDevice())
    BLOCKS.add(block)
    return MemoryPointer(block, 0)
