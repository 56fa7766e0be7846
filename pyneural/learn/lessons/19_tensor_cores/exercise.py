"""19: a matrix product on tensor cores."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Array, Case, Exercise, Limit, Mistake, blocks, result

ROWS, COLUMNS, INNER, WARPS = 16, 8, 16, 4
COUNTED = 64
LOADS = 6 * (COUNTED // ROWS) * (COUNTED // COLUMNS) * (COUNTED // INNER)


def _product(a: Array, b: Array) -> Array:
    return np.asarray(a.astype(np.float64) @ b.astype(np.float64).T, np.float32)


def _corners_swapped(a: Array) -> Array:
    """a as it is where registers 1 and 2 have changed places: of each 16 by 16, two corners of 8 by 8."""
    height, width = a.shape
    tiles = np.zeros((blocks(height, ROWS) * ROWS, width), a.dtype)
    tiles[:height] = a
    corners = tiles.reshape(-1, 2, 8, width // INNER, 2, 8)
    return np.asarray(corners.transpose(0, 4, 2, 3, 1, 5).reshape(tiles.shape)[:height])


def _owner(index: tuple[int, ...]) -> str:
    row, column = index
    lane = row % 8 * 4 + column % COLUMNS // 2
    block = f"({column // (COLUMNS * WARPS)}, {row // ROWS})"
    return (
        f"lane {lane} of warp {column // COLUMNS % WARPS} of block {block}, its d[{row % ROWS // 8 * 2 + column % 2}]"
    )


def _case(rng: np.random.Generator, m: int, n: int, k: int) -> Case:
    a, b = (rng.standard_normal((length, k)).astype(np.float16) for length in (m, n))
    swapped = "registers 1 and 2 of a have changed places: 1 is eight rows below 0, 2 is eight places further along k"
    return Case(
        f"({m}, {k}) times ({n}, {k}) transposed",
        {"a": a, "b": b, "c": result((m, n)), "m": m, "n": n, "k": k},
        {"c": _product(a, b)},
        (blocks(n, COLUMNS * WARPS), blocks(m, ROWS)),
        32 * WARPS,
        tolerance=1e-4,
        mistakes=(Mistake("c", _product(_corners_swapped(a), b), swapped),),
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, m, n, k) for m, n, k in ((16, 32, 32), (21, 13, 48), (1, 1, 16), (40, 35, 16))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Each warp loads its own fragments: what tiles in shared memory would spare is not asked for here."""
    return _case(rng, COUNTED, COUNTED, COUNTED), 2 * 2 * COUNTED**2 + 4 * COUNTED**2


EXERCISE = Exercise(
    "matmul",
    _cases,
    _measured,
    share=0.14,
    limits=(
        Limit(
            "global_load_requests",
            LOADS,
            f"{{value}} loads of a warp from global memory; {LOADS} do, one for each register of a fragment",
            "the two elements of a register: they are neighbours in memory, and can be loaded as one",
        ),
    ),
    cuda_only="Numba has no tensor cores (mma), which it is about",
    look={
        "invalid_warp_sync": "the product is the whole warp's: lanes without an element of c must come to it as well",
        "misaligned": "the pairs of a register: neighbours along k, of which the first has an even place",
        "out_of_bounds": "rows beyond m of a and beyond n of b: their elements are 0, and are not loaded",
    },
)
