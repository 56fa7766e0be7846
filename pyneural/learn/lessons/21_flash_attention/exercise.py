"""21: attention without a matrix of scores."""

from __future__ import annotations

import math

import numpy as np

from pyneural.learn.exercise import Array, Case, Exercise, Mistake, blocks, result

D, TILE, WARPS = 32, 32, 16
COUNTED = 128


def _owner(index: tuple[int, ...]) -> str:
    return f"lane {index[1]} of warp {index[0] % WARPS} of block {index[0] // WARPS}"


def _attention(scores: Array, v: Array) -> Array:
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(weights @ v / weights.sum(1, keepdims=True), np.float32)


def _never_fades(scores: Array, v: Array) -> Array:
    """The sum of the exponentials is brought to each new maximum, the sum of the rows of v is not."""
    most = np.full((len(scores), 1), -np.inf)
    out = np.zeros((len(scores), v.shape[1]))
    for first in range(0, scores.shape[1], TILE):
        tile = scores[:, first : first + TILE]
        most = np.maximum(most, tile.max(1, keepdims=True))
        out += np.exp(tile - most) @ v[first : first + TILE]
    return np.asarray(out / np.exp(scores - most).sum(1, keepdims=True), np.float32)


def _case(rng: np.random.Generator, m: int, n: int) -> Case:
    q, k, v = (rng.standard_normal((rows, D)).astype(np.float32) for rows in (m, n, n))
    q *= 2
    products = q.astype(np.float64) @ k.T
    scores = products / math.sqrt(D)
    rest = -n % TILE
    padded, zeros = np.pad(scores, ((0, 0), (0, rest))), np.pad(v, ((0, rest), (0, 0)))
    return Case(
        f"{m} rows of q, {n} of k and v",
        {"q": q, "k": k, "v": v, "o": result((m, D)), "m": m, "n": n},
        {"o": _attention(scores, v)},
        blocks(m, WARPS),
        32 * WARPS,
        tolerance=1e-4,
        owner=_owner,
        mistakes=(
            Mistake("o", _attention(products, v), "the scores are too large, by a factor of sqrt(D)"),
            Mistake(
                "o", _attention(padded, zeros), "places past the last row of k: their score is not 0, they have none"
            ),
            Mistake(
                "o", _never_fades(scores, v), "when a larger score comes, what is in `out` is worth less, as the sum is"
            ),
        ),
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, m, n) for m, n in ((17, 70), (16, 64), (1, 1), (5, 33))]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    """k and v pass by once for each block: a larger one would have less of that, and no score ever moves."""
    return _case(rng, COUNTED, COUNTED), 4 * D * 4 * COUNTED


EXERCISE = Exercise(
    "attention",
    _cases,
    _measured,
    share=0.22,
    look={
        "race": "the tiles are filled by all warps: all must have read the old ones, and wait for the new",
        "divergent_barrier": "warps without a row of q: they load, and come to every barrier, like the others",
        "uninitialized_read": "a tile has 32 rows for 16 warps, and the last tile has rows past the end",
        "out_of_bounds": "the last tile, which k and v may end within",
    },
)
