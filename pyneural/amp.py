"""Mixed precision by PyTorch's names: `autocast` and `GradScaler`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyneural import recording
from pyneural.autocast import autocast, is_autocast_enabled
from pyneural.autograd import no_grad
from pyneural.functional import amax, amin, mul
from pyneural.kernels import dtypes
from pyneural.optim import Optimizer
from pyneural.tensor import Tensor

__all__ = ["GradScaler", "autocast", "is_autocast_enabled"]

_NUMBERS = ("scale", "growth_factor", "backoff_factor", "growth_interval", "growth_tracker")
_LARGEST = 2.0**127  # in float32, in which losses are scaled


class GradScaler:
    """Scales the loss so that small gradients survive float16, and skips the steps where one overflowed::

        scaler = GradScaler()
        for x, y in loader:
            optimizer.zero_grad()
            with autocast("cpu", dtype=float16):
                loss = loss_function(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    After a step that was skipped the scale is multiplied by ``backoff_factor``; after ``growth_interval``
    steps in a row that were not, by ``growth_factor``. bfloat16 has float32's range and needs none.

    Source: Micikevicius et al., ICLR 2018, arXiv:1710.03740, section 3.2.

    Args:
        init_scale: the first scale, above 0.
        growth_factor: above 1.
        backoff_factor: in (0, 1).
        growth_interval: at least 1.
        enabled: False passes everything through: the same loop without scaling.

    Raises:
        ValueError, TypeError: a value out of range.
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._scale, self._growth_tracker = init_scale, 0
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.growth_interval = growth_interval
        self.enabled = bool(enabled)
        self._check(self._numbers())
        self._unscaled: dict[int, bool] = {}  # by optimizer, since the last update: whether every gradient is finite
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """A loss, or a list, tuple or dict of them, times the scale."""
        if not self.enabled:
            return outputs
        if isinstance(outputs, Tensor):
            # In float32: the scale alone may be beyond float16.
            wide = outputs.to(dtypes.float32) if dtypes.is_half(outputs.dtype) else outputs
            return mul(wide, self._scale)
        if isinstance(outputs, Mapping):
            return {key: self.scale(each) for key, each in outputs.items()}
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(each) for each in outputs])
        raise TypeError(f"GradScaler: scale takes tensors, not {type(outputs).__name__}")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the optimizer's gradients by the scale, in place, for instance to clip them before `step`.

        Raises:
            RuntimeError: it was called before for this optimizer since the last `update`.
        """
        if not self.enabled:
            return
        if id(optimizer) in self._unscaled:
            raise RuntimeError(f"GradScaler: unscale_ was already called for {optimizer.name} since the last update")
        inverse = 1.0 / self._scale
        finite = True
        for group in optimizer.param_groups:
            for each in group["params"]:
                if each.grad is not None:
                    finite = _unscale(each.grad, inverse) and finite
        self._unscaled[id(optimizer)] = finite

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """``optimizer.step(*args)`` with unscaled gradients, or nothing where one of them is not finite.

        Raises:
            RuntimeError: it was called before for this optimizer since the last `update`.
            ValueError: a closure is given, which would compute scaled gradients that nobody unscales.
        """
        if not self.enabled:
            return optimizer.step(*args, **kwargs)
        recording.gives_up("GradScaler looks at the gradients")
        if args or "closure" in kwargs:
            raise ValueError("GradScaler: step takes no closure while it scales")
        if id(optimizer) in self._stepped:
            raise RuntimeError(f"GradScaler: step was already called for {optimizer.name} since the last update")
        if id(optimizer) not in self._unscaled:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return optimizer.step(**kwargs) if self._unscaled[id(optimizer)] else None

    def update(self, new_scale: float | None = None) -> None:
        """Once an iteration, after every step: adapt the scale, or set it to ``new_scale``.

        Raises:
            RuntimeError: no gradient was unscaled since the last update.
            ValueError: ``new_scale`` is not positive and finite.
        """
        if not self.enabled:
            return
        if new_scale is not None:
            self._check({**self._numbers(), "scale": new_scale})
            self._scale = float(new_scale)
        elif not self._unscaled:
            raise RuntimeError("GradScaler: update was called before any step or unscale_ since the last update")
        elif not all(self._unscaled.values()):
            self._scale *= self.backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self.growth_interval:
                grown = self._scale * self.growth_factor
                if grown <= _LARGEST:
                    self._scale = grown
                self._growth_tracker = 0
        self._unscaled.clear()
        self._stepped.clear()

    def get_scale(self) -> float:
        """The present scale; 1 where it is not enabled."""
        return self._scale if self.enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self.enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it moves, as numbers; empty where it is not enabled."""
        return self._numbers() if self.enabled else {}

    def _numbers(self) -> dict[str, Any]:
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave.

        Raises:
            ValueError: an entry is missing or out of range.
        """
        if not self.enabled:
            return
        missing = [name for name in _NUMBERS if name not in state_dict]
        if missing:
            raise ValueError(f"GradScaler: the state lacks {', '.join(missing)}; it may be of a disabled scaler")
        self._check(state_dict)
        self._scale, self._growth_tracker = state_dict["scale"], state_dict["growth_tracker"]
        self.growth_factor, self.backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self.growth_interval = state_dict["growth_interval"]

    def _check(self, values: Mapping[str, Any]) -> None:
        for name in _NUMBERS:
            if isinstance(values[name], (bool, str)) or not hasattr(values[name], "__float__"):
                raise TypeError(f"GradScaler: {name} must be a number, not {values[name]!r}")
        scale = values["scale"]
        if not 0.0 < scale < math.inf:
            raise ValueError(f"GradScaler: scale (={scale}) must be positive and finite")
        if not values["growth_factor"] > 1.0:
            raise ValueError(f"GradScaler: growth_factor (={values['growth_factor']}) must be above 1")
        if not 0.0 < values["backoff_factor"] < 1.0:
            raise ValueError(f"GradScaler: backoff_factor (={values['backoff_factor']}) must be in (0, 1)")
        if not values["growth_interval"] >= 1:
            raise ValueError(f"GradScaler: growth_interval (={values['growth_interval']}) must be at least 1")

    def __repr__(self) -> str:
        return f"GradScaler(scale={self._scale}, enabled={self.enabled})"


def _unscale(grad: Tensor, factor: float) -> bool:
    """Multiply a gradient in place; whether every element was finite."""
    if not grad.numel():
        return True
    with no_grad():
        # NaN is the largest and the smallest of all that has one.
        finite = math.isfinite(amax(grad).item()) and math.isfinite(amin(grad).item())
        grad.mul_(factor)
    return finite
