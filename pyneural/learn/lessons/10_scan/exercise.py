"""10: a scan of one block."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Mistake, one_per_element, result

BLOCK = 256


def _case(rng: np.random.Generator, n: int) -> Case:
    x = rng.integers(1, 1000, n, dtype=np.int32)
    y = np.cumsum(x, dtype=np.int32)
    return Case(
        f"n = {n}",
        {"x": x, "y": result(n, np.int32), "n": n},
        {"y": y},
        1,
        BLOCK,
        owner=one_per_element(BLOCK),
        mistakes=(Mistake("y", y - x, "each sum lacks its own element: that is the exclusive scan"),),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (256, 1, 33, 255)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, BLOCK), 2 * 4 * BLOCK


EXERCISE = Exercise(
    "scan",
    _cases,
    _measured,
    share=0.99,
    look={
        "race": "the two halves of a step: all threads read, wait, write, and wait again",
        "out_of_bounds": "the first threads of each step: what lies `distance` places before them?",
    },
)
