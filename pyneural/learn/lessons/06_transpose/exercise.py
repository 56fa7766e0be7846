"""06: a transpose without bank conflicts."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit, blocks, result

SIDE, ROWS = 32, 8


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x = rng.standard_normal((height, width)).astype(np.float32)
    return Case(
        f"{height} rows of {width}",
        {"x": x, "y": result((width, height)), "height": height, "width": width},
        {"y": np.ascontiguousarray(x.T)},
        (blocks(width, SIDE), blocks(height, SIDE)),
        (SIDE, ROWS),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((32, 64), (33, 70), (1, 5), (47, 31))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, 64, 96), 2 * 4 * 64 * 96


EXERCISE = Exercise(
    "transpose",
    _cases,
    _measured,
    share=0.99,
    limits=(
        Limit(
            "global_store_sectors_per_request",
            4,
            "a store of a warp touches {value} sectors on average; 32 floats side by side lie in 4",
        ),
        Limit(
            "shared_load_bank_conflicts",
            0,
            "{value} times a warp waits for a bank of shared memory that serves another of its lanes",
        ),
    ),
)
