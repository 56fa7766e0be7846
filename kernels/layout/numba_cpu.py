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


def pad(x: Array, *, pad: tuple[int, ...], value: float = 0.0, out: Array) -> None:
    if x.size == 0 or x.ndim == 0:
        out.fill(value if x.size == 0 else x.item())
        return
    before = np.zeros(x.ndim, np.int64)
    for position in range(len(pad) // 2):
        before[x.ndim - 1 - position] = pad[2 * position]
    if out.size == 0:
        return
    target = _contiguous(out)
    fill = np.array(value).astype(x.dtype).view(loops.WORDS[x.itemsize])[()]
    rows, padded_rows = _words(x).reshape(-1, x.shape[-1]), _words(target).reshape(-1, out.shape[-1])
    loops.pad_rows(rows, padded_rows, fill, np.array(x.shape, np.int64), np.array(out.shape, np.int64), before)
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
    return out if out.flags.c_contiguous else memory.empty(out.shape, out.dtype)


def _copy_back(target: Array, out: Array) -> None:
    if target is not out:
        out[...] = target
