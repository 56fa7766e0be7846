"""The reference group normalisation against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("shape", "groups"), [((3, 8), 2), ((2, 6, 5), 3), ((2, 4, 3, 3), 1), ((1, 3, 2, 2, 2), 3), ((2, 31, 7), 31)]
)
def test_group_norm(rng: np.random.Generator, shape: tuple[int, ...], groups: int, affine: bool) -> None:
    x, grad = rng.standard_normal((2, *shape))
    weight, bias = rng.standard_normal((2, shape[1])) if affine else (None, None)
    tensors = [None if each is None else torch.from_numpy(each).requires_grad_() for each in (x, weight, bias)]
    size = x[0, 0].size
    expected, mean, rstd = torch.native_group_norm(*tensors, shape[0], shape[1], size, groups, 1e-3)
    expected.backward(torch.from_numpy(grad))

    got = backend("reference").group_norm(x, weight, bias, num_groups=groups, eps=1e-3)
    for mine, theirs in zip(got, (expected, mean, rstd), strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-10, atol=1e-12, strict=True)
    gradients = backend("reference").group_norm_backward(grad, x, weight, *got[1:])
    for gradient, tensor in zip(gradients, tensors, strict=True):
        if tensor is not None:
            np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10, atol=1e-11, strict=True)
