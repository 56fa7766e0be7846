"""Initial values of parameters, in place. Names end in ``_`` as PyTorch's.

Fans are PyTorch's: of a weight (out, in, *kernel) fan_in is in * prod(kernel), fan_out out * prod(kernel).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyneural.autograd import no_grad
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


def eye_(tensor: Tensor) -> Tensor:
    """The identity: 1 on the diagonal of a matrix, 0 elsewhere.

    Raises:
        ValueError: not 2 dimensions.
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: a tensor of shape {tensor.shape} has no diagonal; it needs 2 dimensions")
    return _write(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Filters that hand input channels on: 1 in the middle of filter i for its channel i, 0 elsewhere.

    Args:
        tensor: the weight of a convolution, (out_channels, in_channels, *kernel_size) with 3 to 5 dimensions.
        groups: each group of filters begins with channel 0 again.

    Raises:
        ValueError: other dimensions, or ``groups`` does not divide the first.
    """
    if not 3 <= tensor.ndim <= 5:
        raise ValueError(f"dirac_: the weight of a convolution has 3 to 5 dimensions, not shape {tensor.shape}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: the filters (={tensor.shape[0]}) must be divisible by groups (={groups})")
    values = np.zeros(tensor.shape)
    filters = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(filters, tensor.shape[1])):
            place = (group * filters + i, i, *middle)
            values[place] = 1.0
    return _write(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Rows, or columns if there are fewer, orthogonal and of length ``gain`` (Saxe et al. 2014, arXiv:1312.6120).

    More than 2 dimensions count as a matrix (first, all others). The distribution is uniform over such
    matrices (Mezzadri 2007, arXiv:math-ph/0609050).

    Raises:
        ValueError: fewer than 2 dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: a tensor of shape {tensor.shape} is no matrix; it needs 2 dimensions")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    if not rows * columns:
        return tensor
    drawn = _numbers("normal", tensor, (max(rows, columns), min(rows, columns)), generator)
    q, r = np.linalg.qr(drawn)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return _write(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with this mean and standard deviation, but within [a, b].

    Raises:
        ValueError: ``std`` is not positive, or ``a`` is not below ``b``.
    """
    if not std > 0.0:
        raise ValueError(f"trunc_normal_: std (={std}) must be above 0")
    if not a < b:
        raise ValueError(f"trunc_normal_: a (={a}) must be below b (={b})")
    from scipy.special import ndtr, ndtri

    low, high = ((limit - mean) / std for limit in (a, b))
    # Uniform between the tails, through the inverse; from the side where the distribution function is exact.
    sign = -1.0 if low > 0.0 else 1.0
    ends = sorted((sign * low, sign * high))
    drawn = _numbers("uniform", tensor, tensor.shape, generator)
    first, last = (ndtr(each) for each in ends)
    values = sign * ndtri(first + (last - first) * drawn)
    return _write(tensor, np.clip(mean + std * values, a, b))


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
    tensor.device.engine.fill(tensor.array, val)
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


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform with variance 1 / fan_in (LeCun et al., Efficient BackProp, 1998)."""
    bound = math.sqrt(3.0 / max(fan_in_and_out(tensor)[0], 1))
    return uniform_(tensor, -bound, bound, generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Normal with variance 1 / fan_in (LeCun et al. 1998), as SELU needs (Klambauer et al. 2017)."""
    return normal_(tensor, 0.0, 1.0 / math.sqrt(max(fan_in_and_out(tensor)[0], 1)), generator)


def _xavier(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / max(sum(fan_in_and_out(tensor)), 1))


def _numbers(name: str, tensor: Tensor, shape: tuple[int, ...], generator: Generator | None) -> np.ndarray:
    """Random numbers on the host, in float64; the same for every device."""
    kernel = getattr(tensor.device.kernels, name)
    drawn = kernel(shape=shape, dtype=dtypes.float64, **(generator or default_generator).next())
    return np.array(tensor.device.to_host(drawn))


def _write(tensor: Tensor, values: np.ndarray) -> Tensor:
    if not dtypes.is_floating(tensor.dtype):
        raise TypeError(f"init: the tensor must have a floating dtype, not {tensor.dtype}")
    with no_grad():
        tensor.copy_(Tensor(values, dtype=tensor.dtype, device=tensor.device))
    return tensor


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
