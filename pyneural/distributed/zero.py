"""`ZeroRedundancyOptimizer`: each rank keeps the optimizer's state of its share of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyneural import recording
from pyneural.autograd import enable_grad
from pyneural.optim import Optimizer
from pyneural.tensor import Tensor

from .collectives import agree
from .group import ProcessGroup, current


class ZeroRedundancyOptimizer(Optimizer):
    """An optimizer whose state is spread over the ranks::

        optimizer = ZeroRedundancyOptimizer(model.parameters(), AdamW, lr=1e-3)

    Each parameter belongs to one rank, the largest first to the rank that has least. A rank updates its own ones, with
    the averaged gradients that all ranks have (`DistributedDataParallel`), and sends them to the others. The result is
    bit for bit that of the plain optimizer, whose state would be as large on every rank as it is here on all together.

    Its state dict, once `consolidate_state_dict` has gathered it, is that of the plain optimizer, so that a training
    goes on with another number of ranks, or without this class.

    Source: Rajbhandari et al. 2020, arXiv:1910.02054, stage 1, by whole parameters.

    Args:
        params: as of every optimizer; the same on all ranks.
        optimizer_class: makes the optimizer of ``params`` and ``defaults``.
        defaults: hyper-parameters.

    Raises:
        ValueError: the ranks' parameters differ; and what the optimizer raises.
    """

    def __init__(self, params: Iterable[Any], optimizer_class: Callable[..., Optimizer], **defaults: Any) -> None:
        self._take(optimizer_class(params, **defaults))

    @classmethod
    def over(cls, optimizer: Optimizer) -> ZeroRedundancyOptimizer:
        """Spread an optimizer that has made no step yet.

        Raises:
            ValueError: it has a state already.
        """
        if optimizer.state:
            raise ValueError(f"ZeroRedundancyOptimizer: {optimizer.name} has made steps already")
        made = cls.__new__(cls)
        made._take(optimizer)
        return made

    def _take(self, optimizer: Optimizer) -> None:
        self._inner = optimizer
        self._group: ProcessGroup = current()
        self._gathered: dict[str, Any] | None = None
        params = self._all()
        agree("ZeroRedundancyOptimizer", [f"{each.dtype} {each.shape} on {each.device.type}" for each in params])
        self._owners = self._spread(params)
        self.defaults = optimizer.defaults

    @property
    def name(self) -> str:
        """That of the plain optimizer: checkpoints of one are those of the other."""
        return self._inner.name

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return self._inner.param_groups

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:  # type: ignore[override]
        """What this rank remembers, of its own parameters."""
        return self._inner.state

    def _all(self) -> list[Tensor]:
        return [each for group in self.param_groups for each in group["params"]]

    def _spread(self, params: list[Tensor]) -> dict[Tensor, int]:
        held = [0] * self._group.world_size
        owners = {}
        for each in sorted(params, key=lambda each: -each.numel() * each.element_size()):  # stable: alike on all ranks
            rank = held.index(min(held))
            held[rank] += each.numel() * each.element_size()
            owners[each] = rank
        return owners

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Train more parameters; all ranks do so alike."""
        self._inner.add_param_group(group)
        self._owners = (
            self._spread(self._all())
            if not self.state
            else {**self._owners, **self._spread(self.param_groups[-1]["params"])}
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, each on its rank, and send it to the others.

        Raises:
            RankLost: a rank has died or does not come.
        """
        recording.gives_up("ranks talk to each other")
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        groups, rank = self.param_groups, self._group.rank
        own = [{**each, "params": [p for p in each["params"] if self._owners[p] == rank]} for each in groups]
        for each in groups:
            self._inner.check_group(each)
        self._inner.param_groups = [each for each in own if each["params"]]
        try:
            self._inner.step()
        finally:
            self._inner.param_groups = groups
        self._send([p for each in groups for p in each["params"] if p.grad is not None])
        return loss

    def _send(self, params: list[Tensor]) -> None:
        trace, start = self._group.trace, self._group.trace.now()
        works = []
        for each in params:
            what = f"broadcast of a parameter of shape {each.shape}"
            works.append(self._group.transport(each.device).broadcast(each.array, self._owners[each], what))
            if self._owners[each] == self._group.rank:
                trace.count(each.array.nbytes)
            else:
                each._version[0] += 1
        for work in works:
            work.wait()
        trace.add("broadcast of parameters", start, trace.now(), 1, bytes=sum(each.array.nbytes for each in params))

    def consolidate_state_dict(self) -> None:
        """Gather the whole state on every rank, for `state_dict`; all ranks call it."""
        group = self._group
        places = {each: number for number, each in enumerate(self._all())}
        known = {
            str(places[param]): {
                key: {"dtype": value.dtype.name} if isinstance(value, Tensor) else {"value": value}
                for key, value in entries.items()
            }
            for param, entries in self.state.items()
        }
        params, merged = self._all(), {}
        for rank, entries in enumerate(group.gather_objects(known)):
            for place, values in sorted(entries.items(), key=lambda each: int(each[0])):
                param = params[int(place)]
                merged[int(place)] = {
                    key: fact["value"] if "value" in fact else self._fetched(param, key, rank)
                    for key, fact in sorted(values.items())
                }
        state = self._inner.state_dict()
        self._gathered = {**state, "state": dict(sorted(merged.items()))}

    def _fetched(self, param: Tensor, key: str, rank: int) -> Tensor:
        """A tensor of rank ``rank``'s state: it has the shape, dtype and device of its parameter."""
        own = self.state[param][key]._copy() if self._group.rank == rank else param._filled(0)
        self._group.transport(param.device).broadcast(own.array, rank, f"broadcast of {key}").wait()
        return own

    def state_dict(self) -> dict[str, Any]:
        """What `consolidate_state_dict` gathered last, in the plain optimizer's form.

        Raises:
            RuntimeError: it was not called since the last `load_state_dict`, or at all.
        """
        if self._gathered is None:
            raise RuntimeError(
                "ZeroRedundancyOptimizer: call consolidate_state_dict() on all ranks before state_dict()"
            )
        return self._gathered

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a plain optimizer's whole state; each rank keeps its share. Errors as of `Optimizer`."""
        self._inner.load_state_dict(state_dict)
        self._inner.state = {
            param: entries for param, entries in self._inner.state.items() if self._owners[param] == self._group.rank
        }
        self._gathered = None

    def __repr__(self) -> str:
        return f"ZeroRedundancyOptimizer of {self._inner!r}"
