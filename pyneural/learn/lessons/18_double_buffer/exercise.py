"""18: a matrix product whose tiles arrive while others are multiplied."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit, blocks, result

SIDE = 16
COUNTED = 64
WARPS = SIDE * SIDE // 32
BARRIERS = (COUNTED // SIDE) ** 2 * (COUNTED // SIDE) * WARPS


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
    return [_case(rng, m, n, k) for m, n, k in ((32, 16, 48), (17, 33, 5), (1, 1, 1), (20, 7, 70))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, COUNTED, COUNTED, COUNTED), 3 * 4 * COUNTED**2


EXERCISE = Exercise(
    "matmul",
    _cases,
    _measured,
    share=0.33,
    limits=(
        Limit(
            "barriers",
            BARRIERS,
            f"{{value}} times a warp comes to a barrier; {BARRIERS} do, one for each pair of tiles, if the next copies "
            "are started behind it",
            "the buffer that the next copies go to: who read it last, and which barrier have they passed since?",
        ),
    ),
    cuda_only="Numba has no asynchronous copies (cp.async), which it is about",
    look={
        "race": "has each thread committed its copies, waited for them, and then told the others, at the barrier? And "
        "who may still read where the next copies go to?",
        "out_of_bounds": "each tile has two edges: a row and a column of its matrix, of which one is along k",
    },
)
