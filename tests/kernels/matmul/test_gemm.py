"""The CUDA matrix product's main loops: every tile, every way operands lie, every edge, split or not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import cuda_gemm, cuda_launch, dtypes
from pyneural.kernels.matmul import cuda as launches

pytestmark = pytest.mark.simulator

TILES = {each.name: each for each in (cuda_gemm.SMALL, cuda_gemm.MEDIUM, cuda_gemm.LARGE, cuda_gemm.WARPGROUP)}
DTYPES = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)


def matrix(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype[Any], *, transposed: bool) -> np.ndarray:
    values = rng.standard_normal(shape if not transposed else shape[::-1]).astype(dtype)
    return values.T if transposed else values


def check(a: np.ndarray, b: np.ndarray, tile: cuda_gemm.Tile, splits: int = 1) -> None:
    """The product is right and clean under the sanitizer."""
    out = np.full((a.shape[0], b.shape[1]), np.nan, a.dtype)
    with cuda_launch.sanitized(5) as reports:
        launches._product(a, b, None, None, out, tile, splits)
    assert reports
    assert all(each.ok for each in reports), "\n".join(str(each) for each in reports)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    size = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    unit = dtypes.epsilon(dtypes.accumulator(a.dtype))
    allowed = a.shape[1] * unit * size + dtypes.epsilon(a.dtype) * np.abs(exact)
    assert np.all(np.abs(out.astype(np.float64) - exact) <= allowed)


@pytest.mark.parametrize(
    ("tile", "dtype"),
    [(name, dtype) for name in TILES for dtype in DTYPES if cuda_gemm.fits(TILES[name], dtype)],
    ids=str,
)
def test_tiles_and_strides(tile: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """A tile and a bit in every direction: aligned sizes, odd ones, steps that are no multiple of an access."""
    side = TILES[tile].side
    for a_turned, b_turned in itertools.product((False, True), repeat=2):
        for m, n, inner in ((side, side, 32), (side + 8, side + 16, 72), (side + 3, side - 5, 37)):
            a = matrix(rng, (m, inner), dtype, transposed=a_turned)
            b = matrix(rng, (inner, n), dtype, transposed=b_turned)
            check(a, b, TILES[tile])


@pytest.mark.parametrize("tile", TILES)
def test_views(tile: str, rng: np.random.Generator) -> None:
    """Operands that are parts of others: steps in both dimensions, backwards, not aligned, one element."""
    dtype = dtypes.float32 if cuda_gemm.fits(TILES[tile], dtypes.float32) else dtypes.float16
    x = rng.standard_normal((90, 3, 90)).astype(dtype)
    check(x[:70, 1, 2:75], x[::-1, 0, :][:73], TILES[tile])
    check(x[:70, :, ::3][:, 2], x[:30, 0, 1:80:2], TILES[tile])
    check(x[:1, 0, :1], x[:1, 1, 5:6], TILES[tile])


@pytest.mark.parametrize(
    ("tile", "dtype"),
    [
        (name, dtype)
        for name in TILES
        for dtype in (dtypes.float32, dtypes.float16)
        if cuda_gemm.fits(TILES[name], dtype)
    ],
    ids=str,
)
def test_splits(tile: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """Inner dimensions in parts: whole ones, a last one that is shorter, and some with nothing to sum."""
    for inner, splits in ((64, 2), (100, 3), (33, 7)):
        a, b = matrix(rng, (35, inner), dtype, transposed=False), matrix(rng, (inner, 24), dtype, transposed=True)
        check(a, b, TILES[tile], splits)
