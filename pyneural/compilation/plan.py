"""A plan: a recording as calls that are ready to be made, over memory that is laid out once."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyneural.kernels.memory import aligned, lent, rounded
from pyneural.tensor import Tensor

from .fusion import Fused, fuse
from .memory_plan import Life, layout
from .recorder import Act, Copy, Draw, Fill, Kernel, Recorder, Ref, leaves, mapped


@dataclass
class Facts:
    """What `explain` tells of a plan. Calls and bytes before are those of the recorded call."""

    calls_before: int = 0
    calls: int = 0
    acts: list[str] = field(default_factory=list)
    fused: list[tuple[str, ...]] = field(default_factory=list)
    folded: int = 0
    bytes_before: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        acts = f", and in Python {', '.join(self.acts)}" if self.acts else ""
        lines = [
            f"  kernel calls  {self.calls_before} -> {self.calls}{acts}",
            f"  memory        {self.bytes_before / 2**20:.2f} MiB -> {self.bytes / 2**20:.2f} MiB",
            f"  constants     {self.folded}",
            *(
                f"  in one pass   {' + '.join(each)}" + (f"  ({count} times)" if count > 1 else "")
                for each, count in Counter(self.fused).items()
            ),
        ]
        return "\n".join(lines)


@dataclass
class Workspace:
    """Memory that a kernel has while it runs. Without ``memory`` it gives away what nobody is to use, and counts."""

    memory: Any = None
    used: int = 0

    def __call__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        nbytes, start = math.prod(shape) * dtype.itemsize, self.used
        self.used += rounded(nbytes)
        if self.memory is None:
            return np.empty(shape, dtype)
        return self.memory[start : start + nbytes].view(dtype).reshape(shape)


class Plan:
    """What a recording did, to be done again.

    Args:
        recorder: the recording.
        outputs: the arrays of the tensors that the function returned, as `Recorder.place` gives them.
        grads: of each leaf that gradients reached, the array of its ``grad`` behind the call.
    """

    def __init__(self, recorder: Recorder, outputs: list[Any], grads: list[Any]) -> None:
        moves = sum(isinstance(step, (Fill, Copy)) for step in recorder.steps)
        self.facts = Facts(calls_before=recorder.calls + moves, bytes_before=recorder.peak)
        self.generators = recorder.generators
        self._states: list[dict[str, int]] = []
        seen = {ref.allocation for ref in leaves(grads) if isinstance(ref, Ref)}
        constants, steps = _folded(recorder.steps, seen)
        self.facts.folded = len(constants)
        # What stays from call to call lies in memory of its own; results are copied at the end.
        lasting = seen | set(constants)
        results = {ref.allocation for ref in leaves(outputs) if isinstance(ref, Ref)} - lasting
        lives = _lives(steps)
        lasting |= {each for each in results if each not in lives}  # memory that nothing was written to

        def kept(array: Any, step: int) -> bool:
            if not isinstance(array, Ref) or array.allocation in lasting or array.allocation in results:
                return True
            return lives[array.allocation][1] > step

        self.steps = fuse(steps, kept)
        self._count_workspaces(recorder)
        self._place(recorder, lasting, results)
        for allocation, value in constants.items():
            self._memory[allocation].view(value.dtype)[...] = value
        self.outputs = [self.array(each) for each in outputs]
        self.grads = [self.array(each) for each in grads]
        self.calls: list[Callable[[], Any]] = []
        for number, step in enumerate(self.steps):
            self._bind(step, self._scratch.get(number))
        self.facts.calls = sum(not isinstance(step, Act) for step in self.steps)
        self.facts.acts = [step.name for step in self.steps if isinstance(step, Act)]
        self.facts.fused = [step.names for step in self.steps if isinstance(step, Fused)]

    def _count_workspaces(self, recorder: Recorder) -> None:
        """Of kernels that are prepared, over the memory of the recording, which is there for a last time."""
        self._memory = dict(enumerate(recorder.memory)) | _bytes_of(recorder.inputs)
        for step in self.steps:
            if isinstance(step, Kernel):
                wanted = Workspace()
                if self._prepared(step, wanted) is not None:
                    step.scratch = wanted.used

    def _place(self, recorder: Recorder, lasting: set[int], results: set[int]) -> None:
        lives = _lives(self.steps)
        lives.update({each: (lives[each][0], len(self.steps)) for each in results if each in lives})
        shared = [each for each in lives if each >= 0 and each not in lasting]
        # What a kernel has while it runs lies where nobody else has anything at that time.
        scratch = {n: step.scratch for n, step in enumerate(self.steps) if isinstance(step, Kernel) and step.scratch}
        offsets, total = layout(
            [Life(recorder.memory[each].nbytes, *lives[each]) for each in shared]
            + [Life(nbytes, number, number) for number, nbytes in scratch.items()]
        )
        arena = aligned(total)
        self._scratch = {
            number: arena[offset : offset + nbytes]
            for (number, nbytes), offset in zip(scratch.items(), offsets[len(shared) :], strict=True)
        }
        self.inputs = [np.empty_like(each) for each in recorder.inputs]
        self._memory = _bytes_of(self.inputs)
        for allocation, offset in zip(shared, offsets, strict=False):
            self._memory[allocation] = arena[offset : offset + recorder.memory[allocation].nbytes]
        own = sum(each.nbytes for each in self.inputs)
        for allocation in (each for each in lasting if each >= 0):
            size = recorder.memory[allocation].nbytes
            self._memory[allocation] = aligned(size)
            own += size
        self.facts.bytes = total + own

    def array(self, value: Any) -> Any:
        """``value`` with its arrays in the plan's memory."""

        def change(each: Any) -> Any:
            if not isinstance(each, Ref):
                return each
            memory = self._memory[each.allocation]
            return np.ndarray(each.shape, each.dtype, memory, each.offset, each.strides)

        return mapped(value, change)

    def _bind(self, step: Any, scratch: Any) -> None:
        if isinstance(step, Fused):
            from pyneural.kernels.fused import kernel

            run = kernel(step.program)
            self.calls.append(functools.partial(run, np.ndarray, *step.numbers, *self.array(step.arrays)))
        elif isinstance(step, Kernel):
            self._bind_kernel(step, scratch)
        elif isinstance(step, Fill):
            target = self.array(step.target)
            self.calls.append(functools.partial(target.fill, step.value))
        elif isinstance(step, Copy):
            self.calls.append(functools.partial(np.copyto, self.array(step.target), self.array(step.source)))
        else:
            self._bind_act(step)

    def _bind_kernel(self, step: Kernel, scratch: Any) -> None:
        args, out, attributes = self.array(step.args), self.array(step.out), self.array(step.attributes)
        # The values of indices are checked in every call, as they are in every call without a plan.
        if any(each.dtype.kind in "iu" for each in leaves(args)):
            self.calls.append(functools.partial(step.operation.check, *args, **attributes))
        again = self._prepared(step, Workspace(scratch))
        if again is not None:
            self.calls.append(again)
            return
        given = {} if out is None or step.operation.writes else {"out": out}
        run = functools.partial(_within, lent(scratch), step.run) if step.scratch else step.run
        run = functools.partial(run, *args, **given, **attributes)
        drawn = {key: value for key, value in step.attributes.items() if isinstance(value, Draw)}
        if drawn:
            states = self._states
            self.calls.append(lambda: run(**{key: states[each.number][each.part] for key, each in drawn.items()}))
        else:
            self.calls.append(run)

    def _prepared(self, step: Kernel, workspace: Workspace) -> Callable[[], Any] | None:
        """The kernel as `parallel.prepared_by` makes it, if it has that."""
        prepare = getattr(step.run, "prepare", None)
        if prepare is None:
            return None
        args, out, attributes = self.array(step.args), self.array(step.out), self.array(step.attributes)
        again: Callable[[], Any] | None = prepare(*args, empty=workspace, out=out, **attributes)
        return again

    def _bind_act(self, step: Act) -> None:
        action, arguments = step.action, step.arguments
        grads = [(param, None if grad is None else Tensor._over(self.array(grad), param.device))
                 for param, grad in step.grads]  # fmt: skip

        def act() -> None:
            for param, grad in grads:
                param.grad = grad
            action(*arguments)

        self.calls.append(act)

    def run(self) -> None:
        """Do everything once."""
        if self.generators:
            self._states[:] = [each.next() for each in self.generators]
        for call in self.calls:
            call()


def _bytes_of(inputs: list[Any]) -> dict[int, Any]:
    """The memory of the arguments' arrays by their numbers, as `Ref` has them."""
    return {-1 - number: each.reshape(-1).view(np.uint8) for number, each in enumerate(inputs)}


def _within(loan: lent, run: Callable[..., Any], /, *args: Any, **attributes: Any) -> None:
    with loan:
        run(*args, **attributes)


def _folded(steps: list[Any], seen: set[int]) -> tuple[dict[int, np.generic], list[Any]]:
    """Allocations that are only ever filled with one number, by that number, and the steps without these fills.

    None that is ``seen`` between calls, where anybody may write to it.
    """
    writers: dict[int, list[Any]] = {}
    for step in steps:
        for each in step.written():
            if isinstance(each, Ref):
                writers.setdefault(each.allocation, []).append(step)
    constants: dict[int, np.generic] = {}
    for step in steps:
        if isinstance(step, Fill) and isinstance(step.target, Ref) and step.target.contiguous:
            allocation = step.target.allocation
            if writers[allocation] == [step] and step.target.offset == 0 and allocation not in seen:
                constants[allocation] = step.target.dtype.type(step.value)
    rest = [
        step for step in steps
        if not (isinstance(step, Fill) and isinstance(step.target, Ref) and step.target.allocation in constants)
    ]  # fmt: skip
    return constants, rest


def _lives(steps: list[Any]) -> dict[int, tuple[int, int]]:
    """The first and the last step that touch each allocation."""
    lives: dict[int, tuple[int, int]] = {}
    for number, step in enumerate(steps):
        for each in step.touched():
            if isinstance(each, Ref):
                lives[each.allocation] = lives.get(each.allocation, (number,))[0], number
    return lives
