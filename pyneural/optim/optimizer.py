"""`Optimizer`: parameter groups and state, which every optimizer shares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pyneural import recording
from pyneural.autograd import enable_grad, no_grad
from pyneural.device import Device
from pyneural.tensor import Tensor

Group = dict[str, Any]

_NOTES = ("initial_lr",)  # what learning rate schedules note in a group


class Optimizer:
    """The base of every optimizer.

    A subclass gives the names and default values of its hyper-parameters, checks them in
    `check_group`, and updates one batch of parameters, of one device and dtype, in `update`.

    Args:
        params: tensors to train, or dicts with ``"params"`` and hyper-parameters of their own.
        defaults: hyper-parameters of groups that do not give theirs.

    Attributes:
        param_groups: dicts of ``"params"`` and hyper-parameters, to be changed at will between steps.
        state: what the optimizer remembers of each parameter.

    Raises:
        TypeError: something is no tensor.
        ValueError: no parameters; one twice; one that does not require a gradient, is no leaf or not
            contiguous; a hyper-parameter out of range or unknown.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        if isinstance(params, (Tensor, Mapping)):
            raise TypeError(f"{self.name}: params must be an iterable of tensors or dicts, not {type(params).__name__}")
        given = list(params)
        if not given:
            raise ValueError(f"{self.name}: params (={given}) is empty")
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            self.add_param_group(group)

    @property
    def name(self) -> str:
        return type(self).__name__

    def check_group(self, group: Group) -> None:
        """Raise ValueError where a hyper-parameter is out of range."""

    def update(self, group: Group, params: list[Tensor], grads: list[Tensor]) -> None:
        """Change ``params``, all of one device and dtype, by one step; arrays in place."""
        raise NotImplementedError(f"{self.name}: update is not defined")

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Train more parameters, with the group's own or the default hyper-parameters."""
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(f"{self.name}: a parameter group must be a dict with 'params', not {group!r}")
        unknown = [key for key in group if key != "params" and key not in self.defaults and key not in _NOTES]
        if unknown:
            raise ValueError(
                f"{self.name}: unknown hyper-parameter {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(self.defaults)}"
            )
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        if not params:
            raise ValueError(f"{self.name}: params (={params}) is empty")
        known = {id(each) for other in self.param_groups for each in other["params"]}
        for number, each in enumerate(params):
            if not isinstance(each, Tensor):
                raise TypeError(f"{self.name}: params[{number}] must be a tensor, not {type(each).__name__}")
            if not each.requires_grad or not each.is_leaf:
                fault = "is no leaf" if each.requires_grad else "does not require a gradient"
                raise ValueError(f"{self.name}: params[{number}] of shape {each.shape} {fault}")
            if not each.is_contiguous():
                raise ValueError(f"{self.name}: params[{number}] of shape {each.shape} is not contiguous")
            if id(each) in known:
                raise ValueError(f"{self.name}: params[{number}] of shape {each.shape} is given twice")
            known.add(id(each))
        complete = {**self.defaults, **group, "params": params}
        self.check_group(complete)
        self.param_groups.append(complete)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with 0."""
        for group in self.param_groups:
            for each in group["params"]:
                if set_to_none or each.grad is None:
                    each.grad = None
                else:
                    with no_grad():
                        each.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient: one kernel call for all that can share it.

        Args:
            closure: computes gradients and returns the loss, which is passed on.

        Raises:
            RuntimeError: a parameter has moved to another device or dtype than its state.
            ValueError: a hyper-parameter was changed to a value out of range.
        """
        return recording.act(self, self._advance, closure)

    def _advance(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.check_group(group)
            batches: dict[tuple[Device, Any], tuple[list[Tensor], list[Tensor]]] = {}
            for each in group["params"]:
                if each.grad is not None:
                    params, grads = batches.setdefault((each.device, each.array.dtype), ([], []))
                    params.append(each)
                    grads.append(each.grad if each.grad.is_contiguous() else each.grad._copy())
            for params, grads in batches.values():
                self.update(group, params, grads)
                for each in params:
                    each._version[0] += 1
        return loss

    def buffer(self, param: Tensor, key: str) -> Tensor:
        """The tensor that is remembered of ``param`` under ``key``, zeros at first."""
        state = self.state.setdefault(param, {})
        found: Tensor | None = state.get(key)
        if found is None:
            found = state[key] = param._filled(0)
        if found.device is not param.device or found.array.dtype != param.array.dtype:
            raise RuntimeError(
                f"{self.name}: a parameter of shape {param.shape} is {param.dtype} on {param.device} but its {key} is "
                f"{found.dtype} on {found.device}; make the optimizer after moving the model"
            )
        return found

    # State

    def _numbered(self) -> Iterator[tuple[int, Tensor]]:
        return enumerate(each for group in self.param_groups for each in group["params"])

    def state_dict(self) -> dict[str, Any]:
        """The state by parameter number and the groups' hyper-parameters; its tensors share memory."""
        numbers = {id(each): number for number, each in self._numbered()}
        return {
            "state": {numbers[id(param)]: dict(state) for param, state in self.state.items()},
            "param_groups": [
                {**group, "params": [numbers[id(each)] for each in group["params"]]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` gave, bit for bit. Tensors are copied; nothing changes unless all fits.

        Raises:
            ValueError: the groups differ in number or size, or a tensor's shape is not its parameter's.
        """
        try:
            states, groups = state_dict["state"], state_dict["param_groups"]
        except (KeyError, TypeError):
            raise ValueError(f"{self.name}: a state dict has 'state' and 'param_groups'") from None
        sizes = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in groups]
        if sizes != given:
            raise ValueError(f"{self.name}: the groups hold {sizes} parameters, those of the state {given}")
        params = dict(self._numbered())
        # The state's numbers are those of its own groups, in order.
        order = [number for group in groups for number in group["params"]]
        loaded: dict[Tensor, dict[str, Any]] = {}
        for place, number in enumerate(order):
            if number not in states:
                continue
            param = params[place]
            loaded[param] = {}
            for key, value in states[number].items():
                if isinstance(value, Tensor):
                    if value.shape != param.shape:
                        raise ValueError(
                            f"{self.name}: {key} of parameter {place} has shape {value.shape}, "
                            f"the parameter {param.shape}"
                        )
                    value = value.detach().to(dtype=param.dtype, device=param.device, copy=True)
                loaded[param][key] = value
        complete = []
        for group, saved in zip(self.param_groups, groups, strict=True):
            unknown = [key for key in saved if key not in group and key not in _NOTES]
            if unknown:
                raise ValueError(f"{self.name}: unknown hyper-parameter {', '.join(map(repr, unknown))} in the state")
            merged = {**group, **{key: _restored(value) for key, value in saved.items()}, "params": group["params"]}
            self.check_group(merged)
            complete.append(merged)
        self.state = loaded
        self.param_groups = complete

    def __repr__(self) -> str:
        lines = []
        for number, group in enumerate(self.param_groups):
            values = ", ".join(f"{key}={value!r}" for key, value in group.items() if key != "params")
            lines.append(f"  group {number}: {len(group['params'])} parameters, {values}")
        return f"{self.name}(\n" + "\n".join(lines) + "\n)"

    def check_number(
        self, group: Group, key: str, low: float, high: float = float("inf"), *, below: bool = False
    ) -> None:
        """Raise ValueError unless ``group[key]`` is in [low, high], or in [low, high) if ``below``."""
        value = group[key]
        if not (low <= value < high if below else low <= value <= high):
            limits = f"at least {low}" if high == float("inf") else f"in [{low}, {high}{')' if below else ']'}"
            raise ValueError(f"{self.name}: {key} (={value}) must be {limits}")


def _restored(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # JSON knows no tuples
