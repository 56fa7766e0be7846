"""The reference cumulative sums against PyTorch, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")


@pytest.mark.parametrize(
    ("shape", "dim"), [((), 0), ((7,), 0), ((5, 33), 1), ((33, 5), -2), ((3, 7, 5), 1), ((3, 0), 1)]
)
def test_cumsum(rng: np.random.Generator, shape: tuple[int, ...], dim: int) -> None:
    x, grad = (np.asarray(rng.standard_normal(shape)) for _ in range(2))
    t = torch.from_numpy(x).requires_grad_()
    expected = torch.cumsum(t, dim)
    expected.backward(torch.from_numpy(grad))
    got = backend("reference").cumsum(x, dim=dim)
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-12, atol=1e-13, strict=True)
    got = backend("reference").cumsum_backward(grad, dim=dim)
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-13, strict=True)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_])
def test_cumsum_of_integers_is_int64(rng: np.random.Generator, dtype: Any) -> None:
    x = rng.integers(0, 2, (9, 40)).astype(dtype)
    expected = torch.cumsum(torch.from_numpy(x), 1).numpy()
    np.testing.assert_array_equal(backend("reference").cumsum(x, dim=1), expected, strict=True)
