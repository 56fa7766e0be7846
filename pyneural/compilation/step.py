"""`compile`: the function that records, compares, plans, and from then on repeats."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyneural import recording
from pyneural.kernels import Backend, active
from pyneural.tensor import Tensor

from .compare import difference, unlike
from .guards import Guards, hooked
from .plan import Plan
from .recorder import Recorder, Ref
from .signature import HOSTS, of_call, put_together, taken_apart

MOST_RECORDINGS = 16
"""Of one signature; after that, what none of its plans fits is called without one."""


def compile(function: Callable[..., Any] | None = None, *, explain: bool = False) -> Any:
    """A function that does what ``function`` does, from its third call on without its Python::

        @pyneural.compile
        def step(x, y):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    Two calls are recorded. If they ran the same kernels on the same memory, a plan is made: the kernels as a flat list,
    neighbouring elementwise ones in one pass, fills with a constant done once, over memory in which arrays that are not
    needed at the same time share their place. Later calls copy their tensors into it and run the list. No graph is
    built. Results are the same bits. Random numbers go on, and optimizers, schedules and `EMA` take their steps in
    Python, with the rates that they have then.

    There is a plan for each signature: shapes and dtypes of the tensors among the arguments, all other arguments,
    ``no_grad``, autocast. Another one is recorded once something that it takes as given has changed: an attribute of a
    module (``training`` too), a parameter or its memory, a gradient that the function adds to, or what a global or
    closed-over name of the function stands for. Names that it reads by way of other functions, and what is within lists
    and dicts, are not looked at: they are constants.

    What the function does besides is not done again: printing, counting, appending to lists. The gradients that it
    leaves are overwritten by its next call. A backward outside of it has no graph. Where there can be no plan (the
    function reads a value, ranks communicate, there are hooks, its calls differ, a GPU's tensors), it is called as it
    is, with one RuntimeWarning that says why; ``reason`` has that too.

    Args:
        function: a function or a `Module`; without it, a decorator is returned.
        explain: print what became of the function whenever a plan is made.

    Returns:
        a `Compiled`.

    Raises:
        TypeError: what is given cannot be called.
    """
    if function is None:
        return functools.partial(compile, explain=explain)
    return Compiled(function, explain)


@dataclass
class _Recording:
    recorder: Recorder
    structure: Any
    tensors: list[Tensor]
    arrays: list[Any]
    """Of the tensors, as `Recorder.place` gives them."""

    def unrepeatable(self) -> str:
        """Why no plan can be made of it; empty if one can."""
        if self.recorder.reason:
            return self.recorder.reason
        if any(each._node is not None for each in self.tensors) and not self.recorder.released:
            return "it returns a tensor with its graph: compile the backward with it, or call it under no_grad"
        for step in self.recorder.steps:
            if any(isinstance(each, Ref) and each.allocation < 0 for each in step.written()):
                return f"{step.name} writes into an argument"
        inputs = self.recorder.inputs
        if any(np.may_share_memory(a, b) for number, a in enumerate(inputs) for b in inputs[:number]):
            return "two arguments share memory"
        modules = self.recorder.modules.values()
        held = [each for module in modules for each in (*module.parameters(), *module.buffers())]
        if any(np.may_share_memory(each.array, a) for each in held for a in inputs):
            return "an argument shares memory with a parameter or buffer"
        return "a module or a leaf has hooks" if hooked(self.recorder) else ""

    def unlike(self, other: _Recording) -> str:
        """Where it differs from another one, in words."""
        what = difference(self.recorder, other.recorder)
        if not what and (self.structure != other.structure or unlike(self.arrays, other.arrays)):
            what = "two calls return different things"
        return what


class _Version:
    """A plan, and what must hold for it to be used."""

    def __init__(self, made: _Recording, function: Callable[..., Any]) -> None:
        recorder = made.recorder
        self.guards = Guards(recorder, function)
        ends = [leaf.tensor.grad for leaf in recorder.leaves.values()]
        grads = [None if each is None else recorder.place(each.array) for each in ends]
        self.plan = Plan(recorder, made.arrays, grads)
        self.structure = made.structure
        self.results = [
            (array, each, isinstance(place, Ref))
            for array, each, place in zip(self.plan.outputs, made.tensors, made.arrays, strict=True)
        ]
        self.leaves: list[tuple[Tensor, Tensor | None]] = []
        for leaf, end, place, array in zip(recorder.leaves.values(), ends, grads, self.plan.grads, strict=True):
            if end is not None and isinstance(place, Ref):
                end = Tensor._over(array, end.device)
            self.leaves.append((leaf.tensor, end))

    def run(self, given: list[Tensor]) -> Any:
        """What the function returns for these tensors."""
        for array, each in zip(self.plan.inputs, _distinct(given), strict=True):
            np.copyto(array, each.array)
        self.plan.run()
        for leaf, grad in self.leaves:
            leaf.grad = grad
        tensors = [Tensor._over(array, each.device)._copy() if copied else each for array, each, copied in self.results]
        return put_together(self.structure, iter(tensors))


def watched() -> bool:
    """Whether somebody watches kernels (`kernels.record`), whom a plan would tell nothing."""
    return any(type(active(name)) is not Backend for name in HOSTS)


class _Signature:
    """What is known of calls of one signature."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.versions: list[_Version] = []
        self.last: _Recording | None = None
        self.recordings = 0
        self.changes = "none of its plans fits"
        self.reason = ""
        for each in tensors:
            if each.device.type not in HOSTS:
                self.reason = f"its tensors are on {each.device}"
            elif each.requires_grad:
                self.reason = f"an argument of shape {each.shape} requires a gradient"
        if watched():
            self.reason = "kernels are being watched (kernels.record)"


class Compiled:
    """A function with its plans (`compile`).

    Attributes:
        function: the function itself.
        reason: why the last call had no plan and later ones will not either; else empty.
    """

    def __init__(self, function: Callable[..., Any], explain: bool = False) -> None:
        if not callable(function):
            raise TypeError(f"compile: function must be callable, not {type(function).__name__}")
        self.function = function
        self.reason = ""
        self._explain = explain
        self._signatures: dict[Any, _Signature] = {}
        self._warned = False
        functools.update_wrapper(self, function, updated=())

    @property
    def plans(self) -> int:
        """How many there are."""
        return sum(len(each.versions) for each in self._signatures.values())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if recording.current() is not None:  # within another compiled function, as a part of it
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        structure = taken_apart((args, kwargs), tensors)
        key = of_call(structure, tensors)
        try:
            known = self._signatures.get(key)
        except TypeError as error:
            return self._plain(f"an argument cannot be part of a signature: {error}", args, kwargs)
        if known is None:
            known = self._signatures[key] = _Signature(tensors)
        if known.reason:
            return self._plain(known.reason, args, kwargs)
        self.reason = ""
        for version in known.versions:
            if version.guards.hold():
                return version.run(tensors)
        if known.recordings >= MOST_RECORDINGS:
            return self._plain(f"{MOST_RECORDINGS} recordings, and {known.changes}", args, kwargs)
        return self._recorded(known, structure, tensors)

    def _plain(self, reason: str, args: Any, kwargs: Any) -> Any:
        self._give_up(reason)
        return self.function(*args, **kwargs)

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        if not self._warned:
            self._warned = True
            warnings.warn(f"compile: {self._name} has no plan: {reason}", RuntimeWarning, stacklevel=4)

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _recorded(self, known: _Signature, structure: Any, tensors: list[Tensor]) -> Any:
        known.recordings += 1
        own = {each: each if each.is_contiguous() else each._copy() for each in _distinct(tensors)}
        given = [own[each] for each in tensors]
        recorder = Recorder([each.array for each in own.values()])
        if known.last is not None:
            recorder.expect([leaf.tensor for leaf in known.last.recorder.leaves.values()])
        args, kwargs = put_together(structure, iter(given))
        with recorder.running():
            result = self.function(*args, **kwargs)
        found: list[Tensor] = []
        shape = taken_apart(result, found)
        made = _Recording(recorder, shape, found, [recorder.place(each.array) for each in found])
        known.reason = made.unrepeatable()
        if known.reason:
            known.last = None
            self._give_up(known.reason)
        else:
            self._plan(known, made)
        for each, used in own.items():
            if used is not each and used._version[0]:  # changed in place
                each.copy_(used)
        return result

    def _plan(self, known: _Signature, made: _Recording) -> None:
        """Make a plan if the last recording was the same."""
        last, known.last = known.last, made
        what = last.unlike(made) if last is not None else ""
        if last is None or what:
            known.changes = what or known.changes
            return
        known.versions.append(_Version(made, self.function))
        known.last, known.changes = None, "none of its plans fits"
        if self._explain:
            print(self.explain())

    def explain(self) -> str:
        """What became of the function: calls, memory, and what is done in one pass, for each plan."""
        versions = [version for each in self._signatures.values() for version in each.versions]
        if not versions:
            return f"{self._name}: no plan" + (f": {self.reason}" if self.reason else " yet")
        texts = [f"{self._name}, plan {number}\n{each.plan.facts}" for number, each in enumerate(versions, 1)]
        return "\n".join(texts)


def _distinct(tensors: list[Tensor]) -> list[Tensor]:
    """Each tensor once."""
    return list(dict.fromkeys(tensors))
