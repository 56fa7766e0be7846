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
