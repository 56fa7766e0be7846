"""Learning rates that change from epoch to epoch (or step to step), named as PyTorch's.

A schedule is a pure function of its epoch and of each group's ``initial_lr``: nothing accumulates, so that a
schedule continued from a checkpoint gives the same bits. Only `ReduceLROnPlateau` has a memory.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyneural import recording

from ..optimizer import Group, Optimizer


class LRScheduler:
    """The base of schedules: a subclass defines `lr_at`.

    Making one sets the rates of its first epoch; `step` goes on to the next one. The rate that a group has
    when its first schedule is made becomes its ``initial_lr``, on which every schedule of it is based.

    Args:
        optimizer: whose groups' ``"lr"`` it sets.
        last_epoch: -1 to begin, else the epoch to go on behind; groups then have an ``initial_lr``.

    Attributes:
        last_epoch: the epoch whose rates are set.

    Raises:
        TypeError: no optimizer.
        ValueError: ``last_epoch`` is below -1, or given for groups that have no ``initial_lr``.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{self.name}: optimizer must be an Optimizer, not {type(optimizer).__name__}")
        integer(self.name, "last_epoch", last_epoch, -1)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                raise ValueError(f"{self.name}: last_epoch (={last_epoch}) needs an initial_lr in group {number}")
        self.optimizer = optimizer
        self.last_epoch = last_epoch + 1
        self.apply(self.last_epoch)

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def base_lrs(self) -> list[float]:
        """The ``initial_lr`` of every group."""
        return [self._base(group) for group in self.optimizer.param_groups]

    def _base(self, group: Group) -> float:
        if "initial_lr" not in group:
            group["initial_lr"] = group["lr"]
        return float(group["initial_lr"])

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        """The rate of group ``number``, whose ``initial_lr`` is ``base``, in an epoch from 0 on."""
        raise NotImplementedError(f"{self.name}: lr_at is not defined")

    def apply(self, epoch: int) -> None:
        """Set what the optimizer's groups have in ``epoch``."""
        for number, group in enumerate(self.optimizer.param_groups):
            group["lr"] = self.lr_at(epoch, self._base(group), number)

    def step(self) -> None:
        """Go on to the next epoch; behind the optimizer's own step."""
        recording.act(self, self._advance)

    def _advance(self) -> None:
        self.apply(self.last_epoch + 1)
        self.last_epoch += 1

    def get_last_lr(self) -> list[float]:
        """The rate of every group at present."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where it is, as numbers; the rates are in the optimizer's own state."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            ValueError: an entry is missing or out of range.
        """
        if "last_epoch" not in state_dict:
            raise ValueError(f"{self.name}: the state has no last_epoch")
        integer(self.name, "last_epoch", state_dict["last_epoch"], 0)
        self.last_epoch = int(state_dict["last_epoch"])

    def __repr__(self) -> str:
        return f"{self.name}(last_epoch={self.last_epoch}, lr={self.get_last_lr()})"


class LambdaLR(LRScheduler):
    """``initial_lr * lr_lambda(epoch)``; one function, or a list of one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        several = isinstance(lr_lambda, (list, tuple))
        self.lr_lambdas: list[Callable[[int], float]] = list(lr_lambda) if several else [lr_lambda]
        for each in self.lr_lambdas:
            if not callable(each):
                raise TypeError(f"LambdaLR: lr_lambda must be a function, not {type(each).__name__}")
        groups = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 0
        if several and len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {groups} groups")
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        function = self.lr_lambdas[0 if len(self.lr_lambdas) == 1 else number]
        return base * function(epoch)


class StepLR(LRScheduler):
    """Multiplied by ``gamma`` every ``step_size`` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = integer("StepLR", "step_size", step_size, 1)
        self.gamma = number("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return float(base * self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Multiplied by ``gamma`` at each of the epochs ``milestones``."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(integer("MultiStepLR", "milestones", each, 0) for each in milestones)
        self.gamma = number("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return float(base * self.gamma ** bisect.bisect_right(self.milestones, epoch))


class ConstantLR(LRScheduler):
    """Multiplied by ``factor`` for the first ``total_iters`` epochs."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3.0, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = number("ConstantLR", "factor", factor, 0.0, 1.0)
        self.total_iters = integer("ConstantLR", "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return base * self.factor if epoch < self.total_iters else base


class LinearLR(LRScheduler):
    """A factor that goes from ``start_factor`` to ``end_factor`` over ``total_iters`` epochs: a warm-up.

    ``start_factor`` is in (0, 1], ``end_factor`` in [0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3.0,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = number("LinearLR", "start_factor", start_factor, 0.0, 1.0)
        if not start_factor:
            raise ValueError(f"LinearLR: start_factor (={start_factor}) must be above 0")
        self.end_factor = number("LinearLR", "end_factor", end_factor, 0.0, 1.0)
        self.total_iters = integer("LinearLR", "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        passed = min(epoch, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * passed)


class ExponentialLR(LRScheduler):
    """Multiplied by ``gamma`` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = number("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return float(base * self.gamma**epoch)


class PolynomialLR(LRScheduler):
    """Down to 0 over ``total_iters`` epochs as ``(1 - epoch / total_iters) ** power``."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = integer("PolynomialLR", "total_iters", total_iters, 1)
        self.power = number("PolynomialLR", "power", power)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return float(base * (1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(LRScheduler):
    """From ``initial_lr`` to ``eta_min`` over ``T_max`` epochs along a cosine, then back up, and so on.

    Source: Loshchilov & Hutter, SGDR, ICLR 2017, arXiv:1608.03983, without its restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = integer("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1.0 + math.cos(math.pi * epoch / self.T_max)) / 2.0


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine from ``initial_lr`` to ``eta_min`` that starts anew after ``T_0`` epochs, then after ``T_mult`` as many.

    Source: Loshchilov & Hutter, SGDR, ICLR 2017, arXiv:1608.03983.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = integer("CosineAnnealingWarmRestarts", "T_0", T_0, 1)
        self.T_mult = integer("CosineAnnealingWarmRestarts", "T_mult", T_mult, 1)
        self.eta_min = number("CosineAnnealingWarmRestarts", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, epoch: int, base: float, number: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            epoch %= length
        else:
            while epoch >= length:
                epoch -= length
                length *= self.T_mult
        return self.eta_min + (base - self.eta_min) * (1.0 + math.cos(math.pi * epoch / length)) / 2.0


class SequentialLR(LRScheduler):
    """One schedule after the other, each from its own epoch 0: ``schedulers[i]`` ends at epoch ``milestones[i]``::

        warmup = LinearLR(optimizer, 0.01, total_iters=5)
        SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 95)], milestones=[5])

    Raises:
        ValueError: not one milestone fewer than schedules, milestones that do not rise, a schedule of
            another optimizer.
        TypeError: something is no schedule of this kind (`ReduceLROnPlateau` is none).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.schedulers = list(schedulers)
        self.milestones = [integer("SequentialLR", "milestones", each, 1) for each in milestones]
        if not self.schedulers or len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(self.schedulers)} schedulers need one milestone fewer, not {len(self.milestones)}"
            )
        if any(a >= b for a, b in zip(self.milestones, self.milestones[1:], strict=False)):
            raise ValueError(f"SequentialLR: milestones (={self.milestones}) must rise")
        for place, each in enumerate(self.schedulers):
            if not isinstance(each, LRScheduler):
                raise TypeError(f"SequentialLR: schedulers[{place}] must be an LRScheduler, not {type(each).__name__}")
            if each.optimizer is not optimizer:
                raise ValueError(f"SequentialLR: schedulers[{place}] is of another optimizer")
        super().__init__(optimizer, last_epoch)

    def apply(self, epoch: int) -> None:
        place = bisect.bisect_right(self.milestones, epoch)
        current = self.schedulers[place]
        current.last_epoch = epoch - (self.milestones[place - 1] if place else 0)
        current.apply(current.last_epoch)


def integer(scheduler: str, name: str, value: Any, low: int) -> int:
    """``value`` as an int of at least ``low``."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{scheduler}: {name} must be an int, not {value!r}")
    if value < low:
        raise ValueError(f"{scheduler}: {name} (={value}) must be at least {low}")
    return int(value)


def number(scheduler: str, name: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
    """``value`` as a float in [low, high]."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{scheduler}: {name} must be a number, not {value!r}")
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"
        raise ValueError(f"{scheduler}: {name} (={value}) must be {limits}")
    return float(value)
