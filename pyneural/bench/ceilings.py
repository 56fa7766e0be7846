"""What the processor can do at most, measured: multiply-adds that need no memory, and a copy beyond the caches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import get_num_threads
from numba.core import types

from pyneural.kernels import dtypes
from pyneural.kernels.parallel import run
from pyneural.kernels.routine import Routine, fields, zero
from pyneural.kernels.simd import ROWS, VECTOR_BYTES, VECTORS, Emitter, constant, copy_vector, fetch, intrinsic

from .machine import last_level_cache
from .subjects import MOST_BYTES

CHAINS = ROWS * VECTORS
"""Sums that depend on themselves alone: as many as the product's tile has, enough to hide an addition's latency."""

AHEAD = 16
"""Vectors that a copy asks for while it moves others: some processors hardly look ahead by themselves."""

SECONDS = 0.3
"""The best of all repeats in this time is a ceiling: others may work on the machine."""


@intrinsic  # type: ignore[untyped-decorator]
def _multiply_adds(typing: Any, like: Any, count: Any, factor: Any, target: Any) -> Any:
    """``count`` > 0 times ``sum = sum * factor + factor`` for `CHAINS` vector registers that lie at ``target``."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, count, factor, target = arguments
        emit = Emitter(builder, signature.args[0])
        vector = emit.broadcast(emit.load(factor, emit.scalar))
        before = builder.block
        # Loaded, for LLVM would keep one register for sums that begin alike.
        sums = [emit.load(emit.offset(target, i, VECTOR_BYTES), emit.vector) for i in range(CHAINS)]
        loop, after = builder.append_basic_block("fma"), builder.append_basic_block("fma.end")
        builder.branch(loop)
        builder.position_at_end(loop)
        left = builder.phi(ir.IntType(64))
        left.add_incoming(count, before)
        running = [builder.phi(emit.vector) for _ in range(CHAINS)]
        updated = [emit.multiply_add(each, vector, vector) for each in running]
        for phi, first, value in zip(running, sums, updated, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, loop)
        remaining = builder.sub(left, constant(1))
        left.add_incoming(remaining, loop)
        builder.cbranch(builder.icmp_signed(">", remaining, constant(0)), loop, after)
        builder.position_at_end(after)
        for i, value in enumerate(updated):
            emit.store(value, emit.offset(target, i, VECTOR_BYTES))
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp, types.intp), codegen


class _Work(NamedTuple):
    """Arguments of `_compute` and `_copy`."""

    repeats: int
    source: int
    target: int


@Routine
def _compute(kind: Any, arguments: int, start: int, stop: int) -> None:
    g = fields(_Work, arguments)
    for task in range(start, stop):
        _multiply_adds(zero(kind), g.repeats, g.source, g.target + task * CHAINS * VECTOR_BYTES)


@Routine
def _copy(kind: Any, arguments: int, start: int, stop: int) -> None:
    g = fields(_Work, arguments)
    for first in range(start, stop, AHEAD):
        fetch(g.source + (first + 2 * AHEAD) * VECTOR_BYTES, AHEAD * VECTOR_BYTES)
        for i in range(first, min(first + AHEAD, stop)):
            copy_vector(zero(kind), g.source + i * VECTOR_BYTES, g.target + i * VECTOR_BYTES)


def _best(work: Callable[[], None]) -> float:
    work()
    times: list[float] = []
    while sum(times) < SECONDS:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def flops(dtype: np.dtype[Any]) -> float:
    """Operations a second of all threads in float32 or float64, two in each multiply-add."""
    threads, count = get_num_threads(), 4_000_000  # some 10 ms
    factor = np.full(1, 0.5, dtype)  # the sums stay near 1, far from subnormal numbers
    sums = np.random.default_rng().uniform(0.5, 1.5, threads * CHAINS * VECTOR_BYTES // dtype.itemsize).astype(dtype)
    arguments = _Work(count, factor.ctypes.data, sums.ctypes.data)
    routine = _compute[dtype]
    seconds = _best(lambda: run(routine, arguments, threads, 1))
    return 2.0 * threads * count * CHAINS * (VECTOR_BYTES // dtype.itemsize) / seconds


def bandwidth() -> float:
    """Bytes a second, read and written, of a copy of four times the last-level cache by all threads.

    Where both sides of that are more than a contestant's inputs have (`subjects.MOST_BYTES`), so much in all.
    """
    nbytes = min(4 * last_level_cache(), MOST_BYTES // 2)
    source, target = np.ones(nbytes, np.uint8), np.zeros(nbytes, np.uint8)
    arguments = _Work(0, source.ctypes.data, target.ctypes.data)
    routine, vectors = _copy[dtypes.float32], nbytes // VECTOR_BYTES
    seconds = _best(lambda: run(routine, arguments, vectors, -(-vectors // get_num_threads())))
    return 2.0 * nbytes / seconds


def measured() -> dict[str, Any]:
    """Bytes a second, and operations a second by the name of the dtype."""
    wide = {dtype: flops(dtype) for dtype in (dtypes.float64, dtypes.float32)}
    return {"bytes": bandwidth(), "flops": {each.name: wide[dtypes.accumulator(each)] for each in dtypes.FLOATS}}
