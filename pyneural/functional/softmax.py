"""Softmax and its logarithm along one dimension; the logarithm of a sum of exponentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural.autocast import raised
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend, check
from pyneural.tensor import Tensor

from .elementwise import exp, to_dtype
from .layout import reshape
from .operands import floating, require_tensor


class Softmax(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.softmax(x.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return SoftmaxBackward(self.dim)(grad, y)


class SoftmaxBackward(Function):
    """y * (grad - sum(grad * y))"""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, grad: Tensor, y: Tensor) -> Any:
        self.save(grad, y)
        return kernels.softmax_backward(grad.array, y.array, dim=self.dim)

    def backward(self, cotangent: Tensor) -> Any:
        grad, y = self.saved
        by_grad = SoftmaxBackward(self.dim)(cotangent, y)
        if not self.needs[1]:
            return by_grad, None
        dot_grad = (grad * y).sum(dim=self.dim, keepdim=True)
        dot_cotangent = (cotangent * y).sum(dim=self.dim, keepdim=True)
        return by_grad, cotangent * (grad - dot_grad) - grad * dot_cotangent


class LogSoftmax(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.log_softmax(x.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return LogSoftmaxBackward(self.dim)(grad, y)


class LogSoftmaxBackward(Function):
    """grad - exp(y) * sum(grad)"""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, grad: Tensor, y: Tensor) -> Any:
        self.save(grad, y)
        return kernels.log_softmax_backward(grad.array, y.array, dim=self.dim)

    def backward(self, cotangent: Tensor) -> Any:
        grad, y = self.saved
        probabilities = exp(y)
        by_grad = cotangent - (cotangent * probabilities).sum(dim=self.dim, keepdim=True)
        if not self.needs[1]:
            return by_grad, None
        return by_grad, -(cotangent * probabilities * grad.sum(dim=self.dim, keepdim=True))


class Logsumexp(Function):
    def __init__(self, dim: Any, keepdim: bool) -> None:
        self.dim, self.keepdim = dim, keepdim

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        self.save_outputs()
        return kernels.logsumexp(x.array, dim=self.dim, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        (x,), (y,) = self.saved, self.saved_outputs
        kept = check.reduced_shape(x.shape, check.dims("logsumexp", self.dim, x.ndim), True)
        return LogsumexpBackward(self.dim)(reshape(grad, kept), x, reshape(y, kept))


class LogsumexpBackward(Function):
    """grad * exp(x - y)"""

    def __init__(self, dim: Any) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor, y: Tensor) -> Any:
        self.save(grad, x, y)
        return kernels.logsumexp_backward(grad.array, x.array, y.array, dim=self.dim)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x, y = self.saved
        by_grad = cotangent * exp(x - y)
        by_x = by_grad * grad
        # What has the shape of the result is summed to it by the engine.
        return by_grad, by_x, (-by_x if self.needs[2] else None)


def logsumexp(input: Tensor, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """``log(sum(exp(input)))`` over ``dim`` without overflow; an empty sequence stands for all dimensions."""
    require_tensor("logsumexp", input=input)
    return Logsumexp(dim, keepdim)(floating(input))  # type: ignore[no-any-return]


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """``exp(input) / sum(exp(input))`` along ``dim``, computed in ``dtype`` if one is given."""
    require_tensor("softmax", input=input)
    if autocast.targets is not None:
        (input,) = raised(input)
    return Softmax(dim)(input if dtype is None else to_dtype(input, dtype))  # type: ignore[no-any-return]


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """``log(softmax(input, dim))`` without overflow or cancellation."""
    require_tensor("log_softmax", input=input)
    if autocast.targets is not None:
        (input,) = raised(input)
    return LogSoftmax(dim)(input if dtype is None else to_dtype(input, dtype))  # type: ignore[no-any-return]
