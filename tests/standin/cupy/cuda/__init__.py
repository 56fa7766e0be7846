from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from . import driver, graph, memory, nvrtc, runtime
from .graph import Graph
from .memory import MemoryPointer, MemoryPool

__all__ = [
    "Device",
    "Event",
    "Graph",
    "MemoryPointer",
    "MemoryPool",
    "Stream",
    "driver",
    "graph",
    "memory",
    "nvrtc",
    "runtime",
    "using_allocator",
]


class Device:
    def __init__(self, device: Any = None) -> None:
        self.id = runtime.getDevice() if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        self._before.append(runtime.getDevice())
        runtime.setDevice(self.id)
        return self

    def __exit__(self, *_: Any) -> None:
        runtime.setDevice(self._before.pop())

    def use(self) -> None:
        runtime.setDevice(self.id)

    def synchronize(self) -> None:
        pass

    @property
    def compute_capability(self) -> str:
        return "90"

    @property
    def attributes(self) -> dict[str, Any]:
        return {"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": 227 * 1024, "ClockRate": 1_980_000}

    @property
    def mem_info(self) -> tuple[int, int]:
        with self:
            return memory.TOTAL - memory.POOL.used_bytes(), memory.TOTAL

    @property
    def pci_bus_id(self) -> str:
        return f"0000:0{self.id}:00.0"


class Stream:
    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self._before: list[Stream] = []
        self._graph: Graph | None = None
        self._waited: list[Event] = []

    def begin_capture(self, mode: Any = None) -> None:
        if self.ptr == 0 or self._graph is not None:
            raise runtime.CUDARuntimeError(900)
        self._graph = Graph()

    def end_capture(self) -> Graph:
        if self._graph is None:
            raise runtime.CUDARuntimeError(901)
        captured, self._graph = self._graph, None
        return captured

    def __enter__(self) -> Stream:
        self._before.append(get_current_stream())
        _current[0] = self
        return self

    def __exit__(self, *_: Any) -> None:
        _current[0] = self._before.pop()

    def synchronize(self) -> None:
        if self._graph is not None:
            raise runtime.CUDARuntimeError(900)

    def wait_event(self, event: Event) -> None:
        self._waited.append(event)


Stream.null = Stream(null=True)
_current = [Stream.null]


def get_current_stream(device_id: int = -1) -> Stream:
    return _current[0]


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self._time = 0.0
        self._stream: Any = None

    @property
    def done(self) -> bool:
        return True

    def record(self, stream: Any = None) -> None:
        self._time = time.perf_counter()
        self._stream = stream

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    return (end_event._time - start_event._time) * 1e3


def set_allocator(allocator: Any = None) -> None:
    """Whatever allocates, the stand-in's blocks are allocations of their own."""


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    memory._allocators.append(allocator)
    try:
        yield
    finally:
        memory._allocators.pop()


def get_cuda_path() -> str:
    return str(pathlib.Path(__file__).resolve().parents[2] / "toolkit")


def is_available() -> bool:
    return True


def _require(device: int) -> None:
    """What a stream of another GPU would refuse."""
    if device != runtime.getDevice():
        raise AssertionError(f"memory of GPU {device} is used while GPU {runtime.getDevice()} is the current one")
