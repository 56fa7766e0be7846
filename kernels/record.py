"""`record`: which kernels ran, how often, for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .backend import Backend, replaced
from .contract import Operation, Sample
from .cuda_memory import is_gpu


@dataclass
class Use:
    """What was seen of one operation.

    Attributes:
        calls, seconds: how often it ran, and the wall time of all its calls.
        sample: a copy of its first call's arguments, to check the kernel against the reference.
    """

    operation: Operation
    sample: Sample
    calls: int = 0
    seconds: float = 0.0


@dataclass
class Recording:
    """The `Use` of every operation by name, in the order of first use."""

    uses: dict[str, Use] = field(default_factory=dict)


class _RecordingBackend(Backend):
    def __init__(self, inner: Backend, recording: Recording) -> None:
        super().__init__(inner.name, inner.engine, inner.device, inner.lacks)
        self._uses = recording.uses

    def _bind(self, operation: Operation) -> Callable[..., Any]:
        inner = super()._bind(operation)
        uses = self._uses

        def call(*args: Any, **attributes: Any) -> Any:
            use = uses.get(operation.name)
            if use is None:
                kept = {key: copied(value) for key, value in attributes.items() if key != "out"}
                use = uses[operation.name] = Use(operation, Sample(tuple(copied(each) for each in args), kept))
            start = time.perf_counter()
            result = inner(*args, **attributes)
            use.seconds += time.perf_counter() - start
            use.calls += 1
            return result

        return call


def copied(value: Any) -> Any:
    """``value`` with every array in it copied, strides and all (a GPU's to the host, without); others as they are."""
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(each) for each in value)
    if is_gpu(value):
        from .gpu import to_host

        return to_host(value)
    return _copied_array(value) if isinstance(value, np.ndarray) else value


def _copied_array(x: np.ndarray) -> np.ndarray:
    """A copy with the strides of ``x``, be they negative, 0, or with gaps between: kernels treat each otherwise."""
    if x.flags.forc or x.size == 0:
        return np.array(x, order="K")
    reach = [(n - 1) * step for n, step in zip(x.shape, x.strides, strict=True)]
    start = -sum(each for each in reach if each < 0)
    memory = np.zeros(start + sum(each for each in reach if each > 0) + x.itemsize, np.uint8)
    copy: np.ndarray = np.ndarray(x.shape, x.dtype, memory, start, x.strides)
    copy[...] = x
    return copy


@contextmanager
def record() -> Iterator[Recording]:
    """Record every kernel call inside the ``with`` block::

    with kernels.record() as recording:
        model(x)
    for name, use in recording.uses.items(): print(name, use.calls, use.seconds)
    """
    recording = Recording()
    with replaced(lambda backend: _RecordingBackend(backend, recording)):
        yield recording
