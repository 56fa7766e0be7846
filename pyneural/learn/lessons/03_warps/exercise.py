"""03: roles for warps."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import POISON, Case, Exercise, Limit, Mistake, blocks, result

COUNTED = 256


def _case(rng: np.random.Generator, n: int) -> Case:
    x = rng.integers(-1000, 1000, n, dtype=np.int32)
    element = np.arange(n)
    by_block = np.where(element // 32 % 2 == 0, 2 * x, POISON).astype(np.int32)
    late = np.where(element < 32, POISON, x * x).astype(np.int32)
    return Case(
        f"n = {n}",
        {"x": x, "doubled": result(n, np.int32), "squared": result(n, np.int32), "n": n},
        {"doubled": 2 * x, "squared": x * x},
        blocks(n, 32),
        64,
        mistakes=(
            Mistake("doubled", by_block, "every other block has nothing in doubled: both roles are in each block"),
            Mistake("squared", late, "threadIdx.x of the second warp is 32 to 63, its first element that of the block"),
        ),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, n) for n in (150, 32, 1, 33)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Each role reads x: three quarters of what moves are necessary."""
    return _case(rng, COUNTED), 3 * 4 * COUNTED


SAYS = (
    f"{{value}} memory instructions were issued; {4 * COUNTED // 32} do if each warp has one role: here warps go "
    "through both sides of the branch with half of their lanes"
)
EXERCISE = Exercise(
    "two_roles", _cases, _measured, share=0.74, limits=(Limit("memory_instructions", 4 * COUNTED // 32, SAYS),)
)
