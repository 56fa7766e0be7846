"""`Function`: an operation's forward and backward in one class, and a node of the graph once applied."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from typing import Any

from pyneural.kernels import Backend, active
from pyneural.tensor import Tensor

from . import anomaly
from .grad_mode import state

Array = Any
Gradients = Any  # one Tensor or None for each input; a bare Tensor where there is one input

_order = itertools.count(1)
_RELEASED: Any = object()


class Function:
    """One application of an operation.

    A subclass takes the operation's attributes in its constructor and defines::

        def forward(self, kernels, x, weight):  # tensors in, array (or tuple of arrays) out
            self.save(x, weight)
            return kernels.linear(x.array, weight.array)

        def backward(self, grad):               # tensors in and out, differentiable functions inside
            x, weight = self.saved
            return grad @ weight, grad.T @ x

    ``Linear()(x, weight)`` applies it. Inputs are tensors or None. ``self.needs[i]`` says whether
    input ``i`` needs a gradient; backward returns None where it does not. Where broadcasting made an
    input larger, its gradient is summed back by the engine, not by backward.

    Attributes:
        is_view: the result shares memory with the first input.
        differentiable: how many of the results carry gradients, the first ones; None for all.
        target: the device of the results; None for that of the inputs.
    """

    is_view = False
    differentiable: int | None = None
    target: Any = None

    # What an application fills in; the class's values hold for a node that does not use them.
    order = 0
    needs: tuple[bool, ...] = ()
    edges: tuple[Any, ...] = ()  # for each input: None, its node and result number, or the leaf tensor
    shapes: tuple[Any, ...] = ()
    outputs: tuple[Any, ...] = ()  # for each result: shape, dtype, device
    hooks: dict[int, dict[int, Callable[[Tensor], Tensor | None]]] | None = None
    trace: list[str] | None = None
    _saved: Any = None
    _saved_outputs: Any = None
    _keep_outputs = False

    @property
    def name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def forward(self, kernels: Backend, *inputs: Any) -> Any:
        raise NotImplementedError(f"{self.name}: forward is not defined")

    def backward(self, *grads: Any) -> Gradients:
        raise NotImplementedError(f"{self.name}: it has no derivative")

    def save(self, *tensors: Tensor | None) -> None:
        """Keep tensors for backward; changing one in place before then is an error there."""
        if self.needs:
            self._saved = [None if each is None else (each, each._version[0]) for each in tensors]

    def save_outputs(self) -> None:
        """Keep the results for backward."""
        self._keep_outputs = True

    @property
    def saved(self) -> list[Any]:
        """The tensors given to `save`.

        Raises:
            RuntimeError: they were freed by an earlier backward, or changed in place since.
        """
        if self._saved is _RELEASED:
            raise RuntimeError(
                f"{self.name}: backward through the graph a second time, but its saved tensors were freed; "
                "pass retain_graph=True to the first backward"
            )
        return [None if each is None else self._unchanged(*each) for each in self._saved]

    @property
    def saved_outputs(self) -> list[Any]:
        """The results, after `save_outputs`; raises as `saved` does."""
        if self._saved_outputs is _RELEASED:
            raise RuntimeError(
                f"{self.name}: backward through the graph a second time, but its saved tensors were freed; "
                "pass retain_graph=True to the first backward"
            )
        tensors = []
        # New tensors over the same arrays: keeping the results themselves would be a reference cycle.
        for slot, (array, device, counter, version) in enumerate(self._saved_outputs):
            tensor = Tensor._over(array, device)
            tensor._version = counter
            tensor._node, tensor._slot, tensor.requires_grad = self, slot, True
            tensors.append(self._unchanged(tensor, version))
        return tensors

    def _unchanged(self, tensor: Tensor, version: int) -> Tensor:
        if tensor._version[0] != version:
            raise RuntimeError(
                f"{self.name}: a tensor of shape {tensor.shape} saved for backward was changed in place: "
                f"it is at version {tensor._version[0]}, saved at version {version}"
            )
        return tensor

    def release(self) -> None:
        """Free what was kept for backward."""
        if self._saved is not None:
            self._saved = _RELEASED
        if self._saved_outputs is not None:
            self._saved_outputs = _RELEASED

    def __call__(self, *inputs: Tensor | None) -> Any:
        device: Any = inputs[0].device  # type: ignore[union-attr]
        tracked = False
        for each in inputs:
            if each is not None:
                if each.device is not device:
                    raise ValueError(f"{self.name.lower()}: tensors are on two devices, {device} and {each.device}")
                if each.requires_grad:
                    tracked = True
                if each._view > 0 and each._view <= each._version[1]:
                    self._refuse_stale(each)
        if tracked and state.enabled:
            self.needs = tuple([each is not None and each.requires_grad for each in inputs])
        else:
            tracked = False
        result = self.forward(active(device.name), *inputs)
        if self.target is not None:
            device = self.target
        if not tracked and not self.is_view and type(result) is not tuple:  # the usual case, decided at once
            return Tensor._over(result, device)
        if type(result) is tuple:
            tensors = tuple([Tensor._over(array, device) for array in result])
        else:
            tensors = (Tensor._over(result, device),)
        if self.is_view:
            version = inputs[0]._version  # type: ignore[union-attr]
            tensors[0]._version, tensors[0]._view = version, version[1] + 1
        if tracked:
            self._record(inputs, tensors)
        return tensors if type(result) is tuple else tensors[0]

    def _refuse_stale(self, view: Tensor) -> None:
        """A recorded in-place change gave a view's memory a new history, which the view does not have."""
        if state.enabled:
            raise RuntimeError(
                f"{self.name}: a view of shape {view.shape} was taken before its base was changed in place in a "
                "recorded graph, and would give a wrong gradient; take the view after the change"
            )

    def _record(self, inputs: tuple[Tensor | None, ...], tensors: tuple[Tensor, ...]) -> None:
        """Become a node of the graph between ``inputs`` and ``tensors``."""
        self.order = next(_order)
        edges: list[Any] = []
        shapes: list[Any] = []
        for each in inputs:
            if each is None:
                edges.append(None)
                shapes.append(None)
                continue
            shapes.append(each.array.shape)
            if not each.requires_grad:
                edges.append(None)
            elif each._node is None:
                edges.append(each)
            else:
                edges.append((each._node, each._slot))
        self.edges, self.shapes = tuple(edges), tuple(shapes)
        if len(tensors) == 1:
            array = tensors[0].array
            self.outputs = ((array.shape, array.dtype, tensors[0].device),)
        else:
            self.outputs = tuple([(each.array.shape, each.array.dtype, each.device) for each in tensors])
        count = len(tensors) if self.differentiable is None else self.differentiable
        for slot in range(count):
            tensor = tensors[slot]
            tensor.requires_grad, tensor._node, tensor._slot = True, self, slot
        if self._keep_outputs:
            self._saved_outputs = [(each.array, each.device, each._version, each._version[0]) for each in tensors]
        if anomaly.state.enabled:
            self.trace = traceback.format_stack()[:-2]
