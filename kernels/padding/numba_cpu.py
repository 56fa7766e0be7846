"""Padding with Numba: the shape of the problem in front of the loops of `loops.py` and of `layout/grid.py`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import memory
from ..layout.grid import Segments, take
from ..layout.loops import WORDS
from . import loops

Array = Any


def pad(x: Array, *, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0, out: Array) -> None:
    if out.size == 0:
        return
    target = out if out.flags.c_contiguous else memory.scratch(out.shape, out.dtype)
    words, filled = (np.ascontiguousarray(each).reshape(-1).view(WORDS[x.itemsize]) for each in (x, target))
    amounts = _amounts(pad, x.ndim)
    if mode == "constant":
        fill = np.array(value).astype(x.dtype).view(WORDS[x.itemsize])[()]
        _constant(words, filled, x.shape, out.shape, amounts, fill)
    else:
        dims = [_segments(mode, n, *each) if any(each) else None for n, each in zip(x.shape, amounts, strict=True)]
        take(words, filled, dims, x.shape)
    if target is not out:
        out[...] = target


def pad_backward(grad: Array, *, pad: tuple[int, ...], mode: str, input_shape: tuple[int, ...], out: Array) -> None:
    if grad.size == 0:
        out.fill(0)
        return
    folded = np.ascontiguousarray(grad)
    amounts = _amounts(pad, out.ndim)
    for dim in reversed(range(out.ndim)):
        if any(amounts[dim]):
            outer, inner = math.prod(folded.shape[:dim]), math.prod(folded.shape[dim + 1 :])
            smaller = memory.scratch((*folded.shape[:dim], input_shape[dim], *folded.shape[dim + 1 :]), grad.dtype)
            loops.fold(
                folded.reshape(outer, folded.shape[dim], inner),
                smaller.reshape(outer, input_shape[dim], inner),
                np.array(_segments(mode, input_shape[dim], *amounts[dim]), np.int64),
            )
            folded = smaller
    out[...] = folded


def _amounts(pad: tuple[int, ...], ndim: int) -> list[tuple[int, int]]:
    """(before, after) of each dimension in order."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _segments(mode: str, n: int, before: int, after: int) -> Segments:
    """The input's coordinates along a padded dimension, as `layout.grid` takes them."""
    low, high = max(-before, 0), n - max(-after, 0)
    if mode == "reflect":
        first, last = (before, before, -1), (n - 2, after, -1)
    elif mode == "replicate":
        first, last = (0, before, 0), (n - 1, after, 0)
    else:
        first, last = (high - before, before, 1), (low, after, 1)
    return tuple(each for each in (first, (low, high - low, 1), last) if each[1] > 0)


def _constant(
    x: Array, out: Array, shape: tuple[int, ...], padded: tuple[int, ...], amounts: list[tuple[int, int]], fill: Any
) -> None:
    """Pad ``x``, 1-D of ``shape``, into ``out``, 1-D of ``padded``."""
    found = _box(shape, padded, tuple(amounts))
    if found is None:
        out.fill(fill)
    else:
        loops.pad_rows(x, out, fill, *found)


@functools.lru_cache(maxsize=1024)
def _box(
    shape: tuple[int, ...], padded: tuple[int, ...], amounts: tuple[tuple[int, int], ...]
) -> tuple[Any, ...] | None:
    """What `loops.pad_rows` goes by; None where nothing of the input is left."""
    # (box, size, padded size, first in x, first in out) of each dimension; those without padding join the one before.
    dims: list[tuple[int, int, int, int, int]] = []
    for n, m, (before, after) in zip(shape, padded, amounts, strict=True):
        if (before, after) == (0, 0) and dims:
            box, size, wide, source, target = dims[-1]
            dims[-1] = (box * n, size * n, wide * n, source * n, target * n)
        else:
            dims.append((n - max(-before, 0) - max(-after, 0), n, m, max(-before, 0), max(before, 0)))
    if any(box <= 0 for box, *_ in dims):
        return None
    dims = dims or [(1, 1, 1, 0, 0)]
    sources, targets = [1], [1]
    for _, n, m, _, _ in reversed(dims[1:]):
        sources.append(sources[-1] * n)
        targets.append(targets[-1] * m)
    sources, targets = sources[::-1], targets[::-1]
    return (
        np.array([box for box, *_ in dims[:-1]], np.int64),
        dims[-1][0],
        np.array(sources[:-1], np.int64),
        np.array(targets[:-1], np.int64),
        sum(first * stride for (_, _, _, first, _), stride in zip(dims, sources, strict=True)),
        sum(first * stride for (_, _, _, _, first), stride in zip(dims, targets, strict=True)),
    )
