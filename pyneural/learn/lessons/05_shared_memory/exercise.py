"""05: a tile with a halo, and a barrier."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, blocks, one_per_element, result

BLOCK, RADIUS = 128, 2


def _case(rng: np.random.Generator, n: int) -> Case:
    x = rng.integers(1, 1000, n, dtype=np.int32)
    padded = np.pad(x, RADIUS)
    y = np.convolve(padded, np.ones(2 * RADIUS + 1, np.int32), "valid")[:n].astype(np.int32)
    return Case(
        f"n = {n}",
        {"x": x, "y": result(n, np.int32), "n": n},
        {"y": y},
        blocks(n, BLOCK),
        BLOCK,
        owner=one_per_element(BLOCK),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (256, 300, 1, 131)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Of a tile the halo moves as well, in sectors of its own: some more than each element once."""
    return _case(rng, 1024), 2 * 4 * 1024


EXERCISE = Exercise(
    "window",
    _cases,
    _measured,
    share=0.8,
    look={
        "race": "one thread fills a place of the tile, another one reads it: all threads must wait in between",
        "uninitialized_read": "the halo: 132 places of the tile must be filled, by 128 threads",
        "divergent_barrier": "threads past the end of x have no result, but they must come to the barrier as well",
    },
)
