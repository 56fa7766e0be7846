"""Losses as modules."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.functional.operands import REDUCTIONS
from pyneural.tensor import Tensor

from . import arguments
from .module import Module


class _Loss(Module):
    """A loss that is reduced by "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        arguments.choice(type(self).__name__, "reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"


class CrossEntropyLoss(_Loss):
    """The cross-entropy of logits against class indices or probabilities (`pyneural.functional.cross_entropy`).

    Args:
        weight: a factor for each class, shape (C).
        ignore_index: positions with this target count nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: in [0, 1].
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = arguments.number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0.0, 1.0)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )

    def extra_repr(self) -> str:
        return f"ignore_index={self.ignore_index}, reduction={self.reduction!r}, label_smoothing={self.label_smoothing}"


class NLLLoss(_Loss):
    """The negative log-likelihood of class indices under log-probabilities.

    Args:
        weight: a factor for each class, shape (C).
        ignore_index: positions with this target count nothing.
        reduction: "mean", "sum" or "none".
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)

    def extra_repr(self) -> str:
        return f"ignore_index={self.ignore_index}, reduction={self.reduction!r}"


class MSELoss(_Loss):
    """The squared difference, reduced by "mean", "sum" or "none"."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """The absolute difference, reduced by "mean", "sum" or "none"."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """d^2 / (2 beta) for differences d below ``beta``, |d| - beta / 2 beyond (Girshick 2015, arXiv:1504.08083).

    Args:
        reduction: "mean", "sum" or "none".
        beta: at least 0.
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = arguments.number("SmoothL1Loss", "beta", beta, 0.0)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.smooth_l1_loss(input, target, self.reduction, self.beta)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}, beta={self.beta}"


class HuberLoss(_Loss):
    """d^2 / 2 for differences d below ``delta``, delta (|d| - delta / 2) beyond (Huber 1964).

    Args:
        reduction: "mean", "sum" or "none".
        delta: above 0.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = arguments.number("HuberLoss", "delta", delta, 0.0)
        if not self.delta:
            raise ValueError(f"HuberLoss: delta (={delta}) must be above 0")

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.huber_loss(input, target, self.reduction, self.delta)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}, delta={self.delta}"


class BCEWithLogitsLoss(_Loss):
    """The binary cross-entropy of logits against probabilities, without overflow.

    Args:
        weight: a factor for each element, broadcast.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the positive part, broadcast.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        attributes: dict[str, Any] = {"reduction": self.reduction, "pos_weight": self.pos_weight}
        return functional.binary_cross_entropy_with_logits(input, target, self.weight, **attributes)
