"""The reference layer and root mean square normalisation against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")

CASES = [((3, 5), 1), ((7,), 1), ((2, 3, 4), 2), ((2, 2, 3, 3), 3), ((3, 31), 1), ((0, 5), 1)]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "count"), CASES)
def test_layer_norm(rng: np.random.Generator, shape: tuple[int, ...], count: int, affine: bool) -> None:
    x, grad = rng.standard_normal((2, *shape))
    normalized = shape[len(shape) - count :]
    weight, bias = rng.standard_normal((2, *normalized)) if affine else (None, None)
    tensors = [None if each is None else torch.from_numpy(each).requires_grad_() for each in (x, weight, bias)]
    expected, mean, rstd = torch.native_layer_norm(tensors[0], normalized, tensors[1], tensors[2], 1e-3)
    expected.backward(torch.from_numpy(grad))

    got = backend("reference").layer_norm(x, weight, bias, normalized_shape=normalized, eps=1e-3)
    np.testing.assert_allclose(got[0], expected.detach().numpy(), rtol=1e-11, atol=1e-12, strict=True)
    np.testing.assert_allclose(got[1], mean.numpy().reshape(got[1].shape), rtol=1e-11, atol=1e-13, strict=True)
    np.testing.assert_allclose(got[2], rstd.numpy().reshape(got[2].shape), rtol=1e-11, strict=True)
    gradients = backend("reference").layer_norm_backward(grad, x, weight, *got[1:])
    for gradient, tensor in zip(gradients, tensors, strict=True):
        if tensor is not None:
            np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10, atol=1e-11, strict=True)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "count"), CASES)
def test_rms_norm(rng: np.random.Generator, shape: tuple[int, ...], count: int, affine: bool) -> None:
    x, grad = rng.standard_normal((2, *shape))
    normalized = shape[len(shape) - count :]
    weight = rng.standard_normal(normalized) if affine else None
    tensors = [None if each is None else torch.from_numpy(each).requires_grad_() for each in (x, weight)]
    expected = torch.nn.functional.rms_norm(tensors[0], normalized, tensors[1], 1e-3)
    expected.backward(torch.from_numpy(grad))

    y, rstd = backend("reference").rms_norm(x, weight, normalized_shape=normalized, eps=1e-3)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-11, atol=1e-12, strict=True)
    for gradient, tensor in zip(backend("reference").rms_norm_backward(grad, x, weight, rstd), tensors, strict=True):
        if tensor is not None:
            np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10, atol=1e-11, strict=True)
