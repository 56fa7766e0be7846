"""Winograd's tiles on the CPU: every size and layout of a block, its accuracy, and what it may not depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample, accuracy
from pyneural.kernels.backend import backend
from pyneural.kernels.conv import dispatch, winograd, winograd_gradient
from pyneural.kernels.conv.plan import forward_phases

Array = np.ndarray[Any, Any]

# Images, channels, filters, height, width, padding: edges of vectors, of tiles, of tasks, and several of each.
SHAPES = [
    (4, 16, 8, 8, 8, (1, 1)),
    (3, 33, 40, 7, 13, (1, 1)),
    (16, 64, 32, 4, 4, (2, 2)),
    (5, 47, 65, 5, 31, (0, 1)),
    (2, 37, 33, 17, 66, (1, 2)),
    (1, 16, 16, 3, 260, (2, 0)),
    (1, 130, 31, 19, 17, (1, 1)),
]
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda x: x,
    "channels last": lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
    "stepped": lambda x: np.repeat(x, 2, 3)[..., ::2],
    "upside down": lambda x: np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    "a part": lambda x: np.pad(x, ((0, 0), (1, 0), (0, 0), (3, 0)))[:, 1:, :, 3:],
}
USUAL = {"stride": 1, "dilation": 1, "groups": 1}


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> Any:
    n, c, k, h, w, padding = request.param
    phases = forward_phases((1, 3, 3), (1, 1, 1), (0, *padding), (1, 1, 1))
    out = (n, k, 1, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2)
    assert winograd.suits((n, c, 1, h, w), out, 4, 1, phases)
    return request.param


@pytest.fixture(params=LAYOUTS)
def laid_out(request: pytest.FixtureRequest) -> Callable[[Array], Array]:
    return LAYOUTS[request.param]


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where a kernel writes beyond the arrays that the launch made for it."""
    made: list[tuple[Array, int]] = []

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        count = int(np.prod(shape))
        whole = np.empty(count + 64, dtype)
        whole.view(np.uint8)[...] = 0xA5
        made.append((whole, count))
        return whole[:count].reshape(shape)

    monkeypatch.setattr(dispatch.memory, "scratch", empty)
    yield
    assert made
    assert all((whole[count:].view(np.uint8) == 0xA5).all() for whole, count in made)


def _close(result: Array, truth: Array) -> None:
    """To rounding: 0.6 to 2.5 millionths were seen, a plain sum's are 0.3 to 1."""
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, truth, rtol=0, atol=1e-5 * np.abs(truth).max())


@pytest.mark.parametrize("spread", [0.0, 2.0], ids=["one scale", "many scales"])
@pytest.mark.parametrize("kept", [1.0, 0.25, 0.06], ids=["dense", "pooled", "sparse"])
@pytest.mark.parametrize("sizes", [(32, 32, 64, 8), (2, 128, 128, 14), (2, 16, 32, 32)], ids=str)
def test_accuracy_as_in_training(
    sizes: tuple[int, int, int, int], kept: float, spread: float, rng: np.random.Generator
) -> None:
    """Max-pooling and ReLU leave few gradients, and the losses of images differ by orders of magnitude."""
    n, c, k, side = sizes
    grad = rng.standard_normal((n, k, side, side)) * (rng.random((n, k, side, side)) < kept)
    grad *= np.exp(spread * rng.standard_normal((n, 1, 1, 1)))
    x, weight = np.maximum(rng.standard_normal((n, c, side, side)), 0), rng.standard_normal((k, c, 3, 3))
    options = {"padding": 1, **USUAL}
    for name, sample in {
        "conv2d": Sample((x, weight), options),
        "conv2d_dgrad": Sample((grad, weight), {"input_size": (side, side), **options}),
        "conv2d_wgrad": Sample((grad, x), {"kernel_size": 3, **options}),
    }.items():
        single = accuracy.cast_sample(sample, np.dtype(np.float32))
        report = accuracy.compare(OPERATIONS[name], single, backend("numba_cpu"))
        assert report.ok, report.message


@pytest.mark.parametrize(
    ("shape", "options", "times"),
    [
        ((9, 8, 3, 3), {}, 16), ((9, 8, 1, 3, 3), {"stride": (1, 1, 1)}, 16), ((9, 7, 3, 3), {}, 2),
        ((9, 8, 3, 3), {"stride": (1, 2)}, 2), ((9, 8, 3, 3), {"dilation": 2}, 2), ((8, 4, 3, 3), {"groups": 2}, 2),
        ((9, 8, 3, 1), {}, 2), ((9, 8, 3, 3, 3), {}, 2),
    ],
    ids=str,
)  # fmt: skip
def test_only_tiles_may_err_more_than_twice_as_much_as_a_sum(
    shape: tuple[int, ...], options: dict[str, Any], times: float
) -> None:
    x = np.ones((1, shape[1] * options.get("groups", 1), *shape[2:]), np.float32)
    operation = OPERATIONS["conv2d" if len(shape) == 4 else "conv3d"]
    assert operation.times(x, np.ones(shape, np.float32), **options) == times


@pytest.mark.usefixtures("guarded")
def test_forward(shape: Any, laid_out: Callable[[Array], Array], rng: np.random.Generator) -> None:
    n, c, k, h, w, padding = shape
    x, weight, bias = (rng.standard_normal(each) for each in ((n, c, h, w), (k, c, 3, 3), (k,)))
    truth = backend("reference").conv2d(x, weight, bias, padding=padding, activation="relu", **USUAL)
    given = [laid_out(x.astype(np.float32)), laid_out(weight.astype(np.float32)), bias.astype(np.float32)]
    _close(backend("numba_cpu").conv2d(*given, padding=padding, activation="relu", **USUAL), truth)


@pytest.mark.usefixtures("guarded")
def test_dgrad(shape: Any, laid_out: Callable[[Array], Array], rng: np.random.Generator) -> None:
    n, c, k, h, w, padding = shape
    grad = rng.standard_normal((n, k, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2))
    weight = rng.standard_normal((k, c, 3, 3))
    options = {"input_size": (h, w), "padding": padding, **USUAL}
    truth = backend("reference").conv2d_dgrad(grad, weight, **options)
    given = [laid_out(each.astype(np.float32)) for each in (grad, weight)]
    _close(backend("numba_cpu").conv2d_dgrad(*given, **options), truth)


@pytest.mark.usefixtures("guarded")
def test_wgrad(shape: Any, laid_out: Callable[[Array], Array], rng: np.random.Generator) -> None:
    n, c, k, h, w, padding = shape
    x, grad = (
        rng.standard_normal(each) for each in ((n, c, h, w), (n, k, h + 2 * padding[0] - 2, w + 2 * padding[1] - 2))
    )
    options = {"kernel_size": 3, "padding": padding, **USUAL}
    truth = backend("reference").conv2d_wgrad(grad, x, **options)
    given = [laid_out(each.astype(np.float32)) for each in (grad, x)]
    _close(backend("numba_cpu").conv2d_wgrad(*given, **options), truth)


def test_results_do_not_depend_on_the_number_of_threads(rng: np.random.Generator) -> None:
    x, weight, grad = (
        rng.standard_normal(each).astype(np.float32) for each in ((9, 40, 12, 12), (72, 40, 3, 3), (9, 72, 12, 12))
    )
    found = []
    before = numba.get_num_threads()
    try:
        for threads in {1, before}:
            numba.set_num_threads(threads)
            forward = backend("numba_cpu").conv2d(x, weight, padding=1, **USUAL)
            wgrad = backend("numba_cpu").conv2d_wgrad(grad, x, kernel_size=3, padding=1, **USUAL)
            found.append((forward.tobytes(), wgrad.tobytes()))
    finally:
        numba.set_num_threads(before)
    assert len(set(found)) == 1


@pytest.mark.parametrize("channels", [32, 700])
def test_the_sums_of_slices_and_parts_are_all_there(channels: int, rng: np.random.Generator) -> None:
    """Few channels: several parts, which are merged; many: several slices."""
    x, grad = (rng.standard_normal((12, each, 8, 8)) for each in (channels, channels + 9))
    source, out = ((12, each, 1, 8, 8) for each in (channels, channels + 9))
    strides = [tuple(4 * np.array((c * 64, 64, 0, 8, 1))) for c in (channels, channels + 9)]
    phases = forward_phases((1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1))
    work = winograd_gradient.divide_gradient(source, strides[0], out, strides[1], phases)
    assert (work.parts > 1) == (channels == 32)
    assert work.slices > 1 or channels == 32
    options = {"kernel_size": 3, "padding": 1, **USUAL}
    truth = backend("numba_cpu").conv2d_wgrad(grad, x, **options)  # float64 has no such tiles
    _close(backend("numba_cpu").conv2d_wgrad(grad.astype(np.float32), x.astype(np.float32), **options), truth)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_what_is_not_finite_spoils_nothing_else(value: float, rng: np.random.Generator) -> None:
    """Nor does what overflows in a transform alone."""
    x, grad = (rng.standard_normal((2, each, 20, 20)) for each in (18, 9))
    weight = rng.standard_normal((9, 18, 3, 3))
    x[1, 3, 9, 11] = grad[0, 2, 4, 4] = value
    own, others = backend("numba_cpu"), backend("reference")
    options = {"padding": 1, **USUAL}
    given = [each.astype(np.float32) for each in (x, weight, grad)]
    wanted = [each.astype(np.float64) for each in given]
    with np.errstate(invalid="ignore"):
        pairs = [
            (own.conv2d(*given[:2], **options), others.conv2d(*wanted[:2], **options)),
            (
                own.conv2d_dgrad(given[2], given[1], input_size=(20, 20), **options),
                others.conv2d_dgrad(wanted[2], wanted[1], input_size=(20, 20), **options),
            ),
            (
                own.conv2d_wgrad(given[2], given[0], kernel_size=3, **options),
                others.conv2d_wgrad(wanted[2], wanted[0], kernel_size=3, **options),
            ),
        ]
    for result, truth in pairs:
        ordinary = np.isfinite(truth) & (np.abs(truth) < 1e30)
        assert 0 < ordinary.sum() < truth.size
        np.testing.assert_allclose(result[ordinary], truth[ordinary], rtol=0, atol=1e-3)
        assert not np.isfinite(result[~np.isfinite(truth)]).any()
