"""What a loop reads next is fetched while it computes: for loops over elements that may lie far away.

A processor asks for what its next few hundred instructions load. Where an element takes many, as in gelu, that is too
little to hide the way to memory, and not every processor looks further by itself.
"""

from __future__ import annotations

from typing import Any

from .jit import jit
from .simd import fetch

NEAR = 256
"""Elements that are computed while the next are fetched (measured: with 512, more lines are under way than can be)."""

FAR = 1 << 17
"""Elements of an array from which on it is no longer in a second cache, where it needs no fetching."""


@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def step(count: int) -> int:
    """How many of ``count`` elements a loop takes at a time: all, or `NEAR`."""
    return NEAR if count >= FAR else max(count, 1)


@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def bring(x: Any, at: int, count: int, taken: int) -> None:
    """Fetch ``count`` elements of the contiguous array ``x`` from ``at`` on, where a loop takes `NEAR` at a time.

    They need not be there at all.
    """
    if taken == NEAR:
        fetch(x.ctypes.data + at * x.itemsize, count * x.itemsize)
