"""A recording: every kernel that a call of a function runs, on which memory, in order.

The function computes as ever while it is recorded. Memory that it allocates is noted down and never reused within the
recording, so that an address names one array; what lies elsewhere (parameters, statistics, arguments) is kept as it is.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pyneural import recording
from pyneural.device import engines_replaced
from pyneural.kernels import Backend, Operation
from pyneural.kernels.backend import Engine, replaced
from pyneural.kernels.memory import aligned, lent
from pyneural.tensor import Tensor

Array = Any

NOTHING = np.empty(0, np.uint8)


class Memory(np.ndarray):
    """Bytes of one allocation. Its own type, because NumPy collapses a chain of views only within one type."""


class Lease(np.ndarray):
    """A view of an allocation, again of its own type: all arrays over the allocation keep it alive, and only they."""


class Ref(NamedTuple):
    """An array in memory that the function allocated, or that an argument has."""

    allocation: int
    """Its number; -1 is the first argument, -2 the second."""
    offset: int
    """Of its first element, in bytes."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Its number of elements."""
        count = 1
        for each in self.shape:
            count *= each
        return count

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie in C order without gaps."""
        step = self.dtype.itemsize
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != step:
                return False
            step *= length
        return True


class Draw(int):
    """A seed or an offset that a generator gave: in each call another."""

    number: int
    part: str

    @classmethod
    def of(cls, value: int, number: int, part: str) -> Draw:
        draw = cls(value)
        draw.number, draw.part = number, part
        return draw


@dataclass
class Kernel:
    """A kernel's call; arrays are `Ref` or lie elsewhere.

    Attributes:
        run: the kernel, unchecked.
        compiled: it is Numba's for the CPU, and computes in the dtype that it is given.
        scratch: bytes of memory that it had while it ran.
    """

    operation: Operation
    run: Callable[..., Any]
    args: tuple[Any, ...]
    out: Any
    attributes: dict[str, Any]
    compiled: bool
    scratch: int

    @property
    def name(self) -> str:
        return self.operation.name

    def written(self) -> list[Any]:
        """What it writes, in place or as its result."""
        parameters = self.operation.signature.parameters
        inplace = [value for key, value in zip(parameters, self.args, strict=False) if key in self.operation.writes]
        return [*leaves(inplace), *leaves(self.out)]

    def touched(self) -> list[Any]:
        """Every array that it reads or writes."""
        return [*leaves(self.args), *leaves(self.attributes), *leaves(self.out)]


@dataclass
class _Move:
    """What an engine writes without a kernel."""

    target: Any

    def written(self) -> list[Any]:
        return leaves(self.target)


@dataclass
class Fill(_Move):
    """One number everywhere in an array."""

    value: Any
    name = "fill"
    touched = _Move.written


@dataclass
class Copy(_Move):
    """An array's elements into another one of its shape and dtype."""

    source: Any
    name = "copy"

    def touched(self) -> list[Any]:
        return [*leaves(self.target), *leaves(self.source)]


@dataclass
class Act:
    """What is done in Python each time: a step of an optimizer, with the gradients that it finds, or of a schedule."""

    owner: Any
    action: Callable[..., Any]
    arguments: tuple[Any, ...]
    grads: list[tuple[Tensor, Any]]

    @property
    def name(self) -> str:
        return f"{type(self.owner).__name__}.step"

    def written(self) -> list[Any]:
        return []

    def touched(self) -> list[Any]:
        return leaves([grad for _, grad in self.grads])


Step = Kernel | Fill | Copy | Act


def leaves(value: Any) -> list[Any]:
    """The arrays in a value, also in tuples, lists and dicts."""
    if isinstance(value, (Ref, np.ndarray)):
        return [value]
    if isinstance(value, (tuple, list)):
        return [leaf for each in value for leaf in leaves(each)]
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    return []


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """``value`` with every array in it changed."""
    if isinstance(value, (Ref, np.ndarray)):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(mapped(each, change) for each in value)
    if type(value) is dict:
        return {key: mapped(each, change) for key, each in value.items()}
    return value


@dataclass
class Leaf:
    """A leaf that gradients reached, and its ``grad`` before the call and when the first one came."""

    tensor: Tensor
    before: Tensor | None
    found: Tensor | None


@dataclass
class Recorder:
    """A recording under way, and then what it holds.

    Attributes:
        steps: what was done, in order.
        memory: the allocations.
        generators: whose random numbers were drawn, in order.
        modules: those called, by id.
        leaves: by id, those that gradients reached.
        reason: why no plan can be made of it.
        released: a backward freed the graph.
        calls: kernels that ran, those of optimizers included.
        live, peak: bytes in use, now and at most.
    """

    inputs: list[Array]
    """The arrays of the arguments, contiguous and apart from one another."""
    grads_before: dict[int, tuple[Tensor, Tensor | None]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    modules: dict[int, Any] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    reason: str = ""
    released: bool = False
    calls: int = 0
    live: int = 0
    peak: int = 0
    suspended: bool = False
    _starts: list[int] = field(default_factory=list)
    _by_start: dict[int, tuple[int, int]] = field(default_factory=dict)
    _watched: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, each in enumerate(self.inputs):
            if each.nbytes:
                self._know(-1 - number, each)

    def expect(self, leaves: list[Tensor]) -> None:
        """Note the gradients that these leaves have before the call."""
        self.grads_before = {id(each): (each, each.grad) for each in leaves}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Record what happens inside the ``with`` block."""
        with (
            replaced(lambda backend: _RecordingBackend(backend, self)),
            engines_replaced(self.engine),
            recording.observed(self),
        ):
            yield

    # What observers are told

    def drew(self, generator: Any, state: dict[str, int]) -> dict[str, int]:
        if self.suspended:
            return state
        self.generators.append(generator)
        number = len(self.generators) - 1
        return {part: Draw.of(value, number, part) for part, value in state.items()}

    def act(self, owner: Any, action: Callable[..., Any], *arguments: Any) -> Any:
        if self.suspended:
            return action(*arguments)
        if any(each is not None for each in arguments):
            self.gives_up(f"{type(owner).__name__}.step is given a closure")
        groups = getattr(owner, "param_groups", ())
        params = [each for group in groups for each in group["params"]]
        grads = [(each, None if each.grad is None else self.place(each.grad.array)) for each in params]
        self.steps.append(Act(owner, action, arguments, grads))
        with recording.paused():
            return action(*arguments)

    def called(self, module: Any) -> None:
        self.modules[id(module)] = module

    def accumulates(self, leaf: Any) -> None:
        if id(leaf) not in self.leaves:
            _, before = self.grads_before.get(id(leaf), (leaf, leaf.grad))
            self.leaves[id(leaf)] = Leaf(leaf, before, leaf.grad)

    def walked(self, retained: bool) -> None:
        self.released = self.released or not retained

    def gives_up(self, reason: str) -> None:
        self.reason = self.reason or reason

    # Memory

    def engine(self, inner: Engine) -> Engine:
        """``inner``, whose allocations, fills and copies are noted down."""

        def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
            return inner.empty(shape, dtype) if self.suspended else self.allocate(shape, dtype)

        def from_host(array: np.ndarray) -> Array:
            if self.suspended:
                return inner.from_host(array)
            copy = self.allocate(array.shape, array.dtype)
            copy[...] = array
            self.steps.append(Copy(self.place(copy), self.place(array)))
            return copy

        def fill(array: Array, value: Any) -> None:
            inner.fill(array, value)
            if not self.suspended:
                self.steps.append(Fill(self.place(array), value))

        def to_host(array: Array) -> np.ndarray:
            self.gives_up("it reads a value (item, numpy, tolist, bool or print of a tensor)")
            return inner.to_host(array)

        return dataclasses.replace(inner, empty=empty, from_host=from_host, fill=fill, to_host=to_host)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array in memory of its own."""
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        memory = aligned(nbytes).view(Memory)
        lease = memory.view(Lease)
        array = np.ndarray(shape, dtype, lease)  # type: ignore[var-annotated]
        if nbytes:
            self._know(len(self.memory), memory)
            self.memory.append(memory)
            self.live += nbytes
            self.peak = max(self.peak, self.live)
            self._watched.append(weakref.ref(lease, lambda _: self._freed(nbytes)))
        return array

    def _know(self, number: int, memory: Array) -> None:
        start = memory.ctypes.data
        bisect.insort(self._starts, start)
        self._by_start[start] = number, start + memory.nbytes

    def _freed(self, nbytes: int) -> None:
        self.live -= nbytes

    def place(self, value: Any) -> Any:
        """``value`` with its arrays as `Ref` where they lie in memory of the recording; those hold on to nothing."""
        return mapped(value, self._ref)

    def _ref(self, array: Any) -> Any:
        if not array.size:
            return array
        address = array.ctypes.data
        before = bisect.bisect_right(self._starts, address) - 1
        if before < 0:
            return array
        start = self._starts[before]
        number, end = self._by_start[start]
        if address >= end:
            return array
        return Ref(number, address - start, array.shape, array.strides, array.dtype)

    def kernel(
        self, inner: Backend, operation: Operation, args: tuple[Any, ...], out: Any, given: Any, scratch: int
    ) -> None:
        """A kernel has run."""
        run = inner.unchecked(operation, args, out)
        compiled = inner.name == "numba_cpu" and run is inner.implementation(operation)
        self.calls += 1
        self.steps.append(
            Kernel(operation, run, self.place(args), self.place(out), self.place(given), compiled, scratch)
        )


class _RecordingBackend(Backend):
    def __init__(self, inner: Backend, recorder: Recorder) -> None:
        super().__init__(inner.name, recorder.engine(inner.engine), inner.device, inner.lacks)
        self._inner, self._recorder = inner, recorder

    def _bind(self, operation: Operation) -> Callable[..., Any]:
        bound, plain = super()._bind(operation), getattr(self._inner, operation.name)
        inner, recorder = self._inner, self._recorder

        def call(*args: Any, out: Any = None, **attributes: Any) -> Any:
            if recorder.suspended:
                recorder.calls += 1
                return plain(*args, out=out, **attributes)
            with lent(NOTHING) as loan:
                result = bound(*args, out=out, **attributes)
            recorder.kernel(inner, operation, args, result, attributes, loan.used)
            return result

        return call
