"""The NumPy references of activation functions, forward and backward, against PyTorch in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels

torch: Any = pytest.importorskip("torch", reason="PyTorch is the independent oracle of these references")

reference = kernels.backend("reference")
CALLS = [
    ("relu", {}),
    ("leaky_relu", {"negative_slope": 0.01}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {"alpha": 1.0}),
    ("elu", {"alpha": 0.7}),
    ("gelu", {"approximate": "none"}),
    ("gelu", {"approximate": "tanh"}),
    ("silu", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("softplus", {"beta": 1.0, "threshold": 20.0}),
    ("softplus", {"beta": 2.0, "threshold": 1.5}),
    ("selu", {}),
    ("mish", {}),
    ("hardswish", {}),
    ("hardsigmoid", {}),
]
FROM_RESULT = ("relu", "sigmoid", "tanh")  # their backward kernels take the result, not the argument


def oracle(name: str) -> Any:
    return getattr(torch.nn.functional, name)


@pytest.mark.parametrize(("name", "attributes"), CALLS, ids=str)
def test_forward_and_backward(name: str, attributes: dict[str, Any], rng: np.random.Generator) -> None:
    x, grad = rng.standard_normal((2, 5, 7, 3)) * 3
    leaf = torch.from_numpy(x).requires_grad_()
    expected = oracle(name)(leaf, **attributes)
    expected.backward(torch.from_numpy(grad))

    y = getattr(reference, name)(x, **attributes)
    dx = getattr(reference, f"{name}_backward")(grad, y if name in FROM_RESULT else x, **attributes)

    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    # PyTorch's gradient of hardsigmoid is a sixth rounded to float32.
    np.testing.assert_allclose(dx, leaf.grad.numpy(), rtol=1e-7 if name == "hardsigmoid" else 1e-12, atol=1e-13)


@pytest.mark.parametrize(("name", "attributes"), CALLS, ids=str)
def test_special_values(name: str, attributes: dict[str, Any]) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1e-300])
    expected = oracle(name)(torch.from_numpy(x), **attributes).numpy()
    np.testing.assert_array_equal(getattr(reference, name)(x, **attributes), expected)
