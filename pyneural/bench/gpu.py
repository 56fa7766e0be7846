"""A GPU in a race: its clock, its caches, its name, and what its arithmetic and memory can do at most."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pyneural.kernels import dtypes
from pyneural.kernels.cuda_launch import element_option
from pyneural.kernels.gpu import from_host

from .subjects import Run

SECONDS = 0.1
"""The best of all repeats in this time is a ceiling."""

LEAST = 0.01
"""Seconds that a repeat takes at least, beside which a launch is nothing."""

THREADS = 256
_CHAINS, _UNROLLED = 8, 16  # kChains and kUnrolled of csrc/ceilings
_WIDTH, _STEPS = 256, 4  # kWidth and kSteps of wgmma_async.cu

Ceiling = tuple[float, str]
"""Operations a second, and the instruction that they were measured with."""


def event_clock(run: Run) -> tuple[float, Any]:
    """CUDA events before and after a call, in CuPy's current stream.

    The GPU is idle when the call begins, so that what the host needs to launch is in the time.
    """
    import cupy

    stream, begin, end = cupy.cuda.get_current_stream(), cupy.cuda.Event(), cupy.cuda.Event()
    stream.synchronize()
    begin.record(stream)
    result = run()
    end.record(stream)
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3, result


def replayed(run: Run) -> Run:
    """A call that is recorded in a CUDA graph, now; what is returned replays it, without the host's part of launching.

    Its result lies in the same memory each time; that, and whatever else it needs, is of a pool of its own.
    """
    import cupy

    cupy.cuda.Device().synchronize()  # the stream below does not wait for what wrote the inputs
    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    with stream, cupy.cuda.using_allocator(pool.malloc):
        run()  # kernels are compiled and loaded, and the pool has memory
        stream.synchronize()
        stream.begin_capture()
        try:
            result = run()
        finally:
            graph = stream.end_capture()

    def replay(pool: Any = pool) -> Any:  # which lives as long as the graph
        graph.launch()
        return result

    return replay


def _properties() -> dict[str, Any]:
    import cupy

    found: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
    return found


def level_2_cache() -> int:
    """Its bytes."""
    return int(_properties()["l2CacheSize"])


def card() -> dict[str, Any]:
    """What the GPU is, and the versions of CUDA that its driver and CuPy know."""
    import cupy

    from pyneural import cuda

    properties = _properties()
    return {
        "name": cuda.get_device_name(),
        "capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "level_2_cache": properties["l2CacheSize"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "runtime": cupy.cuda.runtime.runtimeGetVersion(),
    }


def ceilings() -> dict[str, Any]:
    """Bytes a second of a copy; by dtype, operations a second (two in each multiply-add) and by which instruction.

    A dtype whose fastest instruction is not among those of ``csrc/ceilings`` is left out.
    """
    found = {dtype.name: ceiling for dtype in dtypes.FLOATS if (ceiling := flops(dtype)) is not None}
    return {
        "bytes": bandwidth(),
        "flops": {name: rate for name, (rate, _) in found.items()},
        "by": {name: instruction for name, (_, instruction) in found.items()},
    }


def bandwidth() -> float:
    """Bytes a second, read and written, of a copy of eight times the level-2 cache within the GPU's memory."""
    import cupy

    nbytes = 8 * level_2_cache()
    source, target = (cupy.empty((nbytes,), np.dtype(np.uint8)) for _ in range(2))
    stream = cupy.cuda.get_current_stream()

    def copies(count: int) -> None:
        for _ in range(count):
            target.data.copy_from_device_async(source.data, nbytes, stream)

    return 2.0 * nbytes * _rate(copies)


def flops(dtype: np.dtype[Any]) -> Ceiling | None:
    """The ceiling of a dtype: of fused multiply-adds, or of products with float32 sums for the halves.

    Of these, ``wgmma`` on a GPU of compute capability 9.0 and ``mma.sync`` on others that have it.
    """
    properties = _properties()
    capability, processors = (properties["major"], properties["minor"]), properties["multiProcessorCount"]
    if not dtypes.is_half(dtype):
        factor = np.full(1, 0.5, dtype)
        each = 2.0 * THREADS * _CHAINS * _UNROLLED
        return _computed("multiply_add", dtype, 8 * processors, THREADS, factor, dtype) * each, "fma"
    rng = np.random.default_rng()
    if capability == (9, 0):
        operands = rng.standard_normal((64 + _WIDTH) * 64).astype(dtype)
        each = 2.0 * 64 * 16 * _WIDTH * _STEPS
        return _computed("wgmma_async", dtype, 2 * processors, 128, operands, dtypes.float32) * each, "wgmma"
    if capability < ((7, 5) if dtype == dtypes.float16 else (8, 0)):
        return None
    fragments = rng.standard_normal(32 * 12).astype(dtype).view(np.uint32)
    each = 2.0 * 16 * 16 * 8 * _CHAINS * THREADS / 32
    return _computed("mma_sync", dtype, 4 * processors, THREADS, fragments, dtypes.float32) * each, "mma.sync"


def _computed(
    name: str, dtype: np.dtype[Any], blocks: int, threads: int, operands: np.ndarray, total: np.dtype[Any]
) -> float:
    """Rounds of blocks a second of the kernel ``name`` of ``csrc/ceilings/<name>.cu``."""
    import cupy

    from pyneural import csrc, cuda

    source = Path(next(iter(csrc.__path__))) / "ceilings" / f"{name}.cu"
    kernel = cuda.compile(source, "gpu", options=element_option(dtype))[name]
    given = from_host(cupy.cuda.runtime.getDevice(), operands)
    totals = cupy.empty((blocks * threads,), total)
    return blocks * _rate(lambda rounds: kernel[blocks, threads](rounds, given, totals))


def _rate(work: Callable[[int], None]) -> float:
    """The most units of work a second, of as many at once as take `LEAST` seconds."""
    _seconds(work, 1)  # compiled and loaded
    count = 1
    while (seconds := _seconds(work, count)) < LEAST:
        count = math.ceil(count * min(8.0, max(2.0, 1.2 * LEAST / max(seconds, 1e-6))))
    times = [seconds]
    while sum(times) < SECONDS:
        times.append(_seconds(work, count))
    return count / min(times)


def _seconds(work: Callable[[int], None], count: int) -> float:
    return event_clock(lambda: work(count))[0]
