"""The reference reductions against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")

SHAPES = [((7,), None), ((5, 33), 1), ((33, 5), 0), ((3, 7, 5), 1), ((4, 3, 2, 5), (0, 2, 3)), ((2, 3, 4, 5), (1, -1))]


def _pair(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, Any]:
    x = rng.standard_normal(shape)
    return x, torch.from_numpy(x)


def _dims(shape: tuple[int, ...], dim: Any) -> Any:
    return tuple(range(len(shape))) if dim is None else dim


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "var", "std"])
def test_reductions(rng: np.random.Generator, name: str, shape: tuple[int, ...], dim: Any, keepdim: bool) -> None:
    x, t = _pair(rng, shape)
    expected = getattr(torch, name)(t, dim=_dims(shape, dim), keepdim=keepdim).numpy()
    got = getattr(backend("reference"), name)(x, dim=dim, keepdim=keepdim)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14, strict=True)


@pytest.mark.parametrize("correction", [0, 1, 2, 0.5])
def test_variance_with_corrections(rng: np.random.Generator, correction: float) -> None:
    x, t = _pair(rng, (6, 11))
    expected = torch.var(t, dim=1, correction=correction).numpy()
    got = backend("reference").var(x, dim=1, correction=correction)
    np.testing.assert_allclose(got, expected, rtol=1e-12, strict=True)


@pytest.mark.filterwarnings("ignore:var..:UserWarning")
@pytest.mark.parametrize(("shape", "correction"), [((1,), 1), ((2,), 3), ((0,), 0)])
def test_variance_without_degrees_of_freedom(shape: tuple[int, ...], correction: int) -> None:
    x = np.arange(1.0, 1.0 + shape[0])
    expected = torch.var(torch.from_numpy(x), correction=correction).numpy()
    np.testing.assert_array_equal(backend("reference").var(x, correction=correction), expected)


@pytest.mark.parametrize("name", ["sum", "mean", "var"])
@pytest.mark.filterwarnings("ignore:var..:UserWarning")
def test_reduction_of_nothing(name: str) -> None:
    x = np.zeros((3, 0))
    expected = getattr(torch, name)(torch.from_numpy(x), dim=1).numpy()
    np.testing.assert_array_equal(getattr(backend("reference"), name)(x, dim=1), expected)


def test_empty_tuple_reduces_everything(rng: np.random.Generator) -> None:
    x, t = _pair(rng, (3, 4))
    for name in ("sum", "amax"):
        got = getattr(backend("reference"), name)(x, dim=())
        np.testing.assert_allclose(got, getattr(torch, name)(t, dim=()).numpy(), rtol=1e-12, strict=True)


@pytest.mark.parametrize("name", ["amax", "amin", "sum"])
def test_nan_and_infinity(name: str) -> None:
    x = np.array([[1.0, np.nan, 2.0], [np.inf, 0.0, 1.0], [-np.inf, np.inf, 0.0], [-0.0, 0.0, -1.0]])
    expected = getattr(torch, name)(torch.from_numpy(x), dim=1).numpy()
    np.testing.assert_array_equal(getattr(backend("reference"), name)(x, dim=1), expected)


@pytest.mark.parametrize(("shape", "dim"), [((7,), None), ((5, 6), None), ((5, 6), 0), ((5, 6), -1), ((3, 7, 5), 1)])
@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_argmax(rng: np.random.Generator, shape: tuple[int, ...], dim: int | None, dtype: Any) -> None:
    x = rng.permutation(int(np.prod(shape))).reshape(shape).astype(dtype)
    expected = torch.argmax(torch.from_numpy(x), dim=dim).numpy()
    np.testing.assert_array_equal(backend("reference").argmax(x, dim=dim), expected, strict=True)


def test_argmax_takes_the_first_nan() -> None:
    x = np.array([[0.0, np.nan, np.inf, np.nan], [2.0, 3.0, 3.0, 1.0]])
    assert torch.argmax(torch.from_numpy(x), dim=1).tolist() == [1, 1]
    assert backend("reference").argmax(x, dim=1).tolist() == [1, 1]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_])
def test_sum_of_integers_is_int64(rng: np.random.Generator, dtype: Any) -> None:
    x = rng.integers(0, 2, (9, 40)).astype(dtype)
    expected = torch.sum(torch.from_numpy(x), dim=1).numpy()
    np.testing.assert_array_equal(backend("reference").sum(x, dim=1), expected, strict=True)


@pytest.mark.parametrize(("shape", "dim"), [((7,), None), ((5, 6), None), ((5, 6), 0), ((5, 6), -1), ((3, 7, 5), 1)])
@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_argmin_and_prod(rng: np.random.Generator, shape: tuple[int, ...], dim: int | None, dtype: Any) -> None:
    x = (rng.permutation(int(np.prod(shape))).reshape(shape) - 3).astype(dtype)
    t, attributes = torch.from_numpy(x), {} if dim is None else {"dim": dim}
    np.testing.assert_array_equal(backend("reference").argmin(x, **attributes), torch.argmin(t, **attributes).numpy())
    got = backend("reference").prod(x, **attributes)
    np.testing.assert_allclose(got, torch.prod(t, **attributes).numpy(), rtol=1e-12, strict=True)


def test_argmin_takes_the_first_nan() -> None:
    x = np.array([[0.0, np.nan, -np.inf, np.nan], [2.0, 1.0, 3.0, 1.0]])
    assert torch.argmin(torch.from_numpy(x), dim=1).tolist() == [1, 1]
    assert backend("reference").argmin(x, dim=1).tolist() == [1, 1]


@pytest.mark.parametrize(("shape", "dim"), [*SHAPES, ((0, 3), None), ((3, 0), 1)])
@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_truth(rng: np.random.Generator, name: str, shape: tuple[int, ...], dim: Any, share: float) -> None:
    x = np.where(rng.random(shape) < share, rng.standard_normal(shape), 0.0)
    expected = getattr(torch, name)(torch.from_numpy(x), dim=_dims(shape, dim)).numpy()
    np.testing.assert_array_equal(getattr(backend("reference"), name)(x, dim=dim), expected, strict=True)


def test_nan_is_true() -> None:
    x = np.array([[np.nan, 0.0], [np.nan, 1.0]])
    assert torch.any(torch.from_numpy(x), dim=1).tolist() == backend("reference").any(x, dim=1).tolist() == [True, True]
    assert (
        torch.all(torch.from_numpy(x), dim=1).tolist() == backend("reference").all(x, dim=1).tolist() == [False, True]
    )


@pytest.mark.parametrize("dim", [1.0, True, (1.0,), (True,)])
def test_a_number_that_equals_an_int_is_no_dimension(dim: Any) -> None:
    x = np.ones((2, 3))
    backend("reference").sum(x, dim=1)
    backend("reference").sum(x, dim=(1,))
    with pytest.raises(TypeError, match="sum: dim must be"):
        backend("reference").sum(x, dim=dim)
