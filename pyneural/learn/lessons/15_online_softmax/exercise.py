"""15: softmax with maximum and sum in one pass."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Case, Exercise, blocks, result

WARPS = 4


def _owner(index: tuple[int, ...]) -> str:
    return f"lane {index[1] % 32} of warp {index[0] % WARPS} of block {index[0] // WARPS}"


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x = (100 * rng.standard_normal((height, width))).astype(np.float32)
    powers = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    return Case(
        f"{height} rows of {width}",
        {"x": x, "y": result((height, width)), "height": height, "width": width},
        {"y": (powers / powers.sum(1, keepdims=True)).astype(np.float32)},
        blocks(height, WARPS),
        32 * WARPS,
        tolerance=1e-5,
        owner=_owner,
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((5, 200), (4, 32), (1, 1), (3, 45))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """x is needed twice: two thirds of what moves would do if a row stayed in registers."""
    return _case(rng, 8, 256), 2 * 4 * 8 * 256


EXERCISE = Exercise("softmax", _cases, _measured, share=0.65)
