"""The schedule that listens: lower rates where a measure no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pyneural import recording

from ..optimizer import Optimizer
from .schedules import integer, number

_STATE = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


class ReduceLROnPlateau:
    """Multiply the rates by ``factor`` when a measure has not improved for ``patience`` epochs::

        scheduler = ReduceLROnPlateau(optimizer, patience=3)
        for epoch in range(epochs):
            train(...)
            scheduler.step(validate(...))

    Args:
        mode: "min" if less is better, "max" if more is.
        factor: in (0, 1).
        patience: how many epochs without improvement are borne.
        threshold: by how much the best must be beaten to count.
        threshold_mode: "rel": that part of the best; "abs": that much.
        cooldown: how many epochs after a reduction are not counted.
        min_lr: a lower bound, or one for each group.
        eps: a change of a rate smaller than this is not made.

    Attributes:
        best, num_bad_epochs, cooldown_counter, last_epoch: its memory.

    Raises:
        TypeError, ValueError: a value out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        own = "ReduceLROnPlateau"
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{own}: optimizer must be an Optimizer, not {type(optimizer).__name__}")
        if mode not in ("min", "max"):
            raise ValueError(f"{own}: mode (={mode!r}) must be 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{own}: threshold_mode (={threshold_mode!r}) must be 'rel' or 'abs'")
        if not 0.0 < number(own, "factor", factor) < 1.0:
            raise ValueError(f"{own}: factor (={factor}) must be in (0, 1)")
        self.optimizer, self.mode, self.factor = optimizer, mode, float(factor)
        self.patience, self.cooldown = integer(own, "patience", patience, 0), integer(own, "cooldown", cooldown, 0)
        self.threshold, self.threshold_mode = number(own, "threshold", threshold), threshold_mode
        self.eps = number(own, "eps", eps)
        groups = len(optimizer.param_groups)
        limits = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * groups
        if len(limits) != groups:
            raise ValueError(f"{own}: min_lr has {len(limits)} values for {groups} groups")
        self.min_lrs = [number(own, "min_lr", each) for each in limits]
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def is_better(self, value: float) -> bool:
        """Whether ``value`` beats the best by the threshold."""
        if self.mode == "min":
            limit = self.best * (1.0 - self.threshold) if self.threshold_mode == "rel" else self.best - self.threshold
            return value < limit
        limit = self.best * (1.0 + self.threshold) if self.threshold_mode == "rel" else self.best + self.threshold
        return value > limit

    def step(self, metrics: Any) -> None:
        """Note an epoch's measure, a number or a tensor of one element; NaN counts as no improvement."""
        recording.gives_up("ReduceLROnPlateau.step listens to a measure")
        value = float(metrics)
        self.last_epoch += 1
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, limit in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lowered = max(group["lr"] * self.factor, limit)
                if group["lr"] - lowered > self.eps:
                    group["lr"] = lowered
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def get_last_lr(self) -> list[float]:
        """The rate of every group at present."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Its memory, as numbers."""
        return {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; ValueError where an entry is missing."""
        missing = [name for name in _STATE if name not in state_dict]
        if missing:
            raise ValueError(f"ReduceLROnPlateau: the state lacks {', '.join(missing)}")
        for name in _STATE:
            setattr(self, name, state_dict[name])
