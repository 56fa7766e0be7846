"""Host memory that is used again, so that a steady training step asks the operating system for none.

`empty` hands out NumPy arrays. Large ones live in buffers that return to the pool when the last
array over them is gone, and are reused by the next request of the same size class: their pages stay
mapped, where a fresh allocation would fault once per 4 KiB page.

`scratch` is for what a kernel has while it runs. It all lies in one region for each thread, as large as
the most that one kernel wanted. Who knows better which memory is free then lends it (`lent`).
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np
from numpy import empty as new

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register
SMALLEST = 32 * 1024  # bytes: below this the C allocator reuses memory without page faults
WASTE = 2
"""Times what was asked for that a buffer may have."""

FEW = SMALLEST // 16  # elements that are below it in any dtype


class _Buffer(np.ndarray):
    """Pooled bytes. Its own type, because NumPy collapses a chain of views only within one type."""


class _Lease(np.ndarray):
    """A view of a pooled buffer that hands the buffer back when it is collected.

    Every array made over the lease keeps the lease alive, and through it the buffer out of the pool.
    """

    def __del__(self) -> None:
        buffer = self.base
        if type(buffer) is _Buffer and _free is not None:  # _free is None while the interpreter shuts down
            _free.setdefault(buffer.nbytes, []).append(buffer)


_free: dict[int, list[_Buffer]] = {}


def _size_class(nbytes: int) -> int:
    """``nbytes`` rounded up to one of four steps per power of two: at most 25 % is wasted."""
    step = 1 << max((nbytes - 1).bit_length() - 3, 12)
    return -(-nbytes // step) * step


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An uninitialised C-contiguous array, 64-byte aligned if it is large."""
    count = prod(shape)
    if count < FEW:
        return new(shape, dtype)
    nbytes = count * dtype.itemsize
    if nbytes < SMALLEST:
        return new(shape, dtype)
    size = _size_class(nbytes)
    buffers = _free.get(size)
    try:
        buffer = buffers.pop() if buffers else _larger(size)
    except IndexError:  # another thread took the last one
        buffer = _allocate(size)
    return np.ndarray(shape, dtype, buffer.view(_Lease))  # type: ignore[no-any-return]


class _Region(np.ndarray):
    """Scratch memory of a thread. ``live``: arrays over it; ``used``: bytes that they and those before them have."""

    live: int
    used: int


class _Scratch(np.ndarray):
    """A view of a region, which is all free again when the last one is gone."""

    def __del__(self) -> None:
        region = self.base
        if type(region) is _Region:
            region.live -= 1


class lent:
    """Within the ``with`` block this thread's `scratch` is ``memory``, aligned bytes, as far as it reaches.

    ``used``: the bytes that were asked for, also beyond ``memory``.
    """

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.used = 0

    def __enter__(self) -> lent:
        self.used = 0
        _own.loan = self
        return self

    def __exit__(self, *_: object) -> None:
        _own.loan = None


class _Own(threading.local):
    region: _Region | None = None
    loan: lent | None = None


_own = _Own()


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """As `empty`, for an array that is gone when the kernel ends."""
    nbytes = prod(shape) * dtype.itemsize
    if nbytes < SMALLEST:
        return new(shape, dtype)
    size, loan = rounded(nbytes), _own.loan
    if loan is not None:
        start = loan.used
        loan.used += size
        if loan.used <= loan.memory.nbytes:
            return np.ndarray(shape, dtype, loan.memory, start)  # type: ignore[no-any-return]
    region = _own.region
    if region is None:
        region = _grown(size)
    elif not region.live:
        region.used = 0
    if region.used + size > region.nbytes:
        region = _grown(region.used + size)
    start = region.used
    region.used += size
    region.live += 1
    return np.ndarray(shape, dtype, region.view(_Scratch), start)  # type: ignore[no-any-return]


def _grown(size: int) -> _Region:
    region = aligned(_size_class(size)).view(_Region)
    region.live = region.used = 0
    _own.region = region
    return region


def _larger(size: int) -> _Buffer:
    """The smallest free buffer that is not much larger, or a new one."""
    fitting = [each for each, buffers in list(_free.items()) if buffers and size < each <= WASTE * size]
    return _free[min(fitting)].pop() if fitting else _allocate(size)


def rounded(nbytes: int) -> int:
    """``nbytes`` as a multiple of `ALIGNMENT`."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def aligned(size: int) -> np.ndarray:
    """``size`` fresh bytes from an address on that is a multiple of `ALIGNMENT`, outside the pool."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def _allocate(size: int) -> _Buffer:
    return aligned(size).view(_Buffer)


def empty_cache() -> int:
    """Return every free buffer and this thread's scratch to the operating system; the number of bytes given back."""
    returned = 0 if _own.region is None else _own.region.nbytes
    _own.region = None
    for size, buffers in list(_free.items()):
        returned += size * len(buffers)
        buffers.clear()
    return returned


def cached_bytes() -> int:
    """Bytes held by the pool and as this thread's scratch, and not in use by any array."""
    own = 0 if _own.region is None or _own.region.live else _own.region.nbytes
    return own + sum(size * len(buffers) for size, buffers in _free.items())
