"""13: a convolution from a tile with a halo."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Mistake, blocks, result

SIDE = 16


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    return f"thread ({column % SIDE}, {row % SIDE}) of block ({column // SIDE}, {row // SIDE})"


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x = rng.integers(1, 256, (height, width), dtype=np.int32)
    padded = np.pad(x, 1)
    box = sum(padded[r : r + height, c : c + width] for r in range(3) for c in range(3))
    y = (9 * x - box).astype(np.int32)
    return Case(
        f"{height} rows of {width}",
        {"x": x, "y": result((height, width), np.int32), "height": height, "width": width},
        {"y": y},
        (blocks(width, SIDE), blocks(height, SIDE)),
        (SIDE, SIDE),
        owner=_owner,
        mistakes=(Mistake("y", y - x, "the pixel itself is among the nine: it counts 8 times when all is done"),),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((32, 32), (17, 35), (1, 1), (3, 20))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """The halo moves as well, in sectors of its own: 18 rows of 4 sectors for 16 of 2."""
    return _case(rng, 64, 64), 2 * 4 * 64 * 64


EXERCISE = Exercise(
    "edges",
    _cases,
    _measured,
    share=0.55,
    look={
        "race": "a pixel's neighbours are filled in by other threads: all must wait in between",
        "uninitialized_read": "the halo: 324 places must be filled, by 256 threads",
    },
)
