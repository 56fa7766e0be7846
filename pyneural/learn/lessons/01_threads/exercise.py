"""01: the number of a thread among all threads."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Mistake, one_per_element, result


def _case(rng: np.random.Generator, grid: int, block: int) -> Case:
    n = grid * block
    x, a = rng.standard_normal(n).astype(np.float32), np.float32(rng.uniform(2, 3))
    y = a * x
    first = result(n)
    first[:block] = y[:block]
    by_grid = result(n)
    places = (np.arange(grid)[:, None] * grid + np.arange(block)).ravel()
    by_grid[places[places < n]] = y[places[places < n]]
    return Case(
        f"grid {grid}, block {block}",
        {"a": float(a), "x": x, "y": result(n)},
        {"y": y},
        grid,
        block,
        owner=one_per_element(block),
        mistakes=(
            Mistake("y", first, "threadIdx.x begins at 0 in every block: all blocks write the elements of block 0"),
            Mistake("y", by_grid, "a block has blockDim.x threads; gridDim.x is the number of blocks"),
        ),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, grid, block) for grid, block in ((1, 32), (3, 64), (5, 33), (2, 257))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, 8, 128), 2 * 4 * 8 * 128


EXERCISE = Exercise("scale", _cases, _measured, share=0.99)
