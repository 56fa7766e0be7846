"""11: a matrix product from tiles."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, blocks, result

SIDE = 16


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    return f"thread ({column % SIDE}, {row % SIDE}) of block ({column // SIDE}, {row // SIDE})"


def _case(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a = rng.standard_normal((m, k)).astype(np.float32)
    b = rng.standard_normal((k, n)).astype(np.float32)
    return Case(
        f"({m}, {k}) times ({k}, {n})",
        {"a": a, "b": b, "c": result((m, n)), "m": m, "n": n, "k": k},
        {"c": (a.astype(np.float64) @ b).astype(np.float32)},
        (blocks(n, SIDE), blocks(m, SIDE)),
        (SIDE, SIDE),
        tolerance=1e-4,
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, m, n, k) for m, n, k in ((32, 16, 48), (17, 33, 5), (1, 1, 1), (20, 7, 40))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Tiles of 16 load each matrix 64 / 16 times: a third of what moves would do for larger ones."""
    return _case(rng, 64, 64, 64), 3 * 4 * 64 * 64


EXERCISE = Exercise(
    "matmul",
    _cases,
    _measured,
    share=0.33,
    look={
        "race": "the tiles are written once for each pair: all must have read the old ones, and wait for the new",
        "divergent_barrier": "threads without an element of c: they load, and come to every barrier, like the others",
        "out_of_bounds": "each tile has two edges: a row and a column of its matrix, of which one is along k",
    },
)
