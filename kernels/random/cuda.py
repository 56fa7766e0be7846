"""Launches of ``csrc/kernels/random.cu``, ``random_bits.cu`` and ``random_sort.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..cuda_launch import BLOCK, blocks, contiguous, empty, launch, written
from . import bits
from .cuda_sort import sort

Array = Any

_WIDE = 16  # bytes that a thread makes at a time


def _generate(source: str, name: str, out: Array, *arguments: Any) -> None:
    if out.size:
        with written(out) as result:
            dtype = out.dtype if source == "random" else None
            grid = blocks(out.size * out.itemsize, BLOCK * _WIDE)
            launch(source, name, dtype, grid, BLOCK, result, out.size, *arguments)


def random_bits(*, shape: tuple[int, ...], seed: int, offset: int, out: Array) -> None:
    _generate("random_bits", "words32", out, int(seed), int(offset))


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
    bottom, top, length = bits.bounds(dtype, low, high)
    numbers = (bottom, top, length, np.nextafter(top, bottom))
    _generate("random", "uniform", out, int(seed), int(offset), *(each.item() for each in numbers))


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
    _generate("random", "normal", out, int(seed), int(offset), float(mean), float(std))


def randint(*, shape: tuple[int, ...], seed: int, offset: int, low: int, high: int, out: Array) -> None:
    count = int(high) - int(low)
    _generate("random_bits", "integers", out, int(seed), int(offset), int(low) % 2**64, count)


def permutation(*, n: int, seed: int, offset: int, out: Array) -> None:
    if n == 0:
        return
    keys = empty((n,), np.dtype("uint64"), like=out)
    _generate("random_bits", "words64", keys, int(seed), int(offset))
    with written(out) as result:
        sort(keys, 2**64, result)


def dropout(x: Array, *, p: float, seed: int, offset: int, out: Array) -> None:
    if out.size == 0:
        return
    scale = bits.keep_scale(dtypes.accumulator(x.dtype), p).item()
    with written(out) as result:
        grid = blocks(out.size * out.itemsize, BLOCK * _WIDE)
        numbers = (out.size, int(seed), int(offset), int(bits.threshold(p)), scale)
        launch("random", "dropout", x.dtype, grid, BLOCK, contiguous(x), result, *numbers)
