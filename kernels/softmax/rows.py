"""What softmax and cross-entropy share: contiguous rows, strips of rows side by side, and their kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import jit
from ..parallel import spread
from ..vector import exp, maxnum

Array = Any


STRIP = 256
"""Rows that go side by side: their maxima and sums stay in the first-level cache."""

ELEMENTS = 8192
"""Elements that a thread takes at a time, at least; two such pieces are too little to wake the threads for."""


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` for other kernels only; its sums may be reordered, and so vectorised."""
    return jit(function, inline=True)


@compiled
def row_max(x: Array) -> Any:
    """The largest element; NaN is left out, which turns the sum of exponentials to NaN anyway."""
    top = x.dtype.type(-math.inf)
    for i in range(x.size):
        top = maxnum(top, x[i])
    return top


@compiled
def exponential_sum(x: Array, top: Any) -> Any:
    """The sum of ``e**(x - top)``: at least 1 where ``top`` is the largest of them."""
    total = x.dtype.type(0)
    for i in range(x.size):
        total += exp(x[i] - top)
    return total


@compiled
def strip(x: Array, c: int) -> Any:
    """The index of the outermost dimension, and the first and the last row, of the strip numbered ``c``."""
    strips = (x.shape[2] + STRIP - 1) // STRIP
    first = c % strips * STRIP
    return c // strips, first, min(first + STRIP, x.shape[2])


@compiled
def strip_top(x: Array, top: Array) -> None:
    """The largest element of each column of ``x`` (length, width)."""
    top[:] = -np.inf
    for l in range(x.shape[0]):
        row = x[l]
        for i in range(top.size):
            top[i] = maxnum(top[i], row[i])


@compiled
def run_length(length: int) -> int:
    """How many elements to add up by themselves: thousands, one after the other, are 25 units in the last place off."""
    return max(int(math.sqrt(length)), 8)


@compiled
def strip_exponential_sums(x: Array, top: Array, total: Array, part: Array) -> None:
    """``exponential_sum`` of each column of ``x`` (length, width); ``part`` is scratch memory of that width."""
    total[:] = 0
    run = run_length(x.shape[0])
    for begin in range(0, x.shape[0], run):
        part[:] = 0
        for l in range(begin, min(begin + run, x.shape[0])):
            row = x[l]
            for i in range(part.size):
                part[i] += exp(row[i] - top[i])
        for i in range(part.size):
            total[i] += part[i]


def pieces(outer: int, length: int, inner: int) -> tuple[int, int]:
    """How many rows (strips of them where ``inner`` is not 1) there are, and how many a thread takes at a time."""
    if inner == 1:
        return outer, max(ELEMENTS // length, 1)
    return outer * -(-inner // STRIP), max(ELEMENTS // (length * min(inner, STRIP)), 1)


def spread_kernel(name: str, body: Any) -> Any:
    """``kernel(count, piece, *arrays)``: ``body`` over ``range(count)``, spread over the threads if there is much."""

    def kernel(count: int, piece: int, *arrays: Any) -> None:
        if count <= 2 * piece:
            body(arrays, 0, count)
        else:
            spread(body, arrays, count, piece)

    return jit(kernel, name=name)
