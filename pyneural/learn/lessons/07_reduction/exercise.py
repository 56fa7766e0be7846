"""07: a tree of sums."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Mistake, blocks, result

BLOCK = 256


def _case(rng: np.random.Generator, n: int) -> Case:
    x = rng.integers(1, 1000, n, dtype=np.int32)
    parts = np.pad(x, (0, -n % BLOCK)).reshape(-1, BLOCK)
    even = parts[:, ::2].sum(1, dtype=np.int32)
    return Case(
        f"n = {n}",
        {"x": x, "sums": result(blocks(n, BLOCK), np.int32), "n": n},
        {"sums": parts.sum(1, dtype=np.int32)},
        blocks(n, BLOCK),
        BLOCK,
        mistakes=(Mistake("sums", even, "the elements at odd places are missing: is there a step with half = 1?"),),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (512, 700, 1, 257)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """The sums leave one by one, each in a sector of its own."""
    return _case(rng, 8 * BLOCK), 4 * 8 * BLOCK + 4 * 8


EXERCISE = Exercise(
    "block_sums",
    _cases,
    _measured,
    share=0.9,
    look={
        "race": "two steps of the tree: the next one may begin only when all threads have ended this one",
        "uninitialized_read": "the last block: its threads past n have a place in part as well",
        "divergent_barrier": "who leaves the loop early: a barrier within it must be reached by all 256 threads",
    },
)
