"""The reduced cross-entropy, whose forward pass writes the gradient for a cotangent of 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, autograd, functional
from pyneural.kernels import dtypes

DEVICES = ("cpu", "reference", "simulator")
REDUCTIONS = ("mean", "sum")


def _problem(rng: np.random.Generator, device: str, dtype: Any) -> tuple[Tensor, Tensor, Tensor]:
    logits = Tensor(rng.standard_normal((5, 7, 3)) * 3, dtype=dtype, device=device, requires_grad=True)
    target = rng.integers(0, 7, (5, 3))
    target[1, 2] = target[4, 0] = 2
    return logits, Tensor(target, device=device), Tensor(rng.random(7) + 0.1, dtype=dtype, device=device)


def _loss(logits: Tensor, target: Tensor, weight: Tensor, reduction: str) -> Tensor:
    return functional.cross_entropy(logits, target, weight, ignore_index=2, reduction=reduction, label_smoothing=0.1)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, pyneural.bfloat16, np.float16], ids=str)
@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_does_not_depend_on_who_gives_the_one(
    device: str, dtype: Any, reduction: str, rng: np.random.Generator
) -> None:
    logits, target, weight = _problem(rng, device, dtype)
    tolerance = {"rtol": 4 * dtypes.epsilon(np.dtype(dtype)), "atol": 4 * dtypes.epsilon(np.dtype(dtype))}
    _loss(logits, target, weight, reduction).backward()
    implicit, logits.grad = logits.grad, None
    assert implicit is not None
    loss = _loss(logits, target, weight, reduction)
    loss.backward(pyneural.ones((), dtype=dtype, device=device))
    assert logits.grad is not None
    np.testing.assert_allclose(implicit.numpy().astype(float), logits.grad.numpy().astype(float), **tolerance)
    with pyneural.no_grad():
        assert _loss(logits, target, weight, reduction).item() == loss.item()


def test_any_other_cotangent(rng: np.random.Generator) -> None:
    """A factor, a second loss and a hook are not the implicit 1."""
    logits, target, weight = _problem(rng, "cpu", np.float64)
    _loss(logits, target, weight, "mean").backward()
    one, logits.grad = logits.grad.numpy().copy(), None  # type: ignore[union-attr]
    for change in ("factor", "twice", "hook", "in place"):
        loss = _loss(logits, target, weight, "mean")
        if change == "factor":
            (3.0 * loss).backward()
        elif change == "twice":
            autograd.backward([loss, 2.0 * loss])
        elif change == "hook":
            loss.register_hook(lambda grad: 3.0 * grad)
            loss.backward()
        else:
            loss.register_hook(lambda grad: grad.mul_(3.0))
            loss.backward()
        np.testing.assert_allclose(logits.grad.numpy(), 3 * one, rtol=1e-12, atol=1e-15, err_msg=change)  # type: ignore[union-attr]
        logits.grad = None


def test_a_second_backward_and_a_kept_gradient(rng: np.random.Generator) -> None:
    """What the forward pass wrote is handed out twice and belongs to nobody who may change it."""
    logits, target, weight = _problem(rng, "cpu", np.float32)
    loss = _loss(logits, target, weight, "sum")
    loss.backward(retain_graph=True)
    first = logits.grad.numpy().copy()  # type: ignore[union-attr]
    logits.grad.mul_(5.0)  # type: ignore[union-attr]
    logits.grad = None
    loss.backward()
    np.testing.assert_array_equal(logits.grad.numpy(), first)  # type: ignore[union-attr]


def test_a_scaled_loss_keeps_what_float16_would_lose(rng: np.random.Generator) -> None:
    """Gradients below float16's range come out scaled, not as 0 times the scale."""
    rows = 4096
    logits = Tensor(rng.standard_normal((rows, 8)) * 0.1, dtype=np.float16, requires_grad=True)
    target = Tensor(rng.integers(0, 8, rows))
    (functional.cross_entropy(logits, target) * 2.0**15).backward()
    exact = Tensor(logits.detach().numpy().astype(np.float64), requires_grad=True)
    (functional.cross_entropy(exact, target) * 2.0**15).backward()
    got, expected = logits.grad.numpy().astype(float), exact.grad.numpy()  # type: ignore[union-attr]
    np.testing.assert_allclose(got, expected, rtol=4e-3, atol=1e-3)


def test_derivatives_of_the_derivative(rng: np.random.Generator) -> None:
    logits, target, weight = _problem(rng, "cpu", np.float64)
    (first,) = autograd.grad(_loss(logits, target, weight, "mean"), logits, create_graph=True)
    assert first.requires_grad
    direction = Tensor(rng.standard_normal(logits.shape))
    (second,) = autograd.grad((first * direction).sum(), logits)
    step, near = 1e-6, []
    for sign in (1.0, -1.0):
        moved = Tensor(logits.detach().numpy() + sign * step * direction.numpy(), requires_grad=True)
        near.append(autograd.grad(_loss(moved, target, weight, "mean"), moved)[0].numpy())  # type: ignore[union-attr]
    np.testing.assert_allclose(second.numpy(), (near[0] - near[1]) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nothing_to_count(reduction: str, rng: np.random.Generator) -> None:
    logits, target, _ = _problem(rng, "cpu", np.float32)
    ignored = Tensor(np.full(target.shape, 2))
    loss = functional.cross_entropy(logits, ignored, ignore_index=2, reduction=reduction)
    loss.backward()
    assert loss.item() == 0.0 if reduction == "sum" else np.isnan(loss.item())
    assert not logits.grad.numpy().any()  # type: ignore[union-attr]
