"""The reference batch normalisation against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")

SHAPES = [(7, 5), (3, 2, 4), (2, 3, 5, 3), (2, 3, 2, 2, 2), (3, 1, 31)]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_forward_and_backward(rng: np.random.Generator, shape: tuple[int, ...], affine: bool) -> None:
    x, grad = rng.standard_normal((2, *shape))
    weight, bias = rng.standard_normal((2, shape[1])) if affine else (None, None)
    tensors = [None if each is None else torch.from_numpy(each).requires_grad_() for each in (x, weight, bias)]
    running_mean, running_var = torch.zeros(shape[1], dtype=torch.float64), torch.ones(shape[1], dtype=torch.float64)
    expected = torch.nn.functional.batch_norm(
        tensors[0], running_mean, running_var, tensors[1], tensors[2], training=True, momentum=1.0, eps=1e-3
    )
    expected.backward(torch.from_numpy(grad))

    y, mean, rstd = backend("reference").batch_norm_train(x, weight, bias, eps=1e-3)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-11, atol=1e-12, strict=True)
    np.testing.assert_allclose(mean, running_mean.numpy(), rtol=1e-11, atol=1e-13, strict=True)
    count = x.size // shape[1]
    biased = running_var.numpy() * (count - 1) / count
    np.testing.assert_allclose(rstd, 1 / np.sqrt(biased + 1e-3), rtol=1e-11, strict=True)

    dx, dweight, dbias = backend("reference").batch_norm_train_backward(grad, x, weight, mean, rstd)
    np.testing.assert_allclose(dx, tensors[0].grad.numpy(), rtol=1e-9, atol=1e-11, strict=True)
    if affine:
        np.testing.assert_allclose(dweight, tensors[1].grad.numpy(), rtol=1e-10, atol=1e-12, strict=True)
        np.testing.assert_allclose(dbias, tensors[2].grad.numpy(), rtol=1e-11, atol=1e-12, strict=True)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, (1, 3), (0, 3, 2)])
def test_inference(rng: np.random.Generator, shape: tuple[int, ...], affine: bool) -> None:
    x, mean, variance = rng.standard_normal(shape), rng.standard_normal(shape[1]), rng.random(shape[1]) + 0.1
    weight, bias = rng.standard_normal((2, shape[1])) if affine else (None, None)
    tensors = [None if each is None else torch.from_numpy(each) for each in (x, mean, variance, weight, bias)]
    expected = torch.nn.functional.batch_norm(*tensors, training=False, eps=1e-4).numpy()
    got = backend("reference").batch_norm_infer(x, weight, bias, mean, variance, eps=1e-4)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12, strict=True)


def test_one_value_per_channel_is_refused_as_in_pytorch() -> None:
    x = np.zeros((1, 3, 1))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        torch.nn.functional.batch_norm(torch.from_numpy(x), None, None, training=True)
    with pytest.raises(ValueError, match=r"more than one value per channel .* \(1, 3, 1\)"):
        backend("reference").batch_norm_train(x)
