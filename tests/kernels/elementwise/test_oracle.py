"""The NumPy references of elementwise operations against PyTorch, in float64 and in integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

torch: Any = pytest.importorskip("torch", reason="PyTorch is the independent oracle of these references")

reference = kernels.backend("reference")
SHAPES = [((), ()), ((7,), (7,)), ((5, 1), (1, 3)), ((2, 3, 5), (3, 1)), ((0, 4), (4,))]
BINARY = {"add": "add", "sub": "sub", "mul": "mul", "maximum": "maximum", "minimum": "minimum"}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
UNARY = ("neg", "abs", "sign", "exp", "sin", "cos", "logical_not")
POSITIVE = ("log", "log1p", "sqrt", "rsqrt")
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5])


def agree(result: np.ndarray, expected: Any, rtol: float = 1e-13) -> None:
    expected = expected.numpy()
    assert result.shape == expected.shape
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*BINARY, "div", *COMPARISONS])
def test_two_arrays(name: str, shapes: Any, rng: np.random.Generator) -> None:
    a, b = (np.asarray(rng.standard_normal(shape)) for shape in shapes)
    agree(getattr(reference, name)(a, b), getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
@pytest.mark.parametrize("name", [*BINARY, *COMPARISONS])
def test_integers_wrap_around(name: str, dtype: str, rng: np.random.Generator) -> None:
    info = np.iinfo(dtype)
    a, b = rng.integers(info.min, info.max, (2, 37), dtype=dtype, endpoint=True)
    agree(getattr(reference, name)(a, b), getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)))


@pytest.mark.parametrize("name", [*BINARY, "div", *COMPARISONS])
def test_special_values_of_two_arrays(name: str) -> None:
    a, b = SPECIAL[:, None], SPECIAL[None]
    agree(getattr(reference, name)(a, b), getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)))


@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_one_array(name: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 1, 11)) * 5
    if name in POSITIVE:
        x = np.abs(x)
    agree(getattr(reference, name)(x), getattr(torch, name)(torch.from_numpy(x)))


@pytest.mark.parametrize("name", [*UNARY, *POSITIVE])
def test_special_values_of_one_array(name: str) -> None:
    agree(getattr(reference, name)(SPECIAL), getattr(torch, name)(torch.from_numpy(SPECIAL)))


def test_pow(rng: np.random.Generator) -> None:
    a, b = np.abs(rng.standard_normal((5, 1))) + 0.1, rng.standard_normal((1, 7)) * 3
    agree(reference.pow(a, b), torch.pow(torch.from_numpy(a), torch.from_numpy(b)))
    agree(reference.pow(SPECIAL[:, None], SPECIAL), torch.pow(*map(torch.from_numpy, (SPECIAL[:, None], SPECIAL))))
    n = rng.integers(-5, 6, 17)
    agree(reference.pow(n, np.full(17, 3)), torch.from_numpy(n) ** 3)


@pytest.mark.parametrize(
    "bounds", [(-0.5, 0.5), (0.25, None), (None, -0.25), (1.0, -1.0), (float("nan"), 1.0)], ids=str
)
def test_clamp(bounds: Any, rng: np.random.Generator) -> None:
    low, high = bounds
    x = np.concatenate([rng.standard_normal(31), SPECIAL])
    agree(reference.clamp(x, min=low, max=high), torch.clamp(torch.from_numpy(x), low, high))


@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (0.25, None), (None, -0.25), (1.0, -1.0)], ids=str)
def test_clamp_backward(bounds: Any, rng: np.random.Generator) -> None:
    low, high = bounds
    x, grad = np.append(rng.standard_normal(31), np.nan), rng.standard_normal(32)
    leaf = torch.from_numpy(x).requires_grad_()
    torch.clamp(leaf, low, high).backward(torch.from_numpy(grad))
    agree(reference.clamp_backward(grad, x, min=low, max=high), leaf.grad)


def test_where(rng: np.random.Generator) -> None:
    condition, a, b = rng.random((4, 1, 5)) < 0.5, rng.standard_normal((3, 1)), rng.standard_normal(5)
    agree(reference.where(condition, a, b), torch.where(*map(torch.from_numpy, (condition, a, b))))


@pytest.mark.parametrize("target", ["float32", "float16", "int64", "int8", "bool"])
@pytest.mark.parametrize("source", ["float64", "float32", "int32", "uint8", "bool"])
def test_cast(source: str, target: str, rng: np.random.Generator) -> None:
    x = (np.abs(rng.standard_normal((5, 3))) * 10).astype(source).T
    agree(reference.cast(x, dtype=np.dtype(target)), torch.from_numpy(x).to(getattr(torch, target)), rtol=0)
