"""The NumPy references of pointwise losses, forward and backward, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

torch: Any = pytest.importorskip("torch", reason="PyTorch is the independent oracle of these references")

reference = kernels.backend("reference")
LOSSES: list[tuple[str, dict[str, float]]] = [
    ("mse_loss", {}),
    ("l1_loss", {}),
    ("smooth_l1_loss", {"beta": 1.0}),
    ("smooth_l1_loss", {"beta": 0.3}),
    ("smooth_l1_loss", {"beta": 0.0}),
    ("huber_loss", {"delta": 1.0}),
    ("huber_loss", {"delta": 0.3}),
]
REDUCTION = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def check(name: str, arrays: list[Any], rng: np.random.Generator, **attributes: Any) -> None:
    """Compare the loss and its gradient with respect to the first of ``arrays``; None stays None."""
    tensors = [None if each is None else torch.from_numpy(each) for each in arrays]
    leaf = tensors[0].requires_grad_()
    oracle = getattr(torch.nn.functional, name)
    named = dict(zip(("weight", "pos_weight"), tensors[2:], strict=False))
    expected = oracle(leaf, tensors[1], **named, **attributes)
    grad = np.asarray(rng.standard_normal(tuple(expected.shape)))
    expected.backward(torch.from_numpy(grad))

    result = getattr(reference, name)(*arrays, **attributes)
    dx = getattr(reference, f"{name}_backward")(grad, *arrays, **attributes)

    np.testing.assert_allclose(result, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-12, atol=1e-15)


@REDUCTION
@pytest.mark.parametrize("shape", [(), (7,), (3, 5, 2)], ids=str)
@pytest.mark.parametrize(("name", "attributes"), LOSSES, ids=str)
def test_regression(
    name: str, attributes: dict[str, float], shape: tuple[int, ...], reduction: str, rng: np.random.Generator
) -> None:
    x, target = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
    check(name, [x, target], rng, reduction=reduction, **attributes)


@pytest.mark.parametrize(("name", "attributes"), LOSSES, ids=str)
def test_borders(name: str, attributes: dict[str, float], rng: np.random.Generator) -> None:
    """Where the pieces of a loss meet, and where both arrays are equal."""
    border = next(iter(attributes.values()), 1.0)
    x = np.array([0.0, border, -border, 2 * border, -2 * border, np.nan, np.inf, -np.inf])
    check(name, [x, np.zeros(8)], rng, reduction="none", **attributes)


@REDUCTION
@pytest.mark.parametrize("weight", [None, (), (4, 5), (4, 1), (5,)], ids=str)
@pytest.mark.parametrize("pos_weight", [None, (5,), (1,)], ids=str)
def test_binary_cross_entropy_with_logits(
    weight: tuple[int, ...] | None, pos_weight: tuple[int, ...] | None, reduction: str, rng: np.random.Generator
) -> None:
    x, target = rng.standard_normal((4, 5)) * 5, rng.random((4, 5))
    weights = [None if shape is None else np.asarray(rng.random(shape) + 0.5) for shape in (weight, pos_weight)]
    check("binary_cross_entropy_with_logits", [x, target, *weights], rng, reduction=reduction)


def test_binary_cross_entropy_of_large_logits(rng: np.random.Generator) -> None:
    x, target = np.array([800.0, -800.0, 800.0, -800.0, 0.0]), np.array([1.0, 0.0, 0.5, 0.5, 1.0])
    check("binary_cross_entropy_with_logits", [x, target], rng, reduction="none")


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_the_mean_of_nothing_is_nan(name: str) -> None:
    for name_of_backend in ("reference", "numba_cpu"):
        assert np.isnan(getattr(kernels.backend(name_of_backend), name)(np.empty(0), np.empty(0)))
