"""Initial values of parameters, in place. Names end in ``_`` as PyTorch's.

Fans are PyTorch's: of a weight (out, in, *kernel) fan_in is in * prod(kernel), fan_out out * prod(kernel).
"""

from __future__ import annotations

import math
from typing import Any

from pyneural.kernels import dtypes
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

_GAINS = {
    "linear": 1.0,
    "conv2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the standard deviation that keeps it constant behind ``nonlinearity``.

    ``param`` is the negative slope of ``"leaky_relu"``, by default 0.01.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1.0 + slope**2))
    try:
        return _GAINS[nonlinearity]
    except KeyError:
        known = ", ".join(map(repr, (*_GAINS, "leaky_relu")))
        raise ValueError(f"calculate_gain: nonlinearity (={nonlinearity!r}) must be one of {known}") from None


def fan_in_and_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs feed an output, and how many outputs an input feeds.

    Raises:
        ValueError: fewer than 2 dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"fan_in_and_out: a tensor of shape {tensor.shape} has no fans; it needs 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _draw(name: str, tensor: Tensor, generator: Generator | None, **attributes: float) -> Tensor:
    if not dtypes.is_floating(tensor.dtype):
        raise TypeError(f"{name}_: the tensor must have a floating dtype, not {tensor.dtype}")
    stream = (generator or default_generator).next()
    kernel = getattr(tensor.device.kernels, name)
    kernel(shape=tensor.shape, dtype=tensor.dtype, out=tensor.array, **stream, **attributes)
    tensor._version[0] += 1
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in [a, b)."""
    return _draw("uniform", tensor, generator, low=a, high=b)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with this mean and standard deviation."""
    return _draw("normal", tensor, generator, mean=mean, std=std)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """``val`` everywhere."""
    tensor.array[...] = val
    tensor._version[0] += 1
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with variance 2 gain^2 / (fan_in + fan_out) (Glorot & Bengio, AISTATS 2010)."""
    bound = math.sqrt(3.0) * _xavier(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance 2 gain^2 / (fan_in + fan_out) (Glorot & Bengio, AISTATS 2010)."""
    return normal_(tensor, 0.0, _xavier(tensor, gain), generator)


def _xavier(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / max(sum(fan_in_and_out(tensor)), 1))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform with variance gain^2 / fan (He et al., ICCV 2015, arXiv:1502.01852).

    Args:
        a: negative slope, if the nonlinearity is ``"leaky_relu"``.
        mode: ``"fan_in"`` keeps the variance forward, ``"fan_out"`` backward.
    """
    bound = math.sqrt(3.0) * _kaiming(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with variance gain^2 / fan; arguments as of `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity), generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode (={mode!r}) must be 'fan_in' or 'fan_out'")
    fan = fan_in_and_out(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def default_(weight: Tensor, bias: Any, generator: Generator | None = None) -> None:
    """What Linear and Conv2d start from: both uniform within 1 / sqrt(fan_in), as in PyTorch."""
    kaiming_uniform_(weight, a=math.sqrt(5.0), generator=generator)
    if bias is not None:
        bound = 1.0 / math.sqrt(max(fan_in_and_out(weight)[0], 1))
        uniform_(bias, -bound, bound, generator)
