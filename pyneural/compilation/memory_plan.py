"""Where each array of a plan lies: arrays that are not needed at the same time share memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyneural.kernels.memory import ALIGNMENT


class Life(NamedTuple):
    """An allocation: its bytes, and the first and the last step that touch it."""

    nbytes: int
    first: int
    last: int


def layout(lives: Sequence[Life]) -> tuple[list[int], int]:
    """An offset for each allocation, and the bytes of all.

    Large ones come first, each into the smallest gap that holds it.

    Source: Pisarchyk & Lee 2020, arXiv:2001.03288, "greedy by size".
    """
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, Life]] = []  # first byte, byte after the last, whose
    for number in sorted(range(len(lives)), key=lambda each: (-lives[each].nbytes, lives[each].first)):
        life = lives[number]
        size = -(-life.nbytes // ALIGNMENT) * ALIGNMENT
        offset = _gap(
            sorted((low, high) for low, high, other in placed if other.first <= life.last and life.first <= other.last),
            size,
        )
        offsets[number] = offset
        placed.append((offset, offset + size, life))
    return offsets, max((high for _, high, _ in placed), default=0)


def _gap(taken: Iterable[tuple[int, int]], size: int) -> int:
    """The first of ``size`` free bytes between intervals, which are in order of their beginnings."""
    best, smallest, end = -1, 0, 0
    for low, high in taken:
        if low - end >= size and (best < 0 or low - end < smallest):
            best, smallest = end, low - end
        end = max(end, high)
    return end if best < 0 else best
