"""Matrix by vector at the speed of memory: ``out = a @ x``, every item of ``a`` read once."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..routine import Routine, fields, span
from ..simd import itemsize

CHUNK = 1024
"""Results that one task keeps in its first cache while it walks along the inner dimension."""

BLOCK = 256
"""Terms summed before they join the total: rounding errors grow with the blocks, not with the terms."""


class Vector(NamedTuple):
    """Arguments of both: ``a`` with rows of ``length`` contiguous items, ``stride`` bytes apart."""

    out: int
    a: int
    stride: int
    length: int
    x: int
    terms: int
    scratch: int


@Routine
def dots(kind: Any, arguments: int, start: int, stop: int) -> None:
    """``out[i] = a[i] @ x`` for rows ``start...`` of ``a``, ``terms`` long."""
    g = fields(Vector, arguments)
    x = span(kind, g.x, g.terms)
    out = span(kind, g.out, stop)
    for i in range(start, stop):
        row = span(kind, g.a + i * g.stride, g.terms)
        total = kind(0)
        for k in range(g.terms):
            total += row[k] * x[k]
        out[i] = total


@Routine
def combinations(kind: Any, arguments: int, start: int, stop: int) -> None:
    """``out[j] = sum over i < terms of x[i] * a[i, j]`` for columns ``start...``; as many items of ``scratch``."""
    g = fields(Vector, arguments)
    size: int = itemsize(kind(0))
    x = span(kind, g.x, g.terms)
    for begin in range(start, stop, CHUNK):
        count = min(CHUNK, stop - begin)
        total, block = span(kind, g.out + begin * size, count), span(kind, g.scratch + begin * size, count)
        for j in range(count):
            total[j] = kind(0)
        for first in range(0, g.terms, BLOCK):
            for j in range(count):
                block[j] = kind(0)
            for i in range(first, min(first + BLOCK, g.terms)):
                row = span(kind, g.a + i * g.stride + begin * size, count)
                factor = x[i]
                for j in range(count):
                    block[j] += factor * row[j]
            for j in range(count):
                total[j] += block[j]
