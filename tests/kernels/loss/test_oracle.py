"""The NumPy references of the losses, forward and backward, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

torch: Any = pytest.importorskip("torch", reason="PyTorch is the independent oracle of these references")

reference = kernels.backend("reference")


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (5,), (3, 4, 2, 3), (0, 5)], ids=str)
def test_cross_entropy(
    shape: tuple[int, ...], weighted: bool, ignored: int, smoothing: float, rng: np.random.Generator
) -> None:
    classes = shape[0] if len(shape) == 1 else shape[1]
    logits = rng.standard_normal(shape) * 3
    target = np.asarray(rng.integers(0, classes, () if len(shape) == 1 else shape[:1] + shape[2:]))
    if ignored < 0 and target.ndim:
        target[::3] = ignored
    weight = rng.random(classes) + 0.5 if weighted else None
    grad = np.asarray(rng.standard_normal(target.shape))
    leaf = torch.from_numpy(logits).requires_grad_()
    expected = torch.nn.functional.cross_entropy(
        leaf,
        torch.from_numpy(target),
        None if weight is None else torch.from_numpy(weight),
        ignore_index=ignored,
        label_smoothing=smoothing,
        reduction="none",
    )
    expected.backward(torch.from_numpy(grad))

    attributes = {"ignore_index": ignored, "label_smoothing": smoothing}
    loss, logsumexp = reference.cross_entropy(logits, target, weight, **attributes)
    dx = reference.cross_entropy_backward(grad, logits, target, logsumexp, weight, **attributes)

    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    expected_sum = torch.logsumexp(leaf.detach(), 0 if len(shape) == 1 else 1).numpy()
    np.testing.assert_allclose(logsumexp, expected_sum, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 5, 2)], ids=str)
def test_mse_loss(shape: tuple[int, ...], reduction: str, rng: np.random.Generator) -> None:
    x, target = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
    leaf = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.mse_loss(leaf, torch.from_numpy(target), reduction=reduction)
    grad = np.asarray(rng.standard_normal(tuple(expected.shape)))
    expected.backward(torch.from_numpy(grad))

    result = reference.mse_loss(x, target, reduction=reduction)
    dx = reference.mse_loss_backward(grad, x, target, reduction=reduction)

    np.testing.assert_allclose(result, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-12)


def test_the_mean_of_nothing_is_nan() -> None:
    assert np.isnan(reference.mse_loss(np.empty(0), np.empty(0)))
