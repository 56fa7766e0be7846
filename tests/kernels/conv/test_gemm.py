"""The CUDA convolutions' implicit GEMMs: every main loop, dtype and number of dimensions, at sizes beyond one tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend, cuda_gemm, cuda_launch, dtypes
from pyneural.kernels.conv import cuda_launches

pytestmark = pytest.mark.simulator

TILES = {each.name: each for each in (cuda_gemm.SMALL, cuda_gemm.MEDIUM, cuda_gemm.LARGE, cuda_gemm.WARPGROUP)}

# Images, channels, results, groups, image, taps, stride, padding, dilation.
SHAPES: dict[str, tuple[int, int, int, int, tuple[int, ...], tuple[int, ...], int, int, int]] = {
    "more channels than a tile": (2, 5, 131, 1, (7, 9), (3, 3), 1, 1, 1),
    "planes of whole accesses": (3, 8, 16, 1, (8, 8), (3, 3), 1, 1, 1),
    "stride, dilation, groups": (2, 6, 8, 2, (11, 10), (3, 2), 2, 2, 2),
    "filters of whole accesses": (1, 40, 24, 1, (6, 6), (1, 1), 1, 0, 1),
    "volumes": (2, 3, 5, 1, (4, 5, 3), (2, 3, 2), 1, 1, 1),
}


def check(
    run: Callable[[np.ndarray], None], exact: np.ndarray, size: np.ndarray, terms: int, dtype: np.dtype[Any]
) -> None:
    """The result is right and clean under the sanitizer."""
    out = np.full(exact.shape, np.nan, dtype)
    with cuda_launch.sanitized(5) as reports:
        run(out)
    assert reports
    assert all(each.ok for each in reports), "\n".join(str(each) for each in reports)
    allowed = terms * dtypes.epsilon(dtypes.accumulator(dtype)) * size + dtypes.epsilon(dtype) * np.abs(exact)
    assert np.all(np.abs(out.astype(np.float64) - exact) <= allowed)


def check_shape(
    shape: tuple[int, int, int, int, tuple[int, ...], tuple[int, ...], int, int, int],
    tile: cuda_gemm.Tile,
    dtype: np.dtype[Any],
    rng: np.random.Generator,
) -> None:
    """Forward, dgrad and wgrad (whole and in splits) of one shape."""
    n, c, k, groups, image, taps, *steps = shape
    reference = backend("reference")
    dims = len(image)
    name = f"conv{dims}d"
    stride, padding, dilation = ((each,) * dims for each in steps)
    attributes = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = rng.standard_normal((n, c, *image)).astype(dtype)
    weight = rng.standard_normal((k, c // groups, *taps)).astype(dtype)
    bias = rng.standard_normal(k).astype(dtype)
    wide_x, wide_weight = x.astype(np.float64), weight.astype(np.float64)
    places = (stride, padding, dilation, groups, tile)

    forward = getattr(reference, name)
    exact = forward(wide_x, wide_weight, bias.astype(np.float64), **attributes)
    size = forward(abs(wide_x), abs(wide_weight), abs(bias.astype(np.float64)), **attributes)
    terms = weight[0].size + 1
    check(lambda out: cuda_launches.forward(name, x, weight, bias, None, out, *places), exact, size, terms, dtype)

    grad = rng.standard_normal(exact.shape).astype(dtype)
    wide = grad.astype(np.float64)
    dgrad = getattr(reference, f"{name}_dgrad")
    exact = dgrad(wide, wide_weight, input_size=image, **attributes)
    size = dgrad(abs(wide), abs(wide_weight), input_size=image, **attributes)
    terms = weight.size // weight.shape[1]
    check(lambda out: cuda_launches.dgrad(name, grad, weight, out, *places), exact, size, terms, dtype)

    wgrad = getattr(reference, f"{name}_wgrad")
    exact = wgrad(wide, wide_x, kernel_size=taps, **attributes)
    size = wgrad(abs(wide), abs(wide_x), kernel_size=taps, **attributes)
    terms = grad.size // k
    check(lambda out: cuda_launches.wgrad(name, grad, x, out, *places, 1), exact, size, terms, dtype)
    check(lambda out: cuda_launches.wgrad(name, grad, x, out, *places, 3), exact, size, terms, dtype)


QUICK = (
    ("Small", dtypes.float64),
    ("Medium", dtypes.float32),
    ("Large", dtypes.float32),
    ("Large", dtypes.bfloat16),
    ("Warpgroup", dtypes.bfloat16),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("tile", "dtype"),
    [
        pytest.param(tile, dtype, marks=() if (tile, dtype) in QUICK else pytest.mark.slow)
        for tile in TILES
        for dtype in (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
        if cuda_gemm.fits(TILES[tile], dtype)
    ],
    ids=str,
)
def test_tiles(shape: str, tile: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    check_shape(SHAPES[shape], TILES[tile], dtype, rng)
