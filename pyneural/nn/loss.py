"""Losses as modules."""

from __future__ import annotations

from pyneural import functional
from pyneural.functional.loss import REDUCTIONS
from pyneural.tensor import Tensor

from . import arguments
from .module import Module


class CrossEntropyLoss(Module):
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
        super().__init__()
        arguments.choice("CrossEntropyLoss", "reduction", reduction, REDUCTIONS)
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction
        self.label_smoothing = arguments.number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0.0, 1.0)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )

    def extra_repr(self) -> str:
        return f"ignore_index={self.ignore_index}, reduction={self.reduction!r}, label_smoothing={self.label_smoothing}"


class MSELoss(Module):
    """The squared difference, reduced by "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        arguments.choice("MSELoss", "reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(input, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
