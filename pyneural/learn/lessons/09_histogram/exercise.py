"""09: counts by atomics, in shared memory first."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit

BINS, GRID, BLOCK = 64, 3, 128
FEWEST = GRID * BINS // 32


def _case(rng: np.random.Generator, n: int) -> Case:
    x = (BINS * rng.random(n) ** 2).astype(np.int32)
    counts = np.bincount(x, minlength=BINS).astype(np.int32)
    return Case(f"n = {n}", {"x": x, "counts": np.zeros(BINS, np.int32), "n": n}, {"counts": counts}, GRID, BLOCK)


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (1000, 384, 1, 2049)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Atomics are counted by themselves: what moves is x."""
    return _case(rng, 3840), 4 * 3840


SAYS = f"{{value}} atomic instructions go to global memory; {FEWEST} do if each block counts in shared memory first"
EXERCISE = Exercise(
    "histogram",
    _cases,
    _measured,
    share=0.99,
    limits=(Limit("atomic_global_requests", FEWEST, SAYS),),
    look={
        "race": "two threads may count one value at once; and before a step begins, all must have ended the last",
        "uninitialized_read": "who sets the shared counts to 0: shared memory holds anything at first",
    },
)
