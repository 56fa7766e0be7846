"""Where a module begins and ends in the graph, for its backward hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyneural.autograd import is_grad_enabled
from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

Gradients = tuple[Any, ...]


class Boundary:
    """One call of a module: identities around its inputs and outputs, whose backward calls the hooks."""

    def __init__(self, module: Any, pre_hooks: Mapping[int, Any], hooks: Mapping[int, Any]) -> None:
        self.module = module
        self.pre_hooks, self.hooks = list(pre_hooks.values()), list(hooks.values())
        self.grad_output: Gradients = ()
        self.arguments = 0
        self.waits = False  # whether an input carries gradients, so that the hooks wait for them

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, the tensors among them behind a node of the graph."""
        self.arguments = len(args)
        parts, self.waits = _behind(list(args), self.on_inputs)
        return tuple(parts)

    def leave(self, output: Any) -> Any:
        """The output, a tensor or a tuple or list with tensors, behind a node of the graph."""
        several = isinstance(output, (tuple, list))
        parts, changed = _behind(list(output) if several else [output], self.on_outputs)
        if not changed or not several:
            return parts[0] if changed else output
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)

    def on_outputs(self, grads: Gradients) -> Gradients:
        for hook in self.pre_hooks:
            grads = self._replaced(grads, hook(self.module, grads), "pre")
        self.grad_output = grads
        if not self.waits:
            for hook in self.hooks:
                if hook(self.module, (None,) * self.arguments, grads) is not None:
                    raise RuntimeError(
                        f"{type(self.module).__name__}: a backward hook gave gradients, but no input requires one"
                    )
        return grads

    def on_inputs(self, grads: Gradients) -> Gradients:
        for hook in self.hooks:
            grads = self._replaced(grads, hook(self.module, grads, self.grad_output), "full")
        return grads

    def _replaced(self, grads: Gradients, given: Any, kind: str) -> Gradients:
        if given is None:
            return grads
        replaced = given if isinstance(given, tuple) else (given,)
        if len(replaced) != len(grads):
            raise RuntimeError(
                f"{type(self.module).__name__}: a {kind} backward hook gave {len(replaced)} gradients for {len(grads)}"
            )
        return replaced


class Identity(Function):
    """The inputs themselves; in backward, the gradients that ``on_gradients`` makes of theirs."""

    def __init__(self, on_gradients: Callable[[Gradients], Gradients]) -> None:
        self.on_gradients = on_gradients

    def forward(self, kernels: Backend, *tensors: Tensor) -> Any:
        self.differentiable = 0  # which results carry gradients is decided one by one below
        return tuple([each.array for each in tensors])

    def backward(self, *grads: Tensor | None) -> Any:
        return self.on_gradients(grads)


def _behind(parts: list[Any], on_gradients: Callable[[Gradients], Gradients]) -> tuple[list[Any], bool]:
    """Parts with the tensors among them behind an identity, if one of these carries gradients, and whether so.

    ``on_gradients`` is given an entry for every part, None for one that is no tensor.
    """
    places = [place for place, each in enumerate(parts) if isinstance(each, Tensor)]
    if not is_grad_enabled() or not any(parts[place].requires_grad for place in places):
        return parts, False

    def packed(grads: Gradients) -> Gradients:
        entries: list[Any] = [None] * len(parts)
        for place, each in zip(places, grads, strict=True):
            entries[place] = each
        entries = list(on_gradients(tuple(entries)))
        return tuple([entries[place] for place in places])

    node = Identity(packed)
    results = node(*[parts[place] for place in places])
    parts = list(parts)
    for slot, (place, result) in enumerate(zip(places, results, strict=True)):
        source = parts[place]
        result._version, result._view = source._version, source._version[1] + 1
        if source.requires_grad:
            result.requires_grad, result._node, result._slot = True, node, slot
        parts[place] = result
    return parts, True
