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
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (5,), (3, 4, 2, 3), (0, 5)], ids=str)
def test_nll_loss(
    shape: tuple[int, ...], weighted: bool, ignored: int, reduction: str, rng: np.random.Generator
) -> None:
    classes = shape[0] if len(shape) == 1 else shape[1]
    x = rng.standard_normal(shape)
    target = np.asarray(rng.integers(0, classes, () if len(shape) == 1 else shape[:1] + shape[2:]))
    if ignored < 0 and target.ndim:
        target[::3] = ignored
    weight = rng.random(classes) + 0.5 if weighted else None
    leaf = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.nll_loss(
        leaf,
        torch.from_numpy(target),
        None if weight is None else torch.from_numpy(weight),
        ignore_index=ignored,
        reduction=reduction,
    )
    grad = np.asarray(rng.standard_normal(tuple(expected.shape)))
    expected.backward(torch.from_numpy(grad))

    attributes: dict[str, Any] = {"ignore_index": ignored, "reduction": reduction}
    loss, total = reference.nll_loss(x, target, weight, **attributes)
    dx = reference.nll_loss_backward(grad, target, total, weight, input_shape=shape, **attributes)

    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["reference", "numba_cpu"])
def test_nll_loss_of_ignored_positions_alone(name: str) -> None:
    backend = kernels.backend(name)
    x, target = np.ones((3, 4)), np.full(3, -100)
    loss, total = backend.nll_loss(x, target)
    assert np.isnan(loss)
    assert total == 0
    np.testing.assert_array_equal(backend.nll_loss_backward(np.ones(()), target, total, input_shape=(3, 4)), 0)
