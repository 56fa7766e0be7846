"""12: a matrix product with four results for a thread."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, Limit, blocks, result

SIDE, EACH = 16, 4
COUNTED = 64
LOADS = (EACH + 1) * COUNTED**3 // EACH // 32


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    below = row % (SIDE * EACH)
    block = f"({column // SIDE}, {row // (SIDE * EACH)})"
    return f"thread ({column % SIDE}, {below // EACH}) of block {block}, its result {below % EACH}"


def _case(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a = rng.standard_normal((m, k)).astype(np.float32)
    b = rng.standard_normal((k, n)).astype(np.float32)
    return Case(
        f"({m}, {k}) times ({k}, {n})",
        {"a": a, "b": b, "c": result((m, n)), "m": m, "n": n, "k": k},
        {"c": (a.astype(np.float64) @ b).astype(np.float32)},
        (blocks(n, SIDE), blocks(m, SIDE * EACH)),
        (SIDE, SIDE),
        tolerance=1e-4,
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, m, n, k) for m, n, k in ((64, 16, 32), (67, 17, 5), (1, 1, 1), (20, 7, 40))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _case(rng, COUNTED, COUNTED, COUNTED), 3 * 4 * COUNTED**2


SAYS = (
    f"{{value}} loads of a warp from shared memory; {LOADS} do if what was loaded of bt stays in a register for "
    f"{EACH} multiplications"
)
EXERCISE = Exercise(
    "matmul",
    _cases,
    _measured,
    share=0.49,
    limits=(Limit("shared_load_requests", LOADS, SAYS),),
    look={
        "race": "the tiles are written once for each pair: all must have read the old ones, and wait for the new",
        "uninitialized_read": "a's tile has 64 rows, and there are 16 rows of threads",
    },
)
