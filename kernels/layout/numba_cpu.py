"""Moving elements with Numba: contiguous arrays in front of the loops of `loops.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from .. import check, memory
from ..addresses import table
from . import loops
from .contract import axes
from .grid import take
from .keys import Selection, select

Array = Any


def cat(arrays: Sequence[Array], *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    shape = out.shape
    axis = check.dim("cat", dim, len(shape))
    rows, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    sources = [np.ascontiguousarray(array) for array in arrays]
    widths = np.array([array.shape[axis] * after for array in sources], np.int64)
    starts = np.cumsum(widths) - widths
    target = _contiguous(out)
    joined = _words(target).reshape(rows, shape[axis] * after)
    loops.join(joined, table(sources)[0], widths, starts, numba.get_num_threads())
    _copy_back(target, out)


def flip(x: Array, *, dims: Any, out: Array) -> None:
    shape = x.shape
    flipped = axes("flip", dims, len(shape)) if shape else ()
    _gather(x, [((n - 1, n, -1),) if d in flipped else None for d, n in enumerate(shape)], shape, out)


def roll(x: Array, *, shifts: Any, dims: Any = None, out: Array) -> None:
    several = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    shape = (x.size,) if dims is None else x.shape
    amounts = [0] * len(shape)
    for shift, dim in zip(several, (0,) if dims is None else axes("roll", dims, len(shape)), strict=True):
        amounts[dim] += int(shift)
    segments = []
    for n, amount in zip(shape, amounts, strict=True):
        shift = amount % n if n else 0
        segments.append(((n - shift, shift, 1), (0, n - shift, 1)) if shift else None)
    _gather(x, segments, shape, out)


def tril(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, 1, out)


def triu(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, 0, out)


def _triangle(x: Array, diagonal: int, lower: int, out: Array) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    height, width = x.shape[-2:]
    loops.triangle(_words(x).reshape(-1, width), _words(target).reshape(-1, width), height, int(diagonal), lower)
    _copy_back(target, out)


def _gather(x: Array, dims: list[Any], shape: tuple[int, ...], out: Array) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    take(_words(x), _words(target), dims, shape)
    _copy_back(target, out)


def index(x: Array, *, key: Any, out: Array) -> None:
    if out.size == 0:
        return
    target = _contiguous(out)
    chosen = select("index", x.shape, key)
    loops.take(_words(x), _words(target), chosen.outer, chosen.index, chosen.inner, chosen.block)
    _copy_back(target, out)


def index_backward(grad: Array, *, key: Any, input_shape: tuple[int, ...], out: Array) -> None:
    target = _contiguous(out)
    target.fill(0)
    if grad.size:
        _scatter(
            loops.add, target.reshape(-1), np.ascontiguousarray(grad).reshape(-1), select("index", input_shape, key)
        )
    _copy_back(target, out)


def index_put(x: Array, values: Array, *, key: Any, accumulate: bool = False) -> None:
    chosen = select("index", x.shape, key)
    if 0 in chosen.shape:
        return
    target = np.ascontiguousarray(x)
    source = np.ascontiguousarray(np.broadcast_to(values, chosen.shape))
    if accumulate:
        _scatter(loops.add, target.reshape(-1), source.reshape(-1), chosen)
    else:
        _scatter(loops.put, _words(target), _words(source), chosen)
    _copy_back(target, x)


def _scatter(kernel: Any, target: Array, source: Array, chosen: Selection) -> None:
    span = int(chosen.index.max()) + 1
    kernel(target, source, chosen.outer, chosen.index, chosen.inner, chosen.block, span, numba.get_num_threads())


def _words(x: Array) -> Array:
    """x as a contiguous 1-D array of unsigned integers; the same memory if x is contiguous."""
    return np.ascontiguousarray(x).reshape(-1).view(loops.WORDS[x.itemsize])


def _contiguous(out: Array) -> Array:
    """``out``, or scratch in its place where it has strides."""
    return out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)


def _copy_back(target: Array, out: Array) -> None:
    if target is not out:
        out[...] = target
