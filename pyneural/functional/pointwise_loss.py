"""Losses that compare two tensors element by element."""

from __future__ import annotations

from typing import Any

from pyneural.autocast import raised
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .activation import sigmoid, softplus
from .elementwise import abs, where
from .operands import pair, require_constant, require_reduction, require_tensor
from .rederive import rederive


class _Loss(Function):
    """A loss of the difference of two tensors. Its fused backward kernel is ``<operation>_backward``."""

    operation: str
    slope: type[_Slope]

    def __init__(self, reduction: str, **attributes: float) -> None:
        self.reduction, self.attributes = reduction, attributes

    def forward(self, kernels: Backend, x: Tensor, target: Tensor) -> Any:
        self.save(x, target)
        return getattr(kernels, self.operation)(x.array, target.array, reduction=self.reduction, **self.attributes)

    def backward(self, grad: Tensor) -> Any:
        x, target = self.saved
        by_x = self.slope(self.reduction, **self.attributes)(grad, x, target)
        return by_x, (-by_x if self.needs[1] else None)


class _Slope(Function):
    """``grad`` times the derivative by x, divided by the number of elements for the mean."""

    operation: str

    def __init__(self, reduction: str, **attributes: float) -> None:
        self.reduction, self.attributes = reduction, attributes

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor, target: Tensor) -> Any:
        self.save(grad, x, target)
        return getattr(kernels, self.operation)(
            grad.array, x.array, target.array, reduction=self.reduction, **self.attributes
        )

    def backward(self, cotangent: Tensor) -> Any:
        grad, x, target = self.saved
        by_grad = by_x = None
        if self.needs[0]:
            unit = type(self)(self.reduction, **self.attributes)(grad.new_ones(grad.shape), x, target)
            by_grad = cotangent * unit if self.reduction == "none" else (cotangent * unit).sum()
        if self.needs[1] or self.needs[2]:
            count = max(x.numel(), 1) if self.reduction == "mean" else 1
            by_x = cotangent * grad * self.curve(x - target) * (1.0 / count)
        return by_grad, by_x, (-by_x if self.needs[2] else None)  # type: ignore[operator]

    def curve(self, difference: Tensor) -> Any:
        """The second derivative at this difference of x and target."""
        raise NotImplementedError


class MseLossBackward(_Slope):
    operation = "mse_loss_backward"

    def curve(self, difference: Tensor) -> Any:
        return 2.0


class MseLoss(_Loss):
    operation, slope = "mse_loss", MseLossBackward


class L1LossBackward(_Slope):
    operation = "l1_loss_backward"

    def curve(self, difference: Tensor) -> Any:
        return 0.0


class L1Loss(_Loss):
    operation, slope = "l1_loss", L1LossBackward


class SmoothL1LossBackward(_Slope):
    operation = "smooth_l1_loss_backward"

    def curve(self, difference: Tensor) -> Any:
        beta = self.attributes["beta"]
        return where(abs(difference) < beta, 1.0 / beta, 0.0 * difference) if beta else 0.0


class SmoothL1Loss(_Loss):
    operation, slope = "smooth_l1_loss", SmoothL1LossBackward


class HuberLossBackward(_Slope):
    operation = "huber_loss_backward"

    def curve(self, difference: Tensor) -> Any:
        return where(abs(difference) < self.attributes["delta"], 1.0, 0.0 * difference)


class HuberLoss(_Loss):
    operation, slope = "huber_loss", HuberLossBackward


class BinaryCrossEntropyWithLogits(Function):
    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(
        self, kernels: Backend, x: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None
    ) -> Any:
        self.save(x, target, weight, pos_weight)
        arrays = [None if each is None else each.array for each in (x, target, weight, pos_weight)]
        return kernels.binary_cross_entropy_with_logits(*arrays, reduction=self.reduction)

    def backward(self, grad: Tensor) -> Any:
        x, target, weight, pos_weight = self.saved
        by_x = by_target = None
        if self.needs[0]:
            by_x = BinaryCrossEntropyWithLogitsBackward(self.reduction)(grad, x, target, weight, pos_weight)
        if self.needs[1]:
            # The loss is linear in the target: p ln sigmoid(x) against ln(1 - sigmoid(x)).
            slope = (
                -x if pos_weight is None else pos_weight * softplus(-x, threshold=40.0) - softplus(x, threshold=40.0)
            )
            by_target = _weighted(grad, slope, weight, self.reduction)
        return by_x, by_target, None, None


class BinaryCrossEntropyWithLogitsBackward(Function):
    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(
        self,
        kernels: Backend,
        grad: Tensor,
        x: Tensor,
        target: Tensor,
        weight: Tensor | None,
        pos_weight: Tensor | None,
    ) -> Any:
        self.save(grad, x, target, weight, pos_weight)
        arrays = [None if each is None else each.array for each in (grad, x, target, weight, pos_weight)]
        return kernels.binary_cross_entropy_with_logits_backward(*arrays, reduction=self.reduction)

    def backward(self, cotangent: Tensor) -> Any:
        *inputs, weight, pos_weight = self.saved

        def formula(grad: Tensor, x: Tensor, target: Tensor) -> tuple[Tensor, ...]:
            positive = target if pos_weight is None else pos_weight * target
            slope = (positive + 1.0 - target) * sigmoid(x) - positive
            return (_weighted(grad, slope, weight, self.reduction),)

        return (*rederive(formula, inputs, self.needs[:3], [cotangent]), None, None)


def _weighted(grad: Tensor, slope: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """The gradient from the slope at each element."""
    if weight is not None:
        slope = slope * weight
    return grad * slope if reduction != "mean" else grad * (1.0 / max(slope.numel(), 1)) * slope


def _compared(operation: str, input: Tensor, target: Tensor, reduction: str) -> tuple[Tensor, Tensor]:
    """The two tensors of a loss, checked and in one dtype."""
    require_tensor(operation, input=input, target=target)
    if autocast.targets is not None:
        input, target = raised(input, target)
    require_reduction(operation, reduction)
    return pair(operation, input, target)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The squared difference: its mean, its sum, or itself. Both tensors have one shape.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
    """
    return MseLoss(reduction)(*_compared("mse_loss", input, target, reduction))  # type: ignore[no-any-return]


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The absolute difference: its mean, its sum, or itself. Both tensors have one shape.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
    """
    return L1Loss(reduction)(*_compared("l1_loss", input, target, reduction))  # type: ignore[no-any-return]


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d**2 / (2 beta) where the absolute difference d is below ``beta``, else d - beta / 2 (Girshick 2015).

    Raises:
        ValueError: the shapes differ, an unknown reduction, or a negative ``beta``.
    """
    a, b = _compared("smooth_l1_loss", input, target, reduction)
    return SmoothL1Loss(reduction, beta=beta)(a, b)  # type: ignore[no-any-return]


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d**2 / 2 where the absolute difference d is below ``delta``, else delta (d - delta / 2) (Huber 1964).

    Raises:
        ValueError: the shapes differ, an unknown reduction, or a ``delta`` that is not positive.
    """
    a, b = _compared("huber_loss", input, target, reduction)
    return HuberLoss(reduction, delta=delta)(a, b)  # type: ignore[no-any-return]


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The cross-entropy of logits against probabilities ``target`` of the same shape.

    ``weight`` multiplies each element's loss and ``pos_weight`` the part of the positives; both broadcast
    to the shape of the input. ``"mean"`` divides by the number of elements.

    Raises:
        RuntimeError: a weight requires a gradient: it is a constant here, as in PyTorch.
        ValueError, TypeError: shapes, dtypes or a reduction that do not fit.
    """
    name = "binary_cross_entropy_with_logits"
    require_tensor(name, weight=weight, pos_weight=pos_weight)
    require_constant(name, weight=weight, pos_weight=pos_weight)
    x, y = _compared(name, input, target, reduction)
    if autocast.targets is not None:
        weight, pos_weight = raised(weight, pos_weight)
    return BinaryCrossEntropyWithLogits(reduction)(x, y, weight, pos_weight)  # type: ignore[no-any-return]
