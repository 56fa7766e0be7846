"""08: a warp for each row."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Mistake, blocks, result

WARPS = 4


def _owner(index: tuple[int, ...]) -> str:
    return f"lane 0 of warp {index[0] % WARPS} of block {index[0] // WARPS}"


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x = rng.integers(1, 1000, (height, width), dtype=np.int32)
    lanes = np.pad(x, ((0, 0), (0, -width % 32))).reshape(height, -1, 32).sum(1, dtype=np.int32)
    half = lanes[:, :16].sum(1, dtype=np.int32)
    return Case(
        f"{height} rows of {width}",
        {"x": x, "sums": result(height, np.int32), "height": height, "width": width},
        {"sums": lanes.sum(1, dtype=np.int32)},
        blocks(height, WARPS),
        32 * WARPS,
        owner=_owner,
        mistakes=(Mistake("sums", half, "the upper 16 lanes are in no sum: the first distance is half a warp"),),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((8, 32), (5, 77), (1, 7), (6, 1))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """The sums leave one by one, each in a sector of its own."""
    return _case(rng, 16, 128), 4 * 16 * 128 + 4 * 16


EXERCISE = Exercise(
    "row_sums",
    _cases,
    _measured,
    share=0.9,
    look={"invalid_warp_sync": "the branch or loop around the shuffle: all 32 lanes that the mask names must come"},
)
