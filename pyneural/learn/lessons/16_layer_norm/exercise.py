"""16: the backward pass of layer norm."""

from __future__ import annotations

import numpy as np

from pyneural.learn.exercise import Array, Case, Exercise, Mistake, blocks, result

WARPS, ROWS = 4, 16
EPS = 1e-3


def _parts(of_rows: Array) -> Array:
    """The sum of each block's rows."""
    return np.stack([of_rows[top : top + ROWS].sum(0) for top in range(0, len(of_rows), ROWS)]).astype(np.float32)


def _case(rng: np.random.Generator, height: int, width: int) -> Case:
    x, dy = (rng.standard_normal((height, width)).astype(np.float32) for _ in range(2))
    w = rng.standard_normal(width).astype(np.float32)
    mean = x.mean(1, dtype=np.float64)
    rstd = 1 / np.sqrt(x.var(1, dtype=np.float64) + EPS)
    mean, rstd = mean.astype(np.float32), rstd.astype(np.float32)
    normed = (x.astype(np.float64) - mean[:, None]) * rstd[:, None]
    g = dy.astype(np.float64) * w
    plain, along = g.mean(1, keepdims=True), normed * (g * normed).mean(1, keepdims=True)

    def dx(inner: Array) -> Array:
        return np.asarray(inner * rstd[:, None], np.float32)

    return Case(
        f"{height} rows of {width}",
        {
            "x": x,
            "dy": dy,
            "w": w,
            "mean": mean,
            "rstd": rstd,
            "dx": result((height, width)),
            "parts": result((blocks(height, ROWS), width)),
            "height": height,
            "width": width,
        },
        {"dx": dx(g - plain - along), "parts": _parts(dy * normed)},
        blocks(height, ROWS),
        32 * WARPS,
        tolerance=1e-4,
        mistakes=(
            Mistake("dx", dx(g), "mean and rstd depend on every x of the row: two terms are missing"),
            Mistake("dx", dx(g - along), "the mean depends on every x of the row: the term mean(g) is missing"),
            Mistake("dx", dx(g - plain), "rstd depends on every x of the row: the term x̂ mean(g x̂) is missing"),
            Mistake("parts", _parts(g * normed), "w has no part in its own gradient: that is the sum of dy x̂"),
            Mistake("parts", _parts(dy.astype(np.float64) * x), "the weights are multiplied by x̂, not by x"),
        ),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, height, width) for height, width in ((21, 100), (16, 128), (1, 1), (35, 45))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """Beside x, dy and dx there are the weights, which each row may load again: they are a quarter of it then."""
    height, width = 64, 128
    return _case(rng, height, width), 4 * (3 * height * width + width + 2 * height + blocks(height, ROWS) * width)


EXERCISE = Exercise(
    "layer_norm_backward",
    _cases,
    _measured,
    share=0.6,
    look={
        "race": "what the warps write to shared memory: each has a row of its own there, and all wait before the sum",
        "out_of_bounds": "a lane has places for 4 elements of a row, but rows may be shorter",
    },
)
