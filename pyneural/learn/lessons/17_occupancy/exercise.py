"""17: two steps in the shared memory of one."""

from __future__ import annotations

import numpy as np

from pyneural.cuda.resources import ARCHITECTURES
from pyneural.learn.exercise import Array, Case, Exercise, Limit, Mistake, blocks, result

THREADS, SIDE, HALO = 256, 64, 2
FULL = SIDE + 2 * HALO
COUNTED = 2 * SIDE
A100 = ARCHITECTURES["sm_80"]
BLOCKS = A100.warps // (THREADS // 32)
ROOM = A100.shared // BLOCKS - A100.reserved
LOADS = (2 * HALO + 1) * (FULL + SIDE) * SIDE // 32 * (COUNTED // SIDE) ** 2


def _box(x: Array, down: bool = True) -> Array:
    """By definition; without `down` only along rows."""
    height, width = x.shape
    padded = np.pad(x, HALO)
    rows = range(2 * HALO + 1) if down else (HALO,)
    return sum(
        (padded[i : i + height, j : j + width] for i in rows for j in range(2 * HALO + 1)),
        start=np.zeros_like(x),
    )


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    return f"block ({column // SIDE}, {row // SIDE}), place [{row % SIDE}][{column % SIDE}] of its 64 by 64"


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x = rng.integers(1, 256, (height, width), dtype=np.int32)
    return Case(
        f"{height} by {width}",
        {"x": x, "y": result((height, width), np.int32), "height": height, "width": width},
        {"y": _box(x)},
        (blocks(width, SIDE), blocks(height, SIDE)),
        THREADS,
        mistakes=(Mistake("y", _box(x, down=False), "these are the sums along rows only: five of them make a result"),),
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((70, 67), (64, 64), (1, 1), (9, 130))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, COUNTED, COUNTED), 2 * 4 * COUNTED**2


EXERCISE = Exercise(
    "box",
    _cases,
    _measured,
    share=0.6,
    limits=(
        Limit(
            "shared_bytes",
            ROOM,
            f"{{value}} bytes of shared memory for a block; {BLOCKS} blocks, which are all {A100.warps} warps of a "
            f"multiprocessor of an A100, have room if a block takes at most {ROOM}",
            "which tile is still needed when the next one is begun: may the next one lie in the same place?",
        ),
        Limit(
            "shared_load_requests",
            LOADS,
            f"{{value}} loads of a warp from shared memory; {LOADS} do if the sums of five along rows are kept",
        ),
    ),
    look={
        "race": "where a sum takes the place of an element: who still needs the element, and who waits for the sum?",
        "divergent_barrier": "68 rows for 8 warps: some warps have one more. What must wait for this row's sums?",
    },
)
