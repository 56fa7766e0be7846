"""Launches of ``remap`` of ``csrc/kernels/layout.cu``: each dimension of a result made of pieces of the input's.

A piece is ``(start, length, step)`` of input coordinates with a step of 1, -1 or 0, as in `grid.py`; a negative
start stands for what is filled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import ACCESS, BLOCK, DIVIDER, MAX_DIMS, address, divider, flat_grid, flat_memory, launch, written

Array = Any
Pieces = Sequence[tuple[int, int, int]]

SIZES = np.dtype([("size", "i8", (MAX_DIMS,)), ("by", DIVIDER, (MAX_DIMS,)), ("small", "i8")])
"""``Sizes`` of divide.cuh."""

_PIECES = 3
_REMAP = np.dtype([
    ("ndim", "i8"), ("base", "i8"), ("sizes", SIZES), ("stride", "i8", (MAX_DIMS,)),
    ("end", "i8", (_PIECES - 1, MAX_DIMS)), ("start", "i8", (_PIECES, MAX_DIMS)), ("step", "i8", (_PIECES, MAX_DIMS)),
])  # fmt: skip


def fill_sizes(record: Any, shape: Sequence[int]) -> None:
    """The sizes of dimensions, and the numbers by which kernels divide by them."""
    record["small"] = math.prod(shape) < 2**31
    for d, n in enumerate(shape):
        record["size"][d] = n
        if record["small"] and n:
            record["by"][d] = divider(n)


def widest_word(itemsize: int, arrays: Sequence[Array], counts: Sequence[int]) -> int:
    """Elements of the widest word that divides all ``counts`` of elements and the addresses of all ``arrays``."""
    word = ACCESS
    while word > itemsize and any(n * itemsize % word for n in counts) | any(address(x) % word for x in arrays):
        word //= 2
    return word // itemsize


def remap(operation: str, x: Array, dims: Sequence[Pieces | None], out: Array, fill: Any = 0) -> None:
    """``out``, not empty, whose dimensions are ``dims`` of those of ``x``; None leaves a dimension as it is."""
    memory_of, base, strides = flat_memory(x)
    merged: list[tuple[int, int, Pieces | None]] = []  # size of the result, stride of the input, pieces
    for size, stride, pieces in zip(out.shape, strides, dims, strict=True):
        if size == 1 and pieces is None:
            continue
        if merged and pieces is None and merged[-1][2] is None and merged[-1][1] == stride * size:
            merged[-1] = (merged[-1][0] * size, stride, None)
        else:
            merged.append((size, stride, pieces))
    if len(merged) > MAX_DIMS:
        raise ValueError(f"{operation}: strides that need {len(merged)} dimensions, more than {MAX_DIMS}")
    spans = [_spans(pieces or ((0, size, 1),)) for size, _, pieces in merged]
    with written(out) as result:
        word = _word(memory_of, base, merged, spans, result)
        record = np.zeros((), _REMAP)
        record["ndim"], record["base"] = len(merged), base // word
        fill_sizes(record["sizes"], [*(n for n, *_ in merged[:-1]), *(n // word for n, *_ in merged[-1:])])
        for d, ((size, stride, _), parts) in enumerate(zip(merged, spans, strict=True)):
            within = word if d == len(merged) - 1 else 1
            record["stride"][d] = stride // (word // within)
            record["end"][:, d] = size
            for p, (end, start, step) in enumerate(parts):
                record["start"][p, d], record["step"][p, d] = start // within, step
                if p < len(parts) - 1:
                    record["end"][p, d] = end // within
        pattern = np.frombuffer(np.full(8 // x.itemsize, fill, x.dtype).tobytes(), np.uint64)[0]
        count = out.size // word
        name = f"remap_{word * x.itemsize}"
        launch("layout", name, None, flat_grid(count), BLOCK, record[()], memory_of, result, count, int(pattern))


def _spans(pieces: Pieces) -> list[tuple[int, int, int]]:
    """End in the result, and source coordinate and step as functions of the result's coordinate."""
    spans, place = [], 0
    for start, length, step in pieces:
        spans.append((place + length, -1 if start < 0 else start - step * place, 0 if start < 0 else step))
        place += length
    return spans


def _word(x: Array, base: int, dims: Sequence[Any], spans: Sequence[Any], out: Array) -> int:
    """Elements of a word: more than one only where those that follow each other in ``out`` do so in ``x``."""
    size, stride, _ = dims[-1] if dims else (1, 1, None)
    if stride != 1 or (dims and any(step != 1 and start >= 0 for _, start, step in spans[-1])):
        return 1
    counts = [base, size, *(each for _, each, _ in dims[:-1])]
    for end, start, step in spans[-1] if dims else ():
        counts += [end, start] if step else [end]
    return widest_word(x.itemsize, (x, out), counts)
