"""NCCL of the stand-in: the ranks are threads of this process, a GPU each."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from . import memory, runtime

available = True

# nccl.h
NCCL_SUM, NCCL_PROD, NCCL_MAX, NCCL_MIN = range(4)
NCCL_INT8, NCCL_UINT8, NCCL_INT32, NCCL_UINT32, NCCL_INT64, NCCL_UINT64 = range(6)
NCCL_FLOAT16, NCCL_FLOAT32, NCCL_FLOAT64, NCCL_BFLOAT16 = range(6, 10)

_DTYPES = (
    np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, np.float16, np.float32, np.float64, ml_dtypes.bfloat16
)  # fmt: skip
_COMBINE = (np.add, np.multiply, np.maximum, np.minimum)
_PATIENCE = 20.0  # seconds for the other ranks
_numbers = itertools.count(1)
_worlds: dict[bytes, _World] = {}
_lock = threading.Lock()
_CALLS: list[tuple[Any, ...]] = []
"""Every collective: name, rank, count, dtype, stream."""


class NcclError(RuntimeError):
    def __init__(self, status: int) -> None:
        super().__init__(f"NCCL error {status}")


class _World:
    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size)
        self.given: dict[int, Any] = {}

    def exchange(self, rank: int, value: Any) -> list[Any]:
        self.given[rank] = value
        self.barrier.wait(_PATIENCE)
        everyone = [self.given[each] for each in range(self.size)]
        self.barrier.wait(_PATIENCE)
        return everyone


def get_unique_id() -> bytes:
    number = next(_numbers)
    return bytes((number * 37 + 61 * place) % 256 for place in range(128))


def get_version() -> int:
    return 22703


class NcclCommunicator:
    def __init__(self, ndev: int, commId: bytes, rank: int) -> None:
        if not isinstance(commId, bytes) or len(commId) != 128 or not 0 <= rank < ndev:
            raise NcclError(4)
        self._rank, self._device = rank, runtime.getDevice()
        with _lock:
            self._world = _worlds.setdefault(commId, _World(ndev))
        self._world.exchange(rank, self._device)

    def device_id(self) -> int:
        return self._device

    def rank_id(self) -> int:
        return self._rank

    def destroy(self) -> None:
        self._world = None  # type: ignore[assignment]

    def _array(self, address: int, count: int, datatype: int) -> np.ndarray:
        """So many elements there, which must lie in one block of this rank's GPU."""
        dtype = np.dtype(_DTYPES[datatype])
        size = count * dtype.itemsize
        if not size:
            return np.empty(0, dtype)
        inside = [
            each for each in memory.BLOCKS
            if each.device_id == self._device and each.ptr <= address and address + size <= each.ptr + each.size
        ]  # fmt: skip
        if not inside:
            raise AssertionError(f"{size} bytes at {address:#x} are no memory of GPU {self._device}")
        raw = (ctypes.c_uint8 * size).from_address(address)
        return np.frombuffer(raw, np.uint8).view(dtype)

    def _run(
        self, name: str, given: np.ndarray, facts: tuple[Any, ...], stream: int, finish: Callable[..., None]
    ) -> None:
        if runtime.getDevice() != self._device:
            raise AssertionError(f"GPU {runtime.getDevice()} is the current one, not {self._device}")
        _CALLS.append((name, self._rank, given.size, given.dtype.name, stream))
        everyone = self._world.exchange(self._rank, (name, given.size, given.dtype.name, facts, given.copy()))
        if len({each[:4] for each in everyone}) != 1:
            raise AssertionError(f"the ranks differ: {[each[:4] for each in everyone]}")
        finish([each[4] for each in everyone])

    def allReduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int) -> None:
        into = self._array(recvbuf, count, datatype)
        given = self._array(sendbuf, count, datatype)
        self._run("allReduce", given, (op,), stream, lambda all_: np.copyto(into, _combined(all_, op)))

    def reduceScatter(self, sendbuf: int, recvbuf: int, recvcount: int, datatype: int, op: int, stream: int) -> None:
        into = self._array(recvbuf, recvcount, datatype)
        given = self._array(sendbuf, recvcount * self._world.size, datatype)
        part = slice(recvcount * self._rank, recvcount * (self._rank + 1))
        self._run("reduceScatter", given, (op,), stream, lambda all_: np.copyto(into, _combined(all_, op)[part]))

    def broadcast(self, sendbuff: int, recvbuff: int, count: int, datatype: int, root: int, stream: int) -> None:
        into = self._array(recvbuff, count, datatype)
        given = self._array(sendbuff, count, datatype)
        self._run("broadcast", given, (root,), stream, lambda all_: np.copyto(into, all_[root]))

    def allGather(self, sendbuf: int, recvbuf: int, count: int, datatype: int, stream: int) -> None:
        into = self._array(recvbuf, count * self._world.size, datatype)
        given = self._array(sendbuf, count, datatype)
        self._run("allGather", given, (), stream, lambda all_: np.copyto(into, np.concatenate(all_)))


def _combined(everyone: list[np.ndarray], op: int) -> np.ndarray:
    result = everyone[0]
    for each in everyone[1:]:
        result = _COMBINE[op](result, each)
    return result.astype(everyone[0].dtype)
