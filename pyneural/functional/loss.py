"""Losses."""

from __future__ import annotations

from typing import Any

from pyneural.autocast import raised
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.autograd.grad_mode import is_grad_enabled
from pyneural.kernels import Backend, dtypes
from pyneural.tensor import Tensor

from .elementwise import eq, exp, ne, where
from .operands import cast, pair, require_tensor
from .softmax import log_softmax

REDUCTIONS = ("mean", "sum", "none")


class CrossEntropy(Function):
    """The loss of each position; the log-sum-exp is a by-product for the backward, without gradient."""

    differentiable = 1

    def __init__(self, ignore_index: int, label_smoothing: float) -> None:
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

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


class CrossEntropyBackward(Function):
    def __init__(self, ignore_index: int, label_smoothing: float) -> None:
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

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


class MseLoss(Function):
    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, kernels: Backend, x: Tensor, target: Tensor) -> Any:
        self.save(x, target)
        return kernels.mse_loss(x.array, target.array, reduction=self.reduction)

    def backward(self, grad: Tensor) -> Any:
        x, target = self.saved
        by_x = MseLossBackward(self.reduction)(grad, x, target)
        return by_x, (-by_x if self.needs[1] else None)


class MseLossBackward(Function):
    """2 (x - target) grad, divided by the number of elements for the mean."""

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor, target: Tensor) -> Any:
        self.save(grad, x, target)
        return kernels.mse_loss_backward(grad.array, x.array, target.array, reduction=self.reduction)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x, target = self.saved
        factor = 2.0 / max(x.numel(), 1) if self.reduction == "mean" else 2.0
        by_grad = cotangent * (x - target) * factor
        by_x = cotangent * grad * factor
        if self.reduction != "none":
            by_grad = by_grad.sum()
        return by_grad, by_x, (-by_x if self.needs[2] else None)


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
    if weight is not None and weight.requires_grad and is_grad_enabled():
        raise RuntimeError(
            f"cross_entropy: weight of shape {weight.shape} requires a gradient, but its derivative is not defined; "
            "use weight.detach()"
        )
    _check_reduction("cross_entropy", reduction)
    if dtypes.is_floating(target.dtype):
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index (={ignore_index}) has no meaning for probabilities")
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    loss, _ = CrossEntropy(ignore_index, label_smoothing)(input, target, weight)
    if reduction == "none":
        return loss  # type: ignore[no-any-return]
    if reduction == "sum":
        return loss.sum()  # type: ignore[no-any-return]
    kept = ne(target, ignore_index)
    if weight is None:
        counted = cast(kept, input.dtype).sum()
    else:
        counted = where(kept, weight.detach()[where(kept, target, 0)], 0.0).sum()
    return loss.sum() / counted  # type: ignore[no-any-return]


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


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared difference: its mean, its sum, or itself. Both tensors have one shape.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
    """
    require_tensor("mse_loss", input=input, target=target)
    if autocast.targets is not None:
        input, target = raised(input, target)
    _check_reduction("mse_loss", reduction)
    a, b = pair("mse_loss", input, target)
    return MseLoss(reduction)(a, b)  # type: ignore[no-any-return]


def _check_reduction(operation: str, reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(f"{operation}: reduction (={reduction!r}) must be one of {', '.join(map(repr, REDUCTIONS))}")
