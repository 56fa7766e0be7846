"""Where each array of a plan lies: arrays that are not needed at the same time share memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyneural.kernels.memory import rounded

MANY = 2000
"""Allocations of which one order takes a quarter of a second, and only one is tried."""


class Life(NamedTuple):
    """An allocation: its bytes, and the first and the last step that touch it."""

    nbytes: int
    first: int
    last: int


def layout(lives: Sequence[Life]) -> tuple[list[int], int]:
    """An offset for each allocation, and the bytes of all.

    One after the other comes into the smallest gap that holds it, in the best of several orders.

    Source: Pisarchyk & Lee 2020, arXiv:2001.03288, "greedy by size" and "by breadth".
    """
    by_size = sorted(range(len(lives)), key=lambda each: (-lives[each].nbytes, lives[each].first))
    if len(lives) > MANY:
        return _in_order(lives, by_size)
    most: dict[int, int] = {}  # bytes that are needed in a step
    for life in lives:
        for step in range(life.first, life.last + 1):
            most[step] = most.get(step, 0) + life.nbytes
    breadths = [max(most[step] for step in range(life.first, life.last + 1)) for life in lives]
    orders = (
        lambda each: (-breadths[each], -lives[each].nbytes),
        lambda each: (lives[each].first - lives[each].last, -lives[each].nbytes),
        lambda each: lives[each].nbytes * (lives[each].first - lives[each].last - 1),
        lambda each: (lives[each].first, -lives[each].last),
    )
    others = (sorted(by_size, key=order) for order in orders)
    return min((_in_order(lives, order) for order in (by_size, *others)), key=lambda found: found[1])


def _in_order(lives: Sequence[Life], order: Sequence[int]) -> tuple[list[int], int]:
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, Life]] = []  # first byte, byte after the last, whose
    for number in order:
        life = lives[number]
        size = rounded(life.nbytes)
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
