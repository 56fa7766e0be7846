"""The NumPy references of softmax and log-softmax, forward and backward, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

torch: Any = pytest.importorskip("torch", reason="PyTorch is the independent oracle of these references")

reference = kernels.backend("reference")


@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((9,), -1), ((3, 5), 0), ((3, 5), 1), ((2, 7, 3), 1), ((0, 3), 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_forward_and_backward(name: str, shape: tuple[int, ...], dim: int, rng: np.random.Generator) -> None:
    x, grad = np.asarray(rng.standard_normal(shape) * 4), np.asarray(rng.standard_normal(shape))
    leaf = torch.from_numpy(x).requires_grad_()
    expected = getattr(torch, name)(leaf, dim)
    expected.backward(torch.from_numpy(grad))

    y = getattr(reference, name)(x, dim=dim)
    dx = getattr(reference, f"{name}_backward")(grad, y, dim=dim)

    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_special_rows(name: str) -> None:
    x = np.ones((6, 4))
    x[0, 1], x[1, 2], x[2, 3], x[3], x[4, 1:] = np.nan, np.inf, -np.inf, -np.inf, -np.inf
    x[5] = [1000.0, 0.0, -1000.0, 999.0]
    expected = getattr(torch, name)(torch.from_numpy(x), 1).numpy()
    np.testing.assert_allclose(getattr(reference, name)(x, dim=1), expected, rtol=1e-12)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [((9,), -1), ((3, 5), 0), ((3, 5), (0, 1)), ((2, 7, 3), 1), ((2, 7, 3), (0, -1)), ((0, 3), 1), ((3, 0), 1)],
    ids=str,
)
def test_logsumexp(shape: tuple[int, ...], dim: Any, keepdim: bool, rng: np.random.Generator) -> None:
    x = rng.standard_normal(shape) * 4
    leaf = torch.from_numpy(x).requires_grad_()
    expected = torch.logsumexp(leaf, dim, keepdim)
    grad = np.asarray(rng.standard_normal(tuple(expected.shape)))
    expected.backward(torch.from_numpy(grad))

    y = reference.logsumexp(x, dim=dim, keepdim=keepdim)
    kept = reference.logsumexp(x, dim=dim, keepdim=True)
    dx = reference.logsumexp_backward(grad.reshape(kept.shape), x, kept, dim=dim)

    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-11, atol=1e-14)


def test_logsumexp_of_special_rows() -> None:
    x = np.ones((6, 4))
    x[0, 1], x[1, 2], x[2, 3], x[3], x[4, 1:] = np.nan, np.inf, -np.inf, -np.inf, -np.inf
    x[5] = [1000.0, 0.0, -1000.0, 999.0]
    expected = torch.logsumexp(torch.from_numpy(x), 1).numpy()
    for name in ("reference", "numba_cpu"):
        np.testing.assert_allclose(kernels.backend(name).logsumexp(x, dim=1), expected, rtol=1e-12)
