"""Random numbers with Numba: the streams of `loops.py` with the constants that fix every bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, memory
from . import bits, loops

Array = Any

_NOTHING = np.uint64(0)


def random_bits(*, shape: tuple[int, ...], seed: int, offset: int, out: Array) -> None:
    _generate(loops.words32, None, out, seed, offset)


def uniform(
    *,
    shape: tuple[int, ...],
    seed: int,
    offset: int,
    dtype: np.dtype[Any],
    low: float = 0.0,
    high: float = 1.0,
    out: Array,
) -> None:
    kernel = loops.uniform64 if dtype == dtypes.float64 else loops.uniform32
    _generate(kernel, None, out, seed, offset, *bits.bounds(dtype, low, high))
    if dtypes.is_half(dtype):
        # Rounded down here, so that rounding to the half later changes nothing.
        nearest = out.astype(dtype)
        out[...] = np.where(nearest.astype(out.dtype) > out, np.nextafter(nearest, dtype.type(-np.inf)), nearest)


def normal(
    *,
    shape: tuple[int, ...],
    seed: int,
    offset: int,
    dtype: np.dtype[Any],
    mean: float = 0.0,
    std: float = 1.0,
    out: Array,
) -> None:
    kernel = loops.normal64 if dtype == dtypes.float64 else loops.normal32
    _generate(kernel, None, out, seed, offset, out.dtype.type(mean), out.dtype.type(std))


def randint(*, shape: tuple[int, ...], seed: int, offset: int, low: int, high: int, out: Array) -> None:
    _generate(loops.integers, None, out, seed, offset, np.uint64(low % 2**64), np.uint64(high - low))


def permutation(*, n: int, seed: int, offset: int, out: Array) -> None:
    keys, spare_keys = memory.scratch((n,), np.dtype("uint64")), memory.scratch((n,), np.dtype("uint64"))
    order, spare_order = memory.scratch((n,), dtypes.int64), memory.scratch((n,), dtypes.int64)
    _generate(loops.words64, None, keys, seed, offset)
    loops.sort(keys, order, spare_keys, spare_order)
    out[...] = order


def dropout(x: Array, *, p: float, seed: int, offset: int, out: Array) -> None:
    flat = np.ascontiguousarray(x).reshape(-1)
    _generate(loops.drop, flat, out, seed, offset, bits.threshold(p), bits.keep_scale(x.dtype, p))


def _generate(
    kernel: Any,
    x: Array | None,
    out: Array,
    seed: int,
    offset: int,
    a: Any = _NOTHING,
    b: Any = _NOTHING,
    c: Any = _NOTHING,
) -> None:
    target = out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    flat = target.reshape(-1)
    kernel(flat if x is None else x, flat, np.uint64(seed), np.uint64(offset), a, b, c)
    if target is not out:
        out[...] = target
