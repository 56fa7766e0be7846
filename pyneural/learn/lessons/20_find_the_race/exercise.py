"""20: a kernel with races to find and mend."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit, result

BLOCK, WARPS = 128, 4
ROWS, TILES = 3, 4


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    return f"thread {column % BLOCK} of block {row}, in its tile {column // BLOCK}"


def _case(rng: np.random.Generator, rows: int, width: int) -> Case:
    x = rng.integers(1, 1000, (rows, width), dtype=np.int32)
    return Case(
        f"{rows} rows of {width}",
        {"x": x, "y": result((rows, width), np.int32), "width": width},
        {"y": x.cumsum(1, dtype=np.int32)},
        rows,
        BLOCK,
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    """One tile has no race: it takes a second one to overwrite what the first still reads."""
    return [_case(rng, rows, width) for rows, width in ((2, 600), (3, 128), (1, 1), (2, 389))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, ROWS, TILES * BLOCK), 2 * 4 * ROWS * TILES * BLOCK


BARRIERS = 2 * ROWS * TILES * WARPS
EXERCISE = Exercise(
    "running_sums",
    _cases,
    _measured,
    share=0.99,
    limits=(
        Limit(
            "barriers",
            BARRIERS,
            f"{{value}} times a warp comes to a barrier; {BARRIERS} do: two barriers for a tile. One more than "
            "there was is enough, where it parts both pairs of accesses",
        ),
    ),
    look={
        "race": "what a thread that is already past this line may do, while another one is not there yet",
        "uninitialized_read": "carry must be 0 before the first tile, and everyone must know it",
    },
)
