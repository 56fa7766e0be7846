"""Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167)."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .elementwise import rsqrt
from .layout import reshape
from .operands import cast, require_tensor
from .rederive import rederive


class BatchNormTrain(Function):
    """Normalised by the batch's own statistics; also gives the mean and 1 / sqrt(var + eps), without gradient."""

    differentiable = 1

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Any:
        y, mean, rstd = kernels.batch_norm_train(
            x.array, None if weight is None else weight.array, None if bias is None else bias.array, eps=self.eps
        )
        self.save(x, weight, bias, Tensor._over(mean, x.device), Tensor._over(rstd, x.device))
        return y, mean, rstd

    def backward(self, grad: Tensor, *_: Tensor | None) -> Any:
        x, weight, bias, mean, rstd = self.saved
        by_x, by_weight, by_bias = BatchNormTrainBackward(self.eps)(grad, x, weight, mean, rstd)
        return (
            by_x if self.needs[0] else None,
            cast(by_weight, weight.dtype) if self.needs[1] else None,
            cast(by_bias, bias.dtype) if self.needs[2] else None,
        )


class BatchNormTrainBackward(Function):
    """The fused backward; its own derivative is written with simple operations."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(
        self, kernels: Backend, grad: Tensor, x: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor
    ) -> Any:
        self.save(grad, x, weight)
        return kernels.batch_norm_train_backward(
            grad.array, x.array, None if weight is None else weight.array, mean.array, rstd.array
        )

    def backward(self, by_x: Tensor | None, by_weight: Tensor | None, by_bias: Tensor | None) -> Any:
        """Differentiate  dx = w r (g - mean(g) - h mean(g h)),  dw = sum(g h),  db = sum(g)
        with h = (x - mean(x)) r, by recording them with simple operations."""
        grad, x, weight = self.saved

        def formula(grad: Tensor, x: Tensor, weight: Tensor | None) -> tuple[Tensor, ...]:
            return _backward_formula(grad, x, weight, eps=self.eps)

        gradients = rederive(formula, (grad, x, weight), self.needs[:3], (by_x, by_weight, by_bias))
        return (*gradients, None, None)


def _channels(parameter: Tensor, ndim: int) -> Tensor:
    """(C,) as (1, C, 1, ...)"""
    return reshape(parameter, (1, -1, *(1,) * (ndim - 2)))


def _backward_formula(grad: Tensor, x: Tensor, weight: Tensor | None, *, eps: float) -> tuple[Tensor, ...]:
    dims = (0, *range(2, x.ndim))
    centred = x - x.mean(dim=dims, keepdim=True)
    r = rsqrt((centred * centred).mean(dim=dims, keepdim=True) + eps)
    h = centred * r
    inner = grad - grad.mean(dim=dims, keepdim=True) - h * (grad * h).mean(dim=dims, keepdim=True)
    scale = r if weight is None else _channels(weight, x.ndim) * r
    return scale * inner, (grad * h).sum(dim=dims), grad.sum(dim=dims)


class BatchNormInfer(Function):
    """Normalised by given statistics, which carry no gradient."""

    def __init__(self, eps: float) -> None:
        self.eps = eps

    def forward(
        self,
        kernels: Backend,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        var: Tensor,
    ) -> Any:
        self.save(x, weight, bias, mean, var)
        return kernels.batch_norm_infer(
            x.array,
            None if weight is None else weight.array,
            None if bias is None else bias.array,
            mean.array,
            var.array,
            eps=self.eps,
        )

    def backward(self, grad: Tensor) -> Any:
        x, weight, bias, mean, var = self.saved
        dims = (0, *range(2, x.ndim))
        r = _channels(rsqrt(var + self.eps), x.ndim)
        by_x = by_weight = by_bias = None
        if self.needs[0]:
            by_x = cast(grad * (r if weight is None else _channels(weight, x.ndim) * r), x.dtype)
        if self.needs[1]:
            by_weight = cast((grad * ((x - _channels(mean, x.ndim)) * r)).sum(dim=dims), weight.dtype)
        if self.needs[2]:
            by_bias = cast(grad, bias.dtype).sum(dim=dims)
        return by_x, by_weight, by_bias, None, None


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel (dimension 1) of an (N, C, ...) tensor, then scale and shift it.

    In training the batch's statistics are used, and the running ones, where given, move towards them
    by ``momentum`` (the variance by its unbiased estimate); otherwise the running ones are used.

    Raises:
        ValueError: no running statistics outside training; one element a channel in training.
    """
    require_tensor(
        "batch_norm", input=input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: outside training running_mean and running_var must be given")
        return BatchNormInfer(eps)(input, weight, bias, running_mean, running_var)  # type: ignore[no-any-return]
    count = input.numel() // input.shape[1] if input.ndim >= 2 and input.shape[1] else 0
    if count == 1:
        raise ValueError(f"batch_norm: training needs more than 1 element a channel, got shape {input.shape}")
    y, mean, rstd = BatchNormTrain(eps)(input, weight, bias)
    for running, update in ((running_mean, mean), (running_var, None)):
        if running is not None:
            _move(running, update if update is not None else _unbiased(rstd, eps, count), momentum)
    return y  # type: ignore[no-any-return]


def _unbiased(rstd: Tensor, eps: float, count: int) -> Tensor:
    rstd = rstd.detach()
    factor = count / max(count - 1, 1)
    return factor / (rstd * rstd) + -eps * factor


def _move(running: Tensor, towards: Tensor, momentum: float) -> None:
    from pyneural.autograd.grad_mode import no_grad

    with no_grad():
        kept, new = running * (1.0 - momentum), cast(towards.detach(), running.dtype) * momentum
    running.device.kernels.add(kept.array, new.array, out=running.array)
    running._version[0] += 1
