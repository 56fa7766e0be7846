"""`EMA`: an exponential moving average of weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from pyneural import recording
from pyneural.autograd import no_grad
from pyneural.nn import Module
from pyneural.tensor import Tensor


class EMA:
    """An average of a model's parameters that follows them: each update keeps ``decay`` of what it was::

        ema = EMA(model, decay=0.999)
        for x, y in loader:
            ...
            optimizer.step()
            ema.update()
        with ema.applied():
            evaluate(model)

    Source: Polyak & Juditsky 1992; as used here, Tarvainen & Valpola 2017, arXiv:1703.01780.

    Args:
        model: whose parameters are averaged.
        decay: in [0, 1].
        warmup: let the first updates weigh more: the decay is at most (1 + n) / (10 + n) in update n.
        use_buffers: average floating buffers too, such as running statistics.

    Attributes:
        updates: how many there were.

    Raises:
        TypeError, ValueError: no module, or a decay out of range.
    """

    def __init__(self, model: Module, decay: float = 0.999, warmup: bool = False, use_buffers: bool = False) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"EMA: model must be a Module, not {type(model).__name__}")
        if isinstance(decay, (bool, str)) or not hasattr(decay, "__float__"):
            raise TypeError(f"EMA: decay must be a number, not {decay!r}")
        if not 0.0 <= decay <= 1.0:
            raise ValueError(f"EMA: decay (={decay}) must be in [0.0, 1.0]")
        self.decay, self.warmup, self.use_buffers = float(decay), bool(warmup), bool(use_buffers)
        self.model, self.updates = model, 0
        self.averages = {name: each.detach()._copy() for name, each in self._followed().items()}

    def _followed(self) -> dict[str, Tensor]:
        followed: dict[str, Tensor] = dict(self.model.named_parameters())
        if self.use_buffers:
            followed.update((name, each) for name, each in self.model.named_buffers() if each.is_floating_point())
        return followed

    def update(self) -> None:
        """Move the averages towards the present weights.

        Raises:
            RuntimeError: the model has other parameters than it had.
        """
        recording.act(self, self._advance)

    def _advance(self) -> None:
        followed = self._followed()
        if followed.keys() != self.averages.keys():
            changed = sorted(followed.keys() ^ self.averages.keys())
            raise RuntimeError(f"EMA: the model's parameters have changed: {', '.join(changed)}")
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        with no_grad():
            for name, each in followed.items():
                average = self.averages[name]
                average.add_((each - average) * (1.0 - decay))

    def copy_to(self, model: Module | None = None) -> None:
        """Write the averages into the model, or into another one with the same names and shapes."""
        self._write(self.averages, model or self.model)

    @contextlib.contextmanager
    def applied(self) -> Iterator[Module]:
        """The model with the averages in it; its own weights come back at the end of the block, bit for bit."""
        own = {name: each.detach()._copy() for name, each in self._followed().items()}
        self.copy_to()
        try:
            yield self.model
        finally:
            self._write(own, self.model)

    def _write(self, values: Mapping[str, Tensor], model: Module) -> None:
        targets: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, value in values.items():
            if name not in targets or targets[name].shape != value.shape:
                raise ValueError(f"EMA: {type(model).__name__} has no {name} of shape {value.shape}")
        with no_grad():
            for name, value in values.items():
                targets[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The averages by name, and how many updates there were; tensors share memory."""
        return {"updates": self.updates, "averages": dict(self.averages)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises:
            ValueError: names or shapes differ, or an entry is missing; nothing has changed then.
        """
        try:
            updates, averages = int(state_dict["updates"]), dict(state_dict["averages"])
        except (KeyError, TypeError, ValueError):
            raise ValueError("EMA: a state has 'updates' and 'averages'") from None
        if averages.keys() != self.averages.keys():
            differing = sorted(averages.keys() ^ self.averages.keys())
            raise ValueError(f"EMA: the state differs in {', '.join(differing)}")
        for name, each in averages.items():
            if each.shape != self.averages[name].shape:
                raise ValueError(f"EMA: {name} has shape {self.averages[name].shape}, in the state {each.shape}")
        with no_grad():
            for name, each in averages.items():
                self.averages[name].copy_(each)
        self.updates = updates
