"""The NumPy references of the matrix products against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels.matmul import reference
from pyneural.kernels.matmul.contract import ACTIVATIONS

torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")

SHAPES = [
    ((5,), (5,)),
    ((7,), (7, 3)),
    ((3, 7), (7,)),
    ((3, 7), (7, 5)),
    ((31, 33), (33, 17)),
    ((4, 3, 7), (7, 5)),
    ((4, 3, 7), (7,)),
    ((7,), (4, 7, 2)),
    ((4, 3, 7), (4, 7, 5)),
    ((2, 1, 3, 7), (5, 7, 4)),
    ((3, 0), (0, 2)),
    ((0, 3), (3, 2)),
    ((2, 3, 0), (0, 4)),
]


@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES, ids=str)
def test_matmul(rng: np.random.Generator, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    a, b = rng.standard_normal(a_shape), rng.standard_normal(b_shape)
    expected = torch.matmul(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    result = reference.matmul(a, b)
    assert result.shape == expected.shape
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13)


def test_matmul_of_strided_operands(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((6, 10))[::-2, ::3], rng.standard_normal((5, 8)).T[::2]
    expected = torch.matmul(torch.from_numpy(a.copy()), torch.from_numpy(b.copy())).numpy()
    np.testing.assert_allclose(reference.matmul(a, b), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("x_shape", [(7,), (3, 7), (2, 3, 7), (0, 7)], ids=str)
def test_linear(rng: np.random.Generator, x_shape: tuple[int, ...], with_bias: bool, activation: str | None) -> None:
    x, weight = rng.standard_normal(x_shape), rng.standard_normal((5, 7))
    bias = rng.standard_normal(5) if with_bias else None
    functional = torch.nn.functional
    expected = functional.linear(
        torch.from_numpy(x), torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias)
    )
    if activation == "gelu_tanh":
        expected = functional.gelu(expected, approximate="tanh")
    elif activation is not None:
        expected = getattr(functional, activation)(expected)
    result = reference.linear(x, weight, bias, activation=activation)
    assert result.shape == tuple(expected.shape)
    np.testing.assert_allclose(result, expected.numpy(), rtol=1e-12, atol=1e-13)


def test_nan_and_infinity_reach_the_result(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((4, 5)), rng.standard_normal((5, 3))
    a[0, 1], a[1, 2], a[2, 3] = np.nan, np.inf, -np.inf
    expected = torch.matmul(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_array_equal(np.isnan(reference.matmul(a, b)), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(reference.matmul(a, b)), np.isposinf(expected))
