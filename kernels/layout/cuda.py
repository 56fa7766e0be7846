"""Launches of ``csrc/kernels/layout.cu``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import check
from ..cuda_launch import BLOCK, bits, contiguous, flat_grid, launch, written
from .contract import axes
from .cuda_index import index, index_backward, index_put
from .cuda_remap import remap, widest_word

Array = Any

__all__ = ["cat", "flip", "index", "index_backward", "index_put", "roll", "tril", "triu"]

_SOURCES = 8  # kSources of layout.cu
_PARTS = np.dtype([("width", "i8", (_SOURCES,)), ("start", "i8", (_SOURCES,))])


def cat(arrays: Sequence[Array], *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("cat", dim, out.ndim)
    rows, after = math.prod(out.shape[:axis]), math.prod(out.shape[axis + 1 :])
    sources = [contiguous(each) for each in arrays if each.size]
    widths = [each.shape[axis] * after for each in sources]
    starts = [sum(widths[:k]) for k in range(len(widths))]
    with written(out) as result:
        word = widest_word(out.itemsize, (*sources, result), widths)
        for first in range(0, len(sources), _SOURCES):
            several = sources[first : first + _SOURCES]
            parts = np.zeros((), _PARTS)
            for k in range(len(several)):
                parts["width"][k], parts["start"][k] = widths[first + k] // word, starts[first + k] // word
            grid = (flat_grid(rows * int(parts["width"].max())), len(several))
            arguments = (*several, *[None] * (_SOURCES - len(several)))
            total = out.shape[axis] * after // word
            launch(
                "layout", f"cat_{word * out.itemsize}", None, grid, BLOCK, parts[()], rows, total, result, *arguments
            )


def flip(x: Array, *, dims: Any, out: Array) -> None:
    if out.size:
        flipped = axes("flip", dims, x.ndim) if x.ndim else ()
        remap("flip", x, [((n - 1, n, -1),) if d in flipped else None for d, n in enumerate(x.shape)], out)


def roll(x: Array, *, shifts: Any, dims: Any = None, out: Array) -> None:
    if out.size == 0:
        return
    several = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None:
        with written(out) as result:
            _roll(contiguous(x).reshape(-1), several, (0,), result.reshape(-1))
    else:
        _roll(x, several, axes("roll", dims, x.ndim), out)


def _roll(x: Array, shifts: Sequence[Any], dims: Sequence[int], out: Array) -> None:
    amounts = [0] * x.ndim
    for shift, dim in zip(shifts, dims, strict=True):
        amounts[dim] += int(shift)
    pieces = []
    for n, amount in zip(x.shape, amounts, strict=True):
        shift = amount % n
        pieces.append(((n - shift, shift, 1), (0, n - shift, 1)) if shift else None)
    remap("roll", x, pieces, out)


def tril(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, True, out)


def triu(x: Array, *, diagonal: int = 0, out: Array) -> None:
    _triangle(x, diagonal, False, out)


def _triangle(x: Array, diagonal: int, lower: bool, out: Array) -> None:
    if out.size == 0:
        return
    with written(out) as result:
        size = (out.size, *out.shape[-2:], int(diagonal), lower)
        grid = flat_grid(out.size * out.itemsize // 4)
        launch("layout", f"triangle_{x.itemsize}", None, grid, BLOCK, bits(contiguous(x)), bits(result), *size)
