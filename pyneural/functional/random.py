"""Random tensors and dropout."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.device import Device, get_default_device
from pyneural.device import device as find_device
from pyneural.kernels import Backend, dtypes
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor, check_dtype, get_default_dtype

from .creation import shape_of
from .operands import cast, require_tensor


class Dropout(Function):
    """The mask is a function of (seed, offset, position), so nothing is stored: the backward repeats it."""

    def __init__(self, p: float, seed: int, offset: int) -> None:
        self.p, self.seed, self.offset = p, seed, offset

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.dropout(x.array, p=self.p, seed=self.seed, offset=self.offset)

    def backward(self, grad: Tensor) -> Any:
        return Dropout(self.p, self.seed, self.offset)(grad)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Tensor:
    """Zero each element with probability ``p`` and scale the others by 1 / (1 - p); outside training, nothing.

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """
    require_tensor("dropout", input=input)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p (={p}) must be in [0, 1]")
    if not training or p == 0.0:
        return input
    return Dropout(p, **(generator or default_generator).next())(input)  # type: ignore[no-any-return]


def _floating(operation: str, dtype: Any) -> Any:
    found = check_dtype(operation, get_default_dtype() if dtype is None else dtype)
    if not dtypes.is_floating(found):
        raise TypeError(f"{operation}: dtype must be floating, not {found}")
    return found


def _made(
    name: str, shape: tuple[int, ...], generator: Generator | None, device: Any, requires_grad: bool, **attributes: Any
) -> Tensor:
    target: Device = get_default_device() if device is None else find_device(device)
    call = getattr(target.kernels, name)
    tensor = Tensor._over(call(shape=shape, **(generator or default_generator).next(), **attributes), target)
    return tensor.requires_grad_() if requires_grad else tensor


def rand(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform random numbers in [0, 1)."""
    shape = shape_of("rand", size)
    return _made("uniform", shape, generator, device, requires_grad, dtype=_floating("rand", dtype))


def randn(
    *size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Random numbers of the standard normal distribution."""
    shape = shape_of("randn", size)
    return _made("normal", shape, generator, device, requires_grad, dtype=_floating("randn", dtype))


def uniform(
    low: float,
    high: float,
    size: tuple[int, ...],
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Uniform random numbers in [low, high)."""
    shape = shape_of("uniform", (size,))
    return _made("uniform", shape, generator, device, False, dtype=_floating("uniform", dtype), low=low, high=high)


def normal(
    mean: float,
    std: float,
    size: tuple[int, ...],
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Random numbers of a normal distribution."""
    shape = shape_of("normal", (size,))
    return _made("normal", shape, generator, device, False, dtype=_floating("normal", dtype), mean=mean, std=std)


def randint(
    low: int,
    high: Any,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Random whole numbers in [low, high), int64 unless ``dtype`` is given; ``randint(high, size)`` begins at 0."""
    if size is None:
        low, high, size = 0, low, high
    wanted = check_dtype("randint", "int64" if dtype is None else dtype)
    return cast(_made("randint", shape_of("randint", (size,)), generator, device, False, low=low, high=high), wanted)


def randperm(n: int, *, generator: Generator | None = None, device: Any = None) -> Tensor:
    """A random order of 0 ... n - 1, int64."""
    target: Device = get_default_device() if device is None else find_device(device)
    return Tensor._over(target.kernels.permutation(n=n, **(generator or default_generator).next()), target)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element gives, else 0; no gradient."""
    require_tensor("bernoulli", input=input)
    drawn = rand(input.shape, generator=generator, dtype=input.dtype, device=input.device)
    return (drawn < input.detach()).to(input.dtype)  # type: ignore[no-any-return]
