"""MPI moves what lies in host memory (and, where it is CUDA-aware, in a GPU's)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.kernels import dtypes
from pyneural.kernels.cuda_memory import is_gpu

from .work import RankLost, Work, poll

Array = Any

INSTALL = 'pip install "pyneural[distributed]"'


def module() -> Any:
    """``mpi4py.MPI``, initialised.

    Raises:
        ImportError: mpi4py or an MPI library is missing; the message says how to install them.
    """
    try:
        return importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:
        raise ImportError(f"init: more than one rank needs MPI ({error}); install it with: {INSTALL}") from None


class _Request:
    """An MPI request, and the buffers that it reads and writes."""

    def __init__(self, transport: Mpi, request: Any, what: str, *buffers: Any) -> None:
        self._transport, self._request, self._what, self._buffers = transport, request, what, buffers
        self._done = False

    def done(self) -> bool:
        if not self._done:
            try:
                self._done = bool(self._request.Test())
            except self._transport.errors as error:
                raise RankLost(f"{self._what}: MPI says {error}") from None
        return self._done

    def wait(self) -> None:
        poll(self.done, self._what, self._transport.timeout)
        self._buffers = ()


class Mpi:
    """Non-blocking collectives of an MPI communicator on arrays.

    Args:
        communicator: mpi4py's; it is duplicated, so that nobody else's messages come between.
        timeout: seconds that a collective is waited for.
    """

    def __init__(self, communicator: Any, timeout: float) -> None:
        self._mpi = module()
        self.errors: type[Exception] = self._mpi.Exception
        self.communicator = communicator.Dup()
        self.communicator.Set_errhandler(self._mpi.ERRORS_RETURN)
        self.rank, self.size = int(self.communicator.rank), int(self.communicator.size)
        self.timeout = timeout
        self._operations: dict[tuple[str, str], Any] = {}

    def all_reduce(self, array: Array, op: str, what: str) -> Work:
        return self._start(
            what,
            lambda: self.communicator.Iallreduce(
                self._mpi.IN_PLACE, self._typed(array), self._operation(op, array.dtype)
            ),
            array,
        )

    def broadcast(self, array: Array, source: int, what: str) -> Work:
        return self._start(what, lambda: self.communicator.Ibcast(_bytes(self._mpi, array), source), array)

    def all_gather(self, array: Array, into: Array, what: str) -> Work:
        # The same bytes from each: the receive buffer's count is that of all.
        return self._start(
            what,
            lambda: self.communicator.Iallgather(_bytes(self._mpi, array), _bytes(self._mpi, into)),
            array,
            into,
        )

    def reduce_scatter(self, array: Array, into: Array, op: str, what: str) -> Work:
        return self._start(
            what,
            lambda: self.communicator.Ireduce_scatter_block(
                self._typed(array), self._typed(into), self._operation(op, array.dtype)
            ),
            array,
            into,
        )

    def barrier(self, what: str) -> Work:
        return self._start(what, lambda: self.communicator.Ibarrier())

    def gather_objects(self, value: Any, what: str) -> list[Any]:
        """Every rank's ``value``, which JSON can hold, in their order."""
        mine = np.frombuffer(json.dumps(value).encode(), np.uint8)
        sizes = np.empty((self.size, 1), np.int64)
        self.all_gather(np.array([mine.size], np.int64), sizes, what).wait()
        padded = np.zeros(int(sizes.max()), np.uint8)
        padded[: mine.size] = mine
        everyone = np.empty((self.size, padded.size), np.uint8)
        self.all_gather(padded, everyone, what).wait()
        return [json.loads(row[:size].tobytes()) for row, size in zip(everyone, sizes[:, 0], strict=True)]

    def broadcast_bytes(self, content: bytes | None, source: int, what: str) -> bytes | None:
        """The bytes of one rank, which may have None, on all."""
        size = np.array([-1 if content is None else len(content)], np.int64)
        self.broadcast(size, source, what).wait()
        if size[0] < 0:
            return None
        given = content if self.rank == source and content is not None else bytes(int(size[0]))
        array = np.frombuffer(given, np.uint8).copy()
        self.broadcast(array, source, what).wait()
        return bytes(array)

    def _start(self, what: str, begin: Callable[[], Any], *buffers: Array) -> Work:
        if any(is_gpu(each) for each in buffers):  # CUDA-aware MPI knows nothing of streams
            importlib.import_module("cupy").cuda.get_current_stream().synchronize()
        try:
            return _Request(self, begin(), what, *buffers)
        except self.errors as error:
            raise RankLost(f"{what}: MPI says {error}") from None

    def _typed(self, array: Array) -> Any:
        if dtypes.is_half(array.dtype):  # MPI has no 16-bit floats: our operation reads them as such
            return [array.view(np.uint16), self._mpi.UINT16_T]
        return [array, _datatype(self._mpi, array.dtype)]

    def _operation(self, op: str, dtype: np.dtype[Any]) -> Any:
        """MPI's own where it is right; its maximum may lose a NaN, and it has no 16-bit floats."""
        own = {"sum": self._mpi.SUM, "product": self._mpi.PROD, "max": self._mpi.MAX, "min": self._mpi.MIN}[op]
        if not dtypes.is_half(dtype) and (op in ("sum", "product") or not dtypes.is_floating(dtype)):
            return own
        key = (op, dtype.name)
        if key not in self._operations:
            self._operations[key] = self._mpi.Op.Create(_combination(op, dtype), commute=True)
        return self._operations[key]


def _combination(op: str, dtype: np.dtype[Any]) -> Callable[[Any, Any, Any], None]:
    combine: Callable[..., Any] = {
        "sum": np.add,
        "product": np.multiply,
        "max": np.maximum,
        "min": np.minimum,
    }[op]

    def function(given: Any, result: Any, _: Any) -> None:
        one, other = np.frombuffer(given, dtype), np.frombuffer(result, dtype)
        wide = dtypes.accumulator(dtype)
        other[...] = combine(one.astype(wide), other.astype(wide)).astype(dtype)

    return function


def _datatype(mpi: Any, dtype: np.dtype[Any]) -> Any:
    names = {
        "float64": "DOUBLE",
        "float32": "FLOAT",
        "int64": "INT64_T",
        "int32": "INT32_T",
        "int16": "INT16_T",
        "int8": "INT8_T",
        "uint8": "UINT8_T",
    }
    if dtype.name not in names:
        raise TypeError(f"all_reduce: dtype {dtype} cannot be reduced; it is none of {', '.join(names)} and the halves")
    return getattr(mpi, names[dtype.name])


def _bytes(mpi: Any, array: Array) -> Any:
    """As bytes, which every dtype consists of."""
    flat = array.reshape(-1)
    return [flat if flat.dtype == np.uint8 else flat.view(np.uint8), mpi.BYTE]
