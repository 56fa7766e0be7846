"""float32 on tensor cores: the accuracy each precision promises, for every tile, layout and convolution."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample, accuracy, backend, cuda_gemm, cuda_launch, precision
from pyneural.kernels.conv import cuda_launches
from pyneural.kernels.matmul import cuda as launches

pytestmark = pytest.mark.simulator

TILES = {each.name: each for tiles in cuda_gemm.TF32.values() for each in tiles.values()}
UNIT = 2.0**-24  # half the distance of float32's neighbours, by size


@pytest.fixture(autouse=True)
def _highest_again() -> Iterator[None]:
    yield
    precision.set_float32_matmul_precision("highest")


def rounded(x: np.ndarray) -> np.ndarray:
    """To the nearest number of 11 significant bits, ties away from zero, in float64."""
    fraction, exponent = np.frexp(x.astype(np.float64))
    return np.ldexp(np.trunc(np.abs(fraction) * 2048 + 0.5) * np.sign(fraction) / 2048, exponent)


def check(name: str, out: np.ndarray, a: np.ndarray, b: np.ndarray, product: Any, terms: int) -> None:
    """Of ``product(a, b)``: the bound of "high" for each element; of "medium", twice the error of rounded operands."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    exact = product(wide_a, wide_b)
    size = product(abs(wide_a), abs(wide_b))
    sums = (terms + 2) * UNIT * size  # float32's own bound, where terms are added one after the other
    error = abs(out.astype(np.float64) - exact)
    assert not np.isnan(out).any()
    if name.startswith("Tf32x3"):
        assert np.all(error <= 3 * 2.0**-22 * size + sums)
    else:
        of_rounded = product(rounded(a), rounded(b))
        assert np.all(abs(out - of_rounded) <= sums)
        assert error.max() <= 2 * abs(of_rounded - exact).max() + 4 * sums.max()
        assert error.max() > 10 * sums.max() / (terms + 2)  # tf32 it was, and not float32


def run(name: str, a: np.ndarray, b: np.ndarray, splits: int = 1, schedule: int | None = 5) -> np.ndarray:
    out = np.full((a.shape[0], b.shape[1]), np.nan, np.float32)
    with cuda_launch.sanitized(schedule) as reports:
        launches._product(a, b, None, None, out, TILES[name], splits)
    assert reports
    assert all(each.ok for each in reports), "\n".join(str(each) for each in reports)
    return out


def tiles(*quick: str) -> list[Any]:
    """All tiles, those that are not named for the slow run."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in TILES]


@pytest.mark.parametrize("name", tiles("Tf32x3Medium", "Tf32Large"))
def test_tiles_and_strides(name: str, rng: np.random.Generator) -> None:
    """A tile and a bit in every direction: whole accesses, odd sizes, splits, both ways an operand may lie."""
    side = TILES[name].side
    for a_turned, b_turned in itertools.product((False, True), repeat=2):
        shapes = ((side + 8, side + 4, 36), (side + 3, side - 5, 21)) if a_turned == b_turned else ((side, side, 16),)
        for m, n, inner in shapes:
            a = rng.standard_normal((inner, m) if a_turned else (m, inner)).astype(np.float32)
            b = rng.standard_normal((n, inner) if b_turned else (inner, n)).astype(np.float32)
            a, b = a.T if a_turned else a, b.T if b_turned else b
            check(name, run(name, a, b), a, b, np.matmul, inner)
    a, b = rng.standard_normal((70, 100)).astype(np.float32), rng.standard_normal((100, 72)).astype(np.float32)
    check(name, run(name, a, b, 3, None), a, b, np.matmul, 100)


def test_three_terms_keep_the_contract(rng: np.random.Generator) -> None:
    """3xTF32 passes the rule that float32 itself is held to."""
    a, b = rng.standard_normal((130, 600)).astype(np.float32), rng.standard_normal((600, 96)).astype(np.float32)
    precision.set_float32_matmul_precision("high")
    host = backend("reference").engine

    def call(x: np.ndarray, y: np.ndarray, *, out: np.ndarray) -> None:
        launches.matmul(x, y, out=out)

    subject: Any = SimpleNamespace(engine=host, matmul=call)
    verdict = accuracy.compare(OPERATIONS["matmul"], Sample((a, b)), subject)
    assert verdict.ok, verdict.message
    precision.set_float32_matmul_precision("medium")
    assert not accuracy.compare(OPERATIONS["matmul"], Sample((a, b)), subject).ok


def test_scales_and_infinities() -> None:
    """Operands of any size, those that rounding would make infinite among them; infinite results stay infinite."""
    a = np.ones((40, 16), np.float32)
    b = np.ones((16, 40), np.float32)
    a[0], a[1], a[2, 3], a[3, 3] = 1e-30, 3e38, np.inf, np.nan
    b[:, 1], b[:, 2] = 1e-7, 1 / 1024
    for name in ("Tf32x3Medium", "Tf32x3Large"):
        out = run(name, a, b)
        with np.errstate(all="ignore"):
            want = a.astype(np.float64) @ b.astype(np.float64)
        kept = (abs(want) < 1e38) & (abs(want) > 1e-37)
        np.testing.assert_allclose(out[kept], want[kept], rtol=1e-6)
        np.testing.assert_array_equal(out[2], np.full(40, np.inf))
        assert np.isnan(out[3]).all()
        assert np.isposinf(out[1, [0, 3]]).all()


SHAPES: dict[str, tuple[int, int, int, int, tuple[int, ...], tuple[int, ...], int, int, int]] = {
    "odd": (2, 5, 37, 1, (7, 9), (3, 3), 1, 1, 1),
    "whole accesses": (2, 36, 40, 1, (8, 8), (3, 3), 1, 1, 1),
    "stride, dilation, groups": (1, 6, 8, 2, (11, 10), (3, 2), 2, 2, 2),
    "volumes": (1, 3, 5, 1, (4, 5, 3), (2, 3, 2), 1, 1, 1),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", tiles("Tf32x3Medium"))
def test_convolutions(shape: str, name: str, rng: np.random.Generator) -> None:
    n, c, k, groups, image, taps, *steps = SHAPES[shape]
    dims, reference = len(image), backend("reference")
    operation = f"conv{dims}d"
    stride, padding, dilation = ((each,) * dims for each in steps)
    attributes = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x = rng.standard_normal((n, c, *image)).astype(np.float32)
    weight = rng.standard_normal((k, c // groups, *taps)).astype(np.float32)
    places = (stride, padding, dilation, groups, TILES[name])

    def forward(a: np.ndarray, b: np.ndarray) -> Any:
        return getattr(reference, operation)(a, b, **attributes)

    grad = rng.standard_normal(forward(x, weight).shape).astype(np.float32)
    results = [np.full(each, np.nan, np.float32) for each in (grad.shape, x.shape, weight.shape, weight.shape)]
    with cuda_launch.sanitized(3) as reports:
        cuda_launches.forward(operation, x, weight, None, None, results[0], *places)
        cuda_launches.dgrad(operation, grad, weight, results[1], *places)
        cuda_launches.wgrad(operation, grad, x, results[2], *places, 1)
        cuda_launches.wgrad(operation, grad, x, results[3], *places, 3)
    assert all(each.ok for each in reports), "\n".join(str(each) for each in reports)
    check(name, results[0], x, weight, forward, weight[0].size)

    def dgrad(a: np.ndarray, b: np.ndarray) -> Any:
        return getattr(reference, f"{operation}_dgrad")(a, b, input_size=image, **attributes)

    def wgrad(a: np.ndarray, b: np.ndarray) -> Any:
        return getattr(reference, f"{operation}_wgrad")(a, b, kernel_size=taps, **attributes)

    check(name, results[1], grad, weight, dgrad, weight.size // weight.shape[1])
    for each in results[2:]:
        check(name, each, grad, x, wgrad, grad.size // k)


def test_setting_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    large, small, double = np.empty((128, 128), np.float32), np.empty((16, 128), np.float32), np.empty((128, 128))
    want = {
        "highest": ("Medium", "Large"), "high": ("Tf32x3Medium", "Tf32x3Large"), "medium": ("Tf32Medium", "Tf32Large"),
    }  # fmt: skip
    for name, (medium, big) in want.items():
        precision.set_float32_matmul_precision(name)
        assert precision.get_float32_matmul_precision() == name
        assert cuda_gemm.tile_for(128, 128, 1, large).name == medium
        assert cuda_gemm.tile_for(128, 128, 999, large).name == big
        assert cuda_gemm.tile_for(16, 128, 1, small).name == "Small"
        assert cuda_gemm.tile_for(128, 128, 999, double).name == "Medium"
        assert cuda_gemm.tile_for(128, 128, 1, np.empty((128, 128), np.float16)).name == "Medium"
    monkeypatch.setattr(cuda_gemm, "simulated_architecture", (7, 5))
    assert cuda_gemm.tile_for(128, 128, 999, large).name == "Large"


def test_winograd_gives_way(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """3x3 filters are multiplied on tensor cores where that is asked for and there are enough channels."""
    started: list[str] = []
    monkeypatch.setattr(cuda_launches, "launch", lambda _, name, *__, **___: started.append(name.split(",")[0]))
    monkeypatch.setattr(cuda_launches.cuda_winograd, "run", lambda *_, **__: started.append("winograd"))
    x, weight, few = (np.zeros(shape, np.float32) for shape in ((2, 40, 8, 8), (48, 40, 3, 3), (24, 40, 3, 3)))
    for name in precision.PRECISIONS:
        precision.set_float32_matmul_precision(name)
        for filters in (weight, few):
            out = np.empty((2, len(filters), 8, 8), np.float32)
            cuda_launches.forward("conv2d", x, filters, None, None, out, (1, 1), (1, 1), (1, 1), 1)
    small = "forward<Small"
    assert started == ["winograd", small, "forward<Tf32x3Medium", small, "forward<Tf32Medium", small]


def test_wrong_value() -> None:
    with pytest.raises(ValueError, match=r"precision \(='best'\) must be one of 'highest', 'high', 'medium'"):
        precision.set_float32_matmul_precision("best")
    assert precision.get_float32_matmul_precision() == "highest"
