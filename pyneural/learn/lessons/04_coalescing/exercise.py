"""04: a loop over the grid."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit, result

GRID, BLOCK = 4, 64


def _owner(index: tuple[int, ...]) -> str:
    thread = index[0] % (GRID * BLOCK)
    return f"thread {thread % BLOCK} of block {thread // BLOCK} in round {index[0] // (GRID * BLOCK)}"


def _case(rng: np.random.Generator, n: int) -> Case:
    x, a = rng.standard_normal(n).astype(np.float32), np.float32(rng.uniform(2, 3))
    return Case(f"n = {n}", {"a": float(a), "x": x, "y": result(n), "n": n}, {"y": a * x}, GRID, BLOCK, owner=_owner)


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (256, 1, 257, 1001)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, 2048), 2 * 4 * 2048


SAYS = "a load of a warp touches {value} sectors on average; 32 floats side by side lie in 4"
EXERCISE = Exercise(
    "scale_all", _cases, _measured, share=0.99, limits=(Limit("global_load_sectors_per_request", 4, SAYS),)
)
