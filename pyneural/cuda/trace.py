"""`cuda.trace`: every memory instruction that the warps of some blocks execute, with the address of each lane."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from . import runtime
from .kernel import Geometry, Kernel, read_config, run
from .profile import Profile

SAMPLE = 4
"""How many blocks are recorded where none are named."""

MOST = 200_000
"""Requests that are kept; 288 bytes each."""

REQUEST = np.dtype([
    ("block", np.uint32), ("warp", np.uint32), ("instruction", np.uint32), ("first_epoch", np.uint32),
    ("last_epoch", np.uint32), ("order", np.uint32), ("mask", np.uint32), ("size", np.uint32), ("array", np.int32),
    ("", np.uint32), ("offset", np.int64, 32),
])  # fmt: skip
"""One request, as csrc/simulator/runtime/trace.h has it: an instruction executed by a warp.

`instruction` and `array` are indices into the trace's lists; `mask` holds the lanes that took part, `size` the bytes of
each, `offset` where each went, in bytes from the start of the first lane's array. `array` is -1 where no array is near,
so that `offset` is the address itself, and for barriers and local memory, which have none.
Epochs count the `__syncthreads` that a lane had passed: one number, unless the lanes came in different ones. `order`
sorts the requests of a warp within its epoch.
"""


@dataclass(frozen=True)
class Instruction:
    """Where it stands, and of which kind: a kind of `cuda.profile`'s counters, "constant_load" or "barrier"."""

    file: str
    line: int
    kind: str


@dataclass(frozen=True)
class Array:
    """Memory that was accessed: global, shared or constant. `base` is the address in the simulator."""

    name: str
    space: str
    base: int
    bytes: int
    element: int


@dataclass(frozen=True)
class Trace:
    """The requests of the recorded blocks in the order of each warp, and the counters of the whole launch."""

    kernel: Kernel
    geometry: Geometry
    blocks: tuple[int, ...]
    """Those recorded, numbered with x fastest."""
    instructions: list[Instruction]
    arrays: list[Array]
    requests: np.ndarray[Any, Any]
    profile: Profile
    dropped: int
    """Requests of these blocks that were not kept: there were too many."""
    failure: str | None
    """Why the launch ended early, if it did; what came before is recorded."""


def sample(count: int, most: int = SAMPLE) -> tuple[int, ...]:
    """The first of ``count`` blocks, the last, and some between at equal distances."""
    if count <= most:
        return tuple(range(count))
    return tuple(round(i * (count - 1) / (most - 1)) for i in range(most))


class Tracer:
    """`trace(kernel)[grid, block, shared_bytes](arguments)` gives a Trace."""

    def __init__(
        self, kernel: Kernel, blocks: Sequence[int] | None, most: int, schedule: int | None, timeout: float | None
    ) -> None:
        self.kernel = kernel
        self.blocks = blocks
        self.most = most
        self.schedule = schedule
        self.timeout = timeout

    def __getitem__(self, config: Any) -> Callable[..., Trace]:
        geometry = read_config(self.kernel.name, config)
        count = prod(geometry[0])
        blocks = sample(count) if self.blocks is None else tuple(sorted(set(self.blocks)))
        if blocks and not 0 <= blocks[0] <= blocks[-1] < count:
            raise ValueError(f"trace: blocks (={list(blocks)}) must be from 0 to {count - 1}, the grid's last")

        def launch(*arguments: Any) -> Trace:
            with runtime.lock:
                lib = runtime.library()
                lib.pnsim_trace_begin((ctypes.c_uint64 * max(len(blocks), 1))(*blocks), len(blocks), self.most)
                try:
                    failure, build = run(self.kernel, runtime.PROFILE, geometry, arguments, self.schedule, self.timeout)
                    rows = runtime.counters()
                    requests, dropped = _requests(lib)
                    arrays = [Array(**each) for each in json.loads(lib.pnsim_trace_arrays())]
                finally:
                    lib.pnsim_trace_end()
            instructions = []
            for row in rows:
                at = row["at"]
                file, line = (at["file"], at["line"]) if "file" in at else (build.line(at["pc"]) or ("", 0))
                instructions.append(Instruction(file, line, row["kind"]))
            counted = Profile.read(rows, build.line, self.kernel.module)
            return Trace(
                self.kernel, geometry, blocks, instructions, arrays, requests, counted, dropped, failure
            )  # fmt: skip

        return launch


def _requests(lib: ctypes.CDLL) -> tuple[np.ndarray[Any, Any], int]:
    """Sorted by block, warp, epoch and order."""
    count, dropped = ctypes.c_size_t(), ctypes.c_uint64()
    first = lib.pnsim_trace_requests(ctypes.byref(count), ctypes.byref(dropped))
    raw = ctypes.string_at(first, count.value * REQUEST.itemsize) if count.value else b""
    found = np.frombuffer(raw, REQUEST)
    keys = [found[name] for name in ("order", "first_epoch", "warp", "block")]
    return found[np.lexsort(keys)], dropped.value


def trace(
    kernel: Kernel,
    *,
    blocks: Sequence[int] | None = None,
    most: int = MOST,
    schedule: int | None = None,
    timeout: float | None = None,
) -> Tracer:
    """Records what each warp of some blocks asks of memory, lane by lane, and counts the whole launch.

    Args:
        kernel: compiled for the simulator.
        blocks: their numbers, x fastest; without it the first, the last and two between.
        most: requests that are kept.
        schedule: a seed that permutes blocks, warps and lanes.
        timeout: seconds until the kernel is stopped.

    A launch that ends early is no error: the trace holds what came before, and says why in `failure`.
    """
    if not isinstance(kernel, Kernel):
        raise TypeError(f"trace: expected a kernel compiled for the simulator, got {type(kernel).__name__}")
    return Tracer(kernel, blocks, most, schedule, timeout)
