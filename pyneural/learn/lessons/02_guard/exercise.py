"""02: a guard at two edges."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, blocks, result

SIDE = 16


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    return f"thread ({column % SIDE}, {row % SIDE}) of block ({column // SIDE}, {row // SIDE})"


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    picture = rng.integers(0, 256, (height, width), dtype=np.int32)
    return Case(
        f"{height} rows of {width}",
        {"in": picture, "out": result((height, width), np.int32), "height": height, "width": width},
        {"out": 255 - picture},
        (blocks(width, SIDE), blocks(height, SIDE)),
        (SIDE, SIDE),
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((32, 16), (18, 21), (1, 33), (40, 3))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, 48, 64), 2 * 4 * 48 * 64


EXERCISE = Exercise(
    "invert",
    _cases,
    _measured,
    share=0.99,
    look={"out_of_bounds": "the guard: a thread may have a row without a column, or a column without a row"},
)
