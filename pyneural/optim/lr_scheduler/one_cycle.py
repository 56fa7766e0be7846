"""The one-cycle schedule: up and down once, with the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..optimizer import Group, Optimizer
from .schedules import LRScheduler, integer, number

Phase = tuple[float, float, float]  # its last step, and the values at its ends


class OneCycleLR(LRScheduler):
    """From ``max_lr / div_factor`` up to ``max_lr``, then down to a ``final_div_factor``-th of where it began.

    It is stepped after every batch. Source: Smith & Topin 2017, arXiv:1708.07120; ``three_phase`` is the paper's
    form, which first comes down to where it began.

    Args:
        max_lr: the highest rate, or one for each group.
        total_steps: how many steps there are, or else ``epochs`` of ``steps_per_epoch``.
        pct_start: the part of them in which it rises, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether ``"momentum"``, or the first of ``"betas"``, goes from ``max_momentum`` down to
            ``base_momentum`` and back.
        base_momentum, max_momentum: a number, or one for each group.
        div_factor, final_div_factor: above 0.
        three_phase: rise, fall to the first rate, fall to the last; otherwise rise and fall.

    Raises:
        ValueError: a value out of range; no number of steps; more steps than there are; an optimizer that has
            no momentum, for ``cycle_momentum``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    f"OneCycleLR: give total_steps, or epochs (={epochs}) and steps_per_epoch (={steps_per_epoch})"
                )
            total_steps = integer("OneCycleLR", "epochs", epochs, 1) * integer(
                "OneCycleLR", "steps_per_epoch", steps_per_epoch, 1
            )
        self.total_steps = integer("OneCycleLR", "total_steps", total_steps, 1)
        self.pct_start = number("OneCycleLR", "pct_start", pct_start, 0.0, 1.0)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy (={anneal_strategy!r}) must be 'cos' or 'linear'")
        self.anneal_strategy, self.three_phase = anneal_strategy, bool(three_phase)
        for name, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            if not number("OneCycleLR", name, value):
                raise ValueError(f"OneCycleLR: {name} (={value}) must be above 0")
        self.div_factor, self.final_div_factor = float(div_factor), float(final_div_factor)
        groups = optimizer.param_groups if isinstance(optimizer, Optimizer) else []
        self.max_lrs = _each("max_lr", max_lr, len(groups))
        self.cycle_momentum = bool(cycle_momentum)
        if cycle_momentum:
            for place, group in enumerate(groups):
                if "momentum" not in group and "betas" not in group:
                    raise ValueError(
                        f"OneCycleLR: group {place} has neither momentum nor betas; pass cycle_momentum=False"
                    )
            self.base_momenta = _each("base_momentum", base_momentum, len(groups), 1.0)
            self.max_momenta = _each("max_momentum", max_momentum, len(groups), 1.0)
        super().__init__(optimizer, last_epoch)

    def _base(self, group: Group) -> float:
        # The rate that the group had plays no part: what it begins with follows from max_lr.
        place = next(i for i, each in enumerate(self.optimizer.param_groups) if each is group)
        group["initial_lr"] = self.max_lrs[place] / self.div_factor
        return float(group["initial_lr"])

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return self._along(epoch, base, self.max_lrs[number], base / self.final_div_factor)

    def _along(self, step: int, first: float, peak: float, last: float) -> float:
        """The value at ``step`` of what goes from ``first`` to ``peak`` and then, perhaps by ``first``, to ``last``."""
        rise, end = self.pct_start * self.total_steps - 1.0, self.total_steps - 1.0
        phases: list[Phase] = [(rise, first, peak), (end, peak, last)]
        if self.three_phase:
            phases = [(rise, first, peak), (2.0 * rise, peak, first), (end, first, last)]
        begin = 0.0
        for place, (finish, start, goal) in enumerate(phases):
            if step <= finish or place == len(phases) - 1:
                passed = (step - begin) / (finish - begin) if finish != begin else 1.0
                if self.anneal_strategy == "linear":
                    return (goal - start) * passed + start
                return goal + (start - goal) / 2.0 * (math.cos(math.pi * passed) + 1.0)
            begin = finish
        raise AssertionError("there is always a last phase")

    def apply(self, epoch: int) -> None:
        if epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {epoch + 1} of total_steps (={self.total_steps})")
        super().apply(epoch)
        if self.cycle_momentum:
            for place, group in enumerate(self.optimizer.param_groups):
                high = self.max_momenta[place]
                momentum = self._along(epoch, high, self.base_momenta[place], high)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum


def _each(name: str, value: Any, groups: int, high: float = math.inf) -> list[float]:
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"OneCycleLR: {name} has {len(values)} values for {groups} groups")
    return [number("OneCycleLR", name, each, 0.0, high) for each in values]
