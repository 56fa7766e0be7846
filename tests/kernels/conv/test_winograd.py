"""Winograd's convolution on the simulator: sizes around its tiles, what is not finite, and which calls take it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample, accuracy, backend, cuda_launch, dtypes
from pyneural.kernels.conv import cuda_winograd

CUDA, REFERENCE = backend("cuda"), backend("reference")

# Images, channels to sum, channels of the result, groups, image, padding.
SHAPES: dict[str, tuple[int, int, int, int, tuple[int, int], tuple[int, int]]] = {
    "one result": (1, 8, 33, 1, (3, 3), (0, 0)),
    "one input": (1, 9, 64, 1, (1, 1), (1, 1)),
    "odd sides": (3, 17, 35, 1, (13, 11), (1, 1)),
    "wide padding": (2, 8, 40, 1, (5, 3), (2, 2)),
    "uneven padding": (1, 12, 65, 1, (6, 4), (0, 2)),
    "more results than a block": (1, 8, 131, 1, (4, 6), (1, 1)),
    "more tiles than a block": (5, 8, 33, 1, (4, 31), (1, 1)),
    "groups": (2, 24, 80, 2, (7, 8), (1, 1)),
}


def _calls(shape: str, rng: np.random.Generator) -> list[tuple[str, Sample]]:
    """The convolution of an image, and the gradient for the images of one whose results are that image."""
    n, ins, outs, groups, image, padding = SHAPES[shape]
    x, bias = (rng.standard_normal(each).astype(np.float32) for each in ((n, ins, *image), outs))
    weight = rng.standard_normal((outs, ins // groups, 3, 3)).astype(np.float32)
    back = rng.standard_normal((ins, outs // groups, 3, 3)).astype(np.float32)
    attributes = {"padding": padding, "groups": groups}
    size = tuple(side + 2 - 2 * pad for side, pad in zip(image, padding, strict=True))
    return [
        ("conv2d", Sample((x, weight, bias), {**attributes, "activation": "relu"})),
        ("conv2d_dgrad", Sample((x, back), {**attributes, "input_size": size, "stride": 1, "dilation": 1})),
    ]


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_and_dgrad(shape: str, rng: np.random.Generator) -> None:
    for name, sample in _calls(shape, rng):
        for schedule in (None, 5, 11):
            with cuda_launch.sanitized(schedule) as reports:
                verdict = accuracy.compare(OPERATIONS[name], sample, CUDA)
            assert verdict.ok, f"{name}: {verdict.message}"
            assert all(each.ok for each in reports), reports
            assert len(reports) == 2, "the filters' transform and the product"


@pytest.mark.parametrize(
    ("change", "kernels"),
    [({}, 2), ({"stride": 2}, 1), ({"dilation": 2}, 1), ({"padding": 3}, 1), ({"taps": (3, 2)}, 1), ({"ins": 7}, 1),
     ({"outs": 32}, 1), ({"dtype": dtypes.float64}, 1), ({"dtype": dtypes.bfloat16}, 1)],
    ids=str,
)  # fmt: skip
def test_which_calls_take_it(change: dict[str, Any], kernels: int, rng: np.random.Generator) -> None:
    sizes = {"ins": 8, "outs": 33, "taps": (3, 3), "dtype": dtypes.float32} | change
    attributes = {name: value for name, value in change.items() if name in ("stride", "dilation", "padding")}
    x = rng.standard_normal((1, sizes["ins"], 6, 6)).astype(sizes["dtype"])
    weight = rng.standard_normal((sizes["outs"], sizes["ins"], *sizes["taps"])).astype(sizes["dtype"])
    with cuda_launch.sanitized() as reports:
        CUDA.conv2d(x, weight, **attributes)
    assert len(reports) == kernels


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1e30])
def test_what_is_not_finite_stays_where_it_is(value: float, rng: np.random.Generator) -> None:
    """An infinity of one input in a tile's transform would be NaN in results that it has no part in."""
    _, sample = _calls("odd sides", rng)[0]
    x, weight, bias = sample.args
    x[0, 3, 6, 5] = x[2, 16, 12, 10] = value
    weight[7, 2, 1, 1] = value
    with np.errstate(all="ignore"):
        exact = REFERENCE.conv2d(*(each.astype(np.float64) for each in sample.args), padding=1)
        got, expected = CUDA.conv2d(x, weight, bias, padding=1), exact.astype(np.float32)
    touched = np.zeros(exact.shape, bool)
    touched[:, 7] = touched[0, :, 5:8, 4:7] = touched[2, :, 11:, 9:] = True
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(got), np.isposinf(expected))
    np.testing.assert_array_equal(np.isneginf(got), np.isneginf(expected))
    clean = ~touched
    if np.isfinite(value):  # the tiles of a large input lose digits: the bound is by the largest input of a tile
        clean[0, :, 4:8, 4:8] = clean[2, :, 10:, 8:] = False
    np.testing.assert_allclose(got[clean], exact[clean], rtol=1e-4, atol=1e-4)


def test_transforms_that_overflow(rng: np.random.Generator) -> None:
    """Differences and sums of such inputs are infinite; the results are not."""
    x = (rng.choice([-2e38, 2e38], (1, 8, 6, 6))).astype(np.float32)
    weight = (rng.standard_normal((33, 8, 3, 3)) * 1e-3).astype(np.float32)
    verdict = accuracy.compare(OPERATIONS["conv2d"], Sample((x, weight), {"padding": 1}), CUDA)
    assert verdict.ok, verdict.message


def test_more_tiles_than_an_int_counts() -> None:
    """Refused before anything is allocated."""
    row = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (2, 8, 2**16, 2**17), (0, 0, 0, 0))
    out = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (2, 64, 2**16, 2**17), (0, 0, 0, 0))
    weight = np.zeros((64, 8, 3, 3), np.float32)
    with pytest.raises(ValueError, match=r"conv2d: 4294967296 tiles of 2x2 results are more than 2147483616"):
        cuda_winograd.run(row, weight, None, None, out, (1, 1), 1, back=False)
