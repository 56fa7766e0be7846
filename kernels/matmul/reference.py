"""NumPy references of the matrix products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..activation import reference as activations

_ACTIVATIONS: dict[str | None, Callable[[np.ndarray], np.ndarray]] = {
    None: lambda y: y,
    "relu": lambda y: activations.relu(y),
    "gelu": lambda y: activations.gelu(y),
    "gelu_tanh": lambda y: activations.gelu(y, approximate="tanh"),
    "silu": lambda y: activations.silu(y),
    "sigmoid": lambda y: activations.sigmoid(y),
    "tanh": lambda y: activations.tanh(y),
}


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """NumPy's matmul has torch's forms; infinities and NaN are ordinary values here, not warnings."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.matmul(a, b))


def linear(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, *, activation: str | None = None
) -> np.ndarray:
    y = matmul(x, weight.T)
    if bias is not None:
        y = y + bias
    return _ACTIVATIONS[activation](y)
