"""The NumPy references of the 3-D convolution and its gradients against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels.conv3d import reference

torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")

# x, weight, attributes
CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 4, 7, 5), (4, 3, 2, 3, 3), {}),
    ((1, 2, 5, 4, 6), (3, 2, 3, 3, 2), {"padding": (1, 0, 1)}),
    ((1, 2, 7, 6, 8), (3, 2, 3, 2, 3), {"stride": (2, 3, 1), "padding": (1, 2, 0)}),
    ((1, 2, 6, 7, 5), (3, 2, 2, 3, 2), {"dilation": (3, 2, 1), "padding": 1}),
    ((2, 6, 3, 4, 3), (4, 3, 2, 2, 2), {"groups": 2}),
    ((1, 3, 4, 3, 5), (6, 1, 3, 3, 3), {"groups": 3, "padding": 1, "stride": 2}),
    ((3, 4, 2, 3, 2), (5, 4, 1, 1, 1), {}),
    ((0, 2, 3, 3, 3), (3, 2, 2, 2, 2), {}),
    ((2, 4, 6, 7, 5), (6, 2, 2, 3, 2), {"stride": (3, 2, 2), "padding": 2, "dilation": (2, 1, 3), "groups": 2}),
]


@pytest.mark.parametrize(("x_shape", "weight_shape", "attributes"), CASES, ids=str)
def test_forward_and_gradients(
    rng: np.random.Generator, x_shape: tuple[int, ...], weight_shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    x, weight = rng.standard_normal(x_shape), rng.standard_normal(weight_shape)
    bias = rng.standard_normal(weight_shape[0])
    torch_x, torch_weight = (torch.from_numpy(each).requires_grad_() for each in (x, weight))
    torch_y = torch.nn.functional.conv3d(torch_x, torch_weight, torch.from_numpy(bias), **attributes)
    y = reference.conv3d(x, weight, bias, **attributes)
    assert y.shape == tuple(torch_y.shape)
    np.testing.assert_allclose(y, torch_y.detach().numpy(), rtol=1e-12, atol=1e-12)

    grad = rng.standard_normal(y.shape)
    expected_x, expected_weight = torch.autograd.grad(torch_y, (torch_x, torch_weight), torch.from_numpy(grad))
    full = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **attributes}
    dx = reference.conv3d_dgrad(grad, weight, input_size=x_shape[2:], **full)
    np.testing.assert_allclose(dx, expected_x.numpy(), rtol=1e-12, atol=1e-12)
    dweight = reference.conv3d_wgrad(grad, x, kernel_size=weight_shape[2:], **full)
    np.testing.assert_allclose(dweight, expected_weight.numpy(), rtol=1e-12, atol=1e-12)
