"""The NumPy references of the convolution and its gradients against PyTorch and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal

from pyneural.kernels.conv import reference

torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")

# x, weight, attributes
CASES: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 7, 5), (4, 3, 3, 3), {}),
    ((2, 3, 7, 5), (4, 3, 3, 3), {"padding": 1}),
    ((1, 2, 9, 8), (3, 2, 3, 2), {"stride": (2, 3), "padding": (1, 0)}),
    ((1, 2, 9, 8), (3, 2, 2, 3), {"dilation": (3, 2), "padding": 2}),
    ((2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((2, 5, 6, 7), (5, 1, 3, 3), {"groups": 5, "padding": 1}),
    ((1, 3, 6, 7), (6, 1, 3, 3), {"groups": 3, "stride": 2}),
    ((3, 4, 5, 6), (7, 4, 1, 1), {}),
    ((1, 2, 5, 7), (3, 2, 1, 1), {"stride": 3}),
    ((2, 4, 9, 11), (6, 2, 2, 3), {"stride": (3, 2), "padding": (2, 1), "dilation": (2, 3), "groups": 2}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {"padding": 2}),
    ((0, 2, 4, 4), (3, 2, 3, 3), {}),
    ((1, 2, 8, 8), (2, 2, 5, 5), {"stride": 4, "padding": 3}),
]


@pytest.mark.parametrize(("x_shape", "weight_shape", "attributes"), CASES, ids=str)
def test_forward_and_gradients(
    rng: np.random.Generator, x_shape: tuple[int, ...], weight_shape: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    x, weight = rng.standard_normal(x_shape), rng.standard_normal(weight_shape)
    bias = rng.standard_normal(weight_shape[0])
    torch_x, torch_weight = (torch.from_numpy(each).requires_grad_() for each in (x, weight))
    torch_y = torch.nn.functional.conv2d(torch_x, torch_weight, torch.from_numpy(bias), **attributes)
    y = reference.conv2d(x, weight, bias, **attributes)
    assert y.shape == tuple(torch_y.shape)
    np.testing.assert_allclose(y, torch_y.detach().numpy(), rtol=1e-12, atol=1e-12)

    grad = rng.standard_normal(y.shape)
    expected_x, expected_weight = torch.autograd.grad(torch_y, (torch_x, torch_weight), torch.from_numpy(grad))
    full = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **attributes}
    dx = reference.conv2d_dgrad(grad, weight, input_size=x_shape[2:], **full)
    np.testing.assert_allclose(dx, expected_x.numpy(), rtol=1e-12, atol=1e-12)
    dweight = reference.conv2d_wgrad(grad, x, kernel_size=weight_shape[2:], **full)
    np.testing.assert_allclose(dweight, expected_weight.numpy(), rtol=1e-12, atol=1e-12)


def test_relu_is_applied_last(rng: np.random.Generator) -> None:
    x, weight, bias = rng.standard_normal((2, 3, 5, 5)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    expected = np.maximum(reference.conv2d(x, weight, bias), 0)
    np.testing.assert_array_equal(reference.conv2d(x, weight, bias, activation="relu"), expected)
    assert (expected == 0).any()
    assert (expected > 0).any()


def test_one_channel_against_scipy(rng: np.random.Generator) -> None:
    image, kernel = rng.standard_normal((9, 11)), rng.standard_normal((3, 4))
    expected = signal.correlate2d(image, kernel, mode="valid")
    result = reference.conv2d(image[None, None], kernel[None, None])
    np.testing.assert_allclose(result[0, 0], expected, rtol=1e-12, atol=1e-13)


def test_gradients_are_the_adjoints_of_the_forward_pass(rng: np.random.Generator) -> None:
    """<conv(x, w), g> = <x, dgrad(g, w)> = <w, wgrad(g, x)>, for the same stride that leaves pixels unread."""
    attributes: dict[str, Any] = {"stride": (3, 2), "padding": 1, "dilation": 2, "groups": 2}
    x, weight = rng.standard_normal((2, 4, 12, 10)), rng.standard_normal((6, 2, 2, 3))
    y = reference.conv2d(x, weight, **attributes)
    grad = rng.standard_normal(y.shape)
    product = np.sum(y * grad)
    dx = reference.conv2d_dgrad(grad, weight, input_size=x.shape[2:], **attributes)
    dweight = reference.conv2d_wgrad(grad, x, kernel_size=weight.shape[2:], **attributes)
    np.testing.assert_allclose(np.sum(x * dx), product, rtol=1e-11)
    np.testing.assert_allclose(np.sum(weight * dweight), product, rtol=1e-11)
