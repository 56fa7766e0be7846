"""A trace in characters: what one warp does to memory, an instruction a line, its lanes, sectors and banks."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pyneural.cuda.trace import Trace

LANES = 32
SECTOR = 32
"""Bytes."""
BANKS, WORD = 32, 4
PASS = BANKS * WORD
"""Bytes that shared memory moves at once, if no two lanes want different words of a bank."""


def drawing(trace: Trace, block: int, warp: int, *, rows: int = 12, skip: int = 0, cost: bool = True) -> list[str]:
    """At most ``rows`` instructions of a warp, in its order; equal ones that follow each other are one line.

    A ``#`` is a lane that takes part. With ``cost`` come the sectors of 32 bytes of global memory that are moved, the
    turns that shared memory needs, or how many lanes want one place atomically; then the elements of the first three
    lanes and of the last. A line of dashes is a barrier. Local memory is left out: how much of it there is, the
    compiler for the CPU decides. ``skip`` leaves out the first lines, too. Arrays are taken to begin where a sector
    does, as a GPU's do.

    Raises:
        ValueError: the block was not recorded, or the warp did nothing.
    """
    if block not in trace.blocks:
        raise ValueError(f"drawing: block (={block}) was not recorded; there are {list(trace.blocks)}")
    requests = trace.requests
    mine = requests[(requests["block"] == block) & (requests["warp"] == warp)]
    if not len(mine):
        raise ValueError(f"drawing: warp (={warp}) of block {block} made no request")
    said: list[list[Any]] = []  # a line and how often it follows itself
    for request in mine:
        if trace.instructions[request["instruction"]].kind.startswith("local"):
            continue
        line = _line(trace, request, cost)
        if said and said[-1][0] == line:
            said[-1][1] += 1
        else:
            said.append([line, 1])
    lines = [text if count == 1 else f"{text}   {count} times" for text, count in said]
    left = len(lines) - skip - rows
    return [*(["..."] if skip else []), *lines[skip : skip + rows], *(["..."] if left > 0 else [])]


def _line(trace: Trace, request: Any, cost: bool) -> str:
    kind = trace.instructions[request["instruction"]].kind
    if kind == "barrier":
        return "-" * (14 + LANES) + " barrier"
    lanes = [lane for lane in range(LANES) if request["mask"] >> lane & 1]
    space, _, what = kind.partition("_")
    bar = "".join("#" if lane in lanes else "." for lane in range(LANES))
    if request["array"] < 0:
        return f"{f'{what} ({space})':13} {bar}"
    array = trace.arrays[request["array"]]
    offsets = [int(request["offset"][lane]) for lane in lanes]
    size = int(request["size"])
    if what == "atomic":
        shown = f"{max(Counter(offsets).values()):3} at once"
    elif space == "shared":
        shown = _count(turns(offsets, size), "turn")
    else:
        shown = _count(len({(at + step) // SECTOR for at in offsets for step in (0, size - 1)}), "sector")
    return " ".join(
        [f"{f'{what} {array.name}':13}", bar, *([f"{shown:12}"] if cost else []), _elements(offsets, array.element)]
    )


def _count(count: int, unit: str) -> str:
    return f"{count:3} {unit}{'' if count == 1 else 's'}"


def _elements(offsets: list[int], element: int) -> str:
    places = [str(at // max(element, 1)) for at in offsets]
    if len(set(places)) == 1:
        return f"[{places[0]}]"
    return f"[{' '.join(places)}]" if len(places) <= 4 else f"[{' '.join(places[:3])} .. {places[-1]}]"


def turns(offsets: list[int], size: int) -> int:
    """How often shared memory is turned to for the ``size`` bytes at each lane's offset.

    Lanes are served together as far as their bytes fill one pass; of these, different words of a bank one after
    another, and a word that several want at once.
    """
    together = max(1, PASS // max(size, WORD))
    count = 0
    for first in range(0, len(offsets), together):
        words: dict[int, set[int]] = {}
        for at in offsets[first : first + together]:
            for word in range(at // WORD, (at + size - 1) // WORD + 1):
                words.setdefault(word % BANKS, set()).add(word)
        count += max(len(each) for each in words.values())
    return count
