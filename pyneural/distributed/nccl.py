"""NCCL, by way of CuPy, moves what lies in the memory of GPUs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .work import Work, poll

Array = Any

_TYPES = {
    "int8": "INT8",
    "uint8": "UINT8",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FLOAT16",
    "float32": "FLOAT32",
    "float64": "FLOAT64",
    "bfloat16": "BFLOAT16",
}
_OPERATIONS = {"sum": "SUM", "product": "PROD", "max": "MAX", "min": "MIN"}


def module() -> Any:
    """``cupy.cuda.nccl``.

    Raises:
        ImportError: CuPy or NCCL is missing; the message says how to install it.
    """
    try:
        found = importlib.import_module("cupy.cuda.nccl")
        if not found.available:
            raise ImportError("CuPy finds no NCCL library")
    except ImportError as error:
        raise ImportError(
            f"nccl: GPUs talk by NCCL ({error}); install it with: pip install nvidia-nccl-cu12 (or -cu13)"
        ) from None
    return found


class _Launched:
    """A collective on a stream: an event after it says when it has ended."""

    def __init__(self, transport: Nccl, event: Any, what: str, *buffers: Array) -> None:
        self._transport, self._event, self._what, self._buffers = transport, event, what, buffers

    def done(self) -> bool:
        return bool(self._event.done)

    def wait(self) -> None:
        poll(self.done, self._what, self._transport.timeout)
        self._buffers = ()


class Nccl:
    """Collectives between GPUs, one a rank, on a stream of their own beside the kernels'.

    Args:
        rank, size: this process, and how many there are.
        share: gives every rank the bytes that rank 0 gives (MPI's broadcast).
        device: the GPU's number.
        timeout: seconds that a collective is waited for.
    """

    def __init__(
        self, rank: int, size: int, share: Callable[[bytes | None], bytes], device: int, timeout: float
    ) -> None:
        import cupy

        self._nccl, self._cupy = module(), cupy
        self.rank, self.size, self.device, self.timeout = rank, size, device, timeout
        identity = _unpacked(share(_packed(self._nccl.get_unique_id()) if rank == 0 else None))
        with cupy.cuda.Device(device):
            self.communicator = self._nccl.NcclCommunicator(size, identity, rank)
            self.stream = cupy.cuda.Stream(non_blocking=True)

    def all_reduce(self, array: Array, op: str, what: str) -> Work:
        data = array.data.ptr
        return self._launch(
            what,
            lambda stream: self.communicator.allReduce(data, data, array.size, self._type(array), self._op(op), stream),
            array,
        )

    def broadcast(self, array: Array, source: int, what: str) -> Work:
        count = array.size * array.dtype.itemsize  # as bytes: every dtype consists of them
        data, kind = array.data.ptr, self._nccl.NCCL_UINT8
        return self._launch(
            what, lambda stream: self.communicator.broadcast(data, data, count, kind, source, stream), array
        )

    def all_gather(self, array: Array, into: Array, what: str) -> Work:
        count, kind = array.size * array.dtype.itemsize, self._nccl.NCCL_UINT8
        return self._launch(
            what,
            lambda stream: self.communicator.allGather(array.data.ptr, into.data.ptr, count, kind, stream),
            array,
            into,
        )

    def reduce_scatter(self, array: Array, into: Array, op: str, what: str) -> Work:
        return self._launch(
            what,
            lambda stream: self.communicator.reduceScatter(
                array.data.ptr, into.data.ptr, into.size, self._type(array), self._op(op), stream
            ),
            array,
            into,
        )

    def barrier(self, what: str) -> Work:
        with self._cupy.cuda.Device(self.device):
            one = self._cupy.asarray(np.zeros(1, np.int32))
        return self.all_reduce(one, "sum", what)

    def close(self) -> None:
        """Leave the communicator."""
        self.communicator.destroy()

    def _launch(self, what: str, begin: Callable[[int], None], *buffers: Array) -> Work:
        cuda = self._cupy.cuda
        with cuda.Device(self.device):
            # What computes the buffers lies on the current stream: this one waits for it, not the host.
            ready = cuda.Event(disable_timing=True)
            ready.record(cuda.get_current_stream())
            self.stream.wait_event(ready)
            begin(self.stream.ptr)
            ended = cuda.Event(disable_timing=True)
            ended.record(self.stream)
        return _Launched(self, ended, what, *buffers)

    def _type(self, array: Array) -> int:
        name = array.dtype.name
        code = getattr(self._nccl, f"NCCL_{_TYPES[name]}", None) if name in _TYPES else None
        if code is None:
            raise TypeError(f"all_reduce: NCCL cannot reduce {name}; it can {', '.join(_TYPES)}")
        return int(code)

    def _op(self, op: str) -> int:
        return int(getattr(self._nccl, f"NCCL_{_OPERATIONS[op]}"))


def _packed(identity: bytes | tuple[int, ...]) -> bytes:
    """NCCL's identity of a job: bytes from CuPy 14 on, a tuple of signed characters before."""
    if isinstance(identity, bytes):
        return b"b" + identity
    return b"t" + bytes(each & 0xFF for each in identity)


def _unpacked(content: bytes) -> bytes | tuple[int, ...]:
    kind, rest = content[:1], content[1:]
    return rest if kind == b"b" else tuple(each - 256 if each > 127 else each for each in rest)
