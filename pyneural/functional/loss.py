"""Losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyneural import recording
from pyneural.autocast import raised
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.engine import is_implicit_one
from pyneural.autograd.function import Function
from pyneural.autograd.grad_mode import is_grad_enabled
from pyneural.kernels import Backend, dtypes
from pyneural.tensor import Tensor

from .elementwise import eq, exp, ne, where
from .operands import cast, constant, require_constant, require_reduction, require_tensor
from .softmax import log_softmax


class _OfClasses(Function):
    """What cross-entropy and its gradient have in common: their attributes."""

    def __init__(self, ignore_index: int, label_smoothing: float) -> None:
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing


class CrossEntropy(_OfClasses):
    """The loss of each position; the log-sum-exp is a by-product for the backward, without gradient."""

    differentiable = 1

    def forward(self, kernels: Backend, logits: Tensor, target: Tensor, weight: Tensor | None) -> Any:
        loss, logsumexp = kernels.cross_entropy(
            logits.array,
            target.array,
            None if weight is None else weight.array,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )
        self.save(logits, target, Tensor._over(logsumexp, logits.device), weight)
        return loss, logsumexp

    def backward(self, grad: Tensor, _: Tensor | None) -> Any:
        logits, target, logsumexp, weight = self.saved
        attributes = (self.ignore_index, self.label_smoothing)
        return CrossEntropyBackward(*attributes)(grad, logits, target, logsumexp, weight), None, None


class ReducedCrossEntropy(_OfClasses):
    """``scale`` times the sum of the losses; its gradient for a cotangent of 1 is written as the logits are read."""

    def forward(self, kernels: Backend, logits: Tensor, target: Tensor, weight: Tensor | None, scale: Tensor) -> Any:
        loss, logsumexp, gradient = kernels.cross_entropy_with_gradient(
            logits.array,
            target.array,
            scale.array,
            None if weight is None else weight.array,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )
        kept = (Tensor._over(each, logits.device) for each in (logsumexp, gradient))
        self.save(logits, target, weight, scale, *kept)
        total = kernels.sum(kernels.cast(loss, dtype=scale.dtype))
        return kernels.cast(kernels.mul(total, scale.array), dtype=logits.dtype)

    def backward(self, grad: Tensor) -> Any:
        logits, target, weight, scale, logsumexp, gradient = self.saved
        if is_implicit_one(grad) and not is_grad_enabled():
            return gradient, None, None, None
        # From the logits again: the gradient that was written is rounded, and below 16 bits' range might be 0.
        each = cast(grad * scale, logits.dtype).expand(target.shape)
        attributes = (self.ignore_index, self.label_smoothing)
        return CrossEntropyBackward(*attributes)(each, logits, target, logsumexp, weight), None, None, None


class CrossEntropyBackward(_OfClasses):
    def forward(
        self,
        kernels: Backend,
        grad: Tensor,
        logits: Tensor,
        target: Tensor,
        logsumexp: Tensor,
        weight: Tensor | None,
    ) -> Any:
        self.save(grad, logits, target, logsumexp, weight)
        return kernels.cross_entropy_backward(
            grad.array,
            logits.array,
            target.array,
            logsumexp.array,
            None if weight is None else weight.array,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def backward(self, cotangent: Tensor) -> Any:
        grad, logits, target, logsumexp, weight = self.saved
        dim = 0 if logits.ndim == 1 else 1
        attributes = (self.ignore_index, self.label_smoothing)
        # The first derivative is grad * (total * softmax - targets): linear in grad, and its dependence
        # on the logits is that of softmax, whose total weight the derivative by a one-hot grad gives.
        by_grad = by_logits = None
        if self.needs[0]:
            unit = CrossEntropyBackward(*attributes)(grad.new_ones(grad.shape), logits, target, logsumexp, weight)
            by_grad = (cotangent * unit).sum(dim=dim)
        if self.needs[1]:
            probabilities = exp(log_softmax(logits, dim))
            total = _total_weight(logits, target, weight, dim, *attributes)
            scale = (grad * total).unsqueeze(dim)
            mixed = (cotangent * probabilities).sum(dim=dim, keepdim=True)
            by_logits = scale * probabilities * (cotangent - mixed)
        return by_grad, by_logits, None, None, None


def _total_weight(
    logits: Tensor, target: Tensor, weight: Tensor | None, dim: int, ignore_index: int, smoothing: float
) -> Tensor:
    """The sum of the (smoothed, weighted) target distribution of each position; 0 where ignored."""
    ignored = eq(target, ignore_index)
    if weight is None:
        own = logits.new_ones(target.shape)
        spread: Any = 1.0
    else:
        own = weight[where(ignored, 0, target)]
        spread = weight.sum() / logits.shape[dim]
    return where(ignored, 0.0, own * (1.0 - smoothing) + smoothing * spread)


class NllLoss(Function):
    """The loss; the total weight of its targets is a by-product for the backward, without gradient."""

    differentiable = 1

    def __init__(self, ignore_index: int, reduction: str) -> None:
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, kernels: Backend, x: Tensor, target: Tensor, weight: Tensor | None) -> Any:
        loss, total_weight = kernels.nll_loss(
            x.array,
            target.array,
            None if weight is None else weight.array,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )
        self.save(target, Tensor._over(total_weight, x.device), weight)
        return loss, total_weight

    def backward(self, grad: Tensor, _: Tensor | None) -> Any:
        attributes = self.shapes[0], self.ignore_index, self.reduction
        return NllLossBackward(*attributes)(grad, *self.saved), None, None


class NllLossBackward(Function):
    def __init__(self, input_shape: tuple[int, ...], ignore_index: int, reduction: str) -> None:
        self.input_shape, self.ignore_index, self.reduction = input_shape, ignore_index, reduction

    def forward(
        self, kernels: Backend, grad: Tensor, target: Tensor, total_weight: Tensor, weight: Tensor | None
    ) -> Any:
        self.save(target, weight)
        return kernels.nll_loss_backward(
            grad.array,
            target.array,
            total_weight.array,
            None if weight is None else weight.array,
            input_shape=self.input_shape,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )

    def backward(self, cotangent: Tensor) -> Any:
        # The loss is linear in its input: the adjoint of its gradient is the loss itself.
        by_grad, _ = NllLoss(self.ignore_index, self.reduction)(cotangent, *self.saved)
        return by_grad, None, None, None


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of logits against class indices, or against probabilities.

    Shapes: input (N, C, ...) or (C); target int64 (N, ...) or (), or of the input's shape and a
    floating dtype; weight (C), a factor for each class. ``"mean"`` divides by the sum of the
    targets' weights (indices) or by the number of positions (probabilities).

    Raises:
        IndexError: a target outside [0, C) that is not ``ignore_index``.
        RuntimeError: ``weight`` requires a gradient: it is a constant here, as in PyTorch.
        ValueError, TypeError: shapes, dtypes or attributes that do not fit.
    """
    require_tensor("cross_entropy", input=input, target=target, weight=weight)
    if autocast.targets is not None:
        input, target, weight = raised(input, target, weight)
    require_constant("cross_entropy", weight=weight)
    require_reduction("cross_entropy", reduction)
    if dtypes.is_floating(target.dtype):
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index (={ignore_index}) has no meaning for probabilities")
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    attributes = (ignore_index, label_smoothing)
    if reduction == "none":
        return CrossEntropy(*attributes)(input, target, weight)[0]  # type: ignore[no-any-return]
    scale = _scale(input, target, weight, ignore_index, reduction)
    if input.requires_grad and is_grad_enabled():
        return ReducedCrossEntropy(*attributes)(input, target, weight, scale)  # type: ignore[no-any-return]
    loss, _ = CrossEntropy(*attributes)(input, target, weight)
    return cast(cast(loss, scale.dtype).sum() * scale, input.dtype)


def _scale(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    """What the sum of the losses is multiplied by, in the dtype it is summed in."""
    dtype = dtypes.accumulator(input.dtype)
    if reduction == "sum":
        return input.new_ones((), dtype=dtype)  # type: ignore[no-any-return]
    if weight is None and input.device.kernels.name == "numba_cpu" and recording.current() is None:
        # One look at the array, in the place of four operations, which other backends compute and a plan repeats.
        count = np.count_nonzero(target.array != ignore_index)
        return constant(1.0 / count if count else math.inf, dtype, input.device)
    kept = ne(target, ignore_index)
    if weight is None:
        counted = cast(kept, dtype)
    else:
        counted = where(kept, cast(weight.detach(), dtype)[where(kept, target, 0)], 0.0)
    return 1.0 / counted.sum()  # type: ignore[no-any-return]


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    if target.shape != input.shape:
        raise ValueError(f"cross_entropy: probabilities must have the input's shape {input.shape}, not {target.shape}")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing (={label_smoothing}) must be in [0, 1]")
    dim = 0 if input.ndim == 1 else 1
    classes = input.shape[dim]
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        if weight.shape != (classes,):
            raise ValueError(f"cross_entropy: weight must have shape {(classes,)}, not {weight.shape}")
        target = target * weight.reshape((-1, *(1,) * (input.ndim - 1 - dim)))
    loss: Tensor = -(log_softmax(input, dim) * target).sum(dim=dim)
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / max(loss.numel(), 1)  # type: ignore[no-any-return]


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of class indices under log-probabilities, such as `log_softmax` gives.

    Shapes: input (N, C, ...) or (C,); target int64 (N, ...) or (); weight (C), a factor for each class.
    ``"mean"`` divides by the sum of the targets' weights.

    Raises:
        IndexError: a target outside [0, C) that is not ``ignore_index``.
        RuntimeError: ``weight`` requires a gradient: it is a constant here, as in PyTorch.
        ValueError, TypeError: shapes, dtypes or attributes that do not fit.
    """
    require_tensor("nll_loss", input=input, target=target, weight=weight)
    require_constant("nll_loss", weight=weight)
    if autocast.targets is not None:
        input, weight = raised(input, weight)
    require_reduction("nll_loss", reduction)
    loss, _ = NllLoss(ignore_index, reduction)(input, target, weight)
    return loss  # type: ignore[no-any-return]
