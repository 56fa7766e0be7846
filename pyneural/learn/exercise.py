"""What a lesson's `exercise.py` is written in: calls with their results, and what a good solution may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from pyneural.cuda import Kernel

Array = np.ndarray[Any, Any]
Size = int | tuple[int, ...]

POISON = -98765
"""What results hold before the kernel: a value that no exercise gives, so that an element left out is seen."""


def result(shape: int | tuple[int, ...], dtype: Any = np.float32) -> Array:
    """An array for results, poisoned."""
    return np.full(shape, POISON, dtype)


@dataclass(frozen=True)
class Remark:
    """What is wrong, where, and what to look at."""

    says: str
    look: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.says}"


class Mistake(NamedTuple):
    """What a typical mistake puts into a result, and the sentence for who made it."""

    array: str
    values: Array
    says: str


@dataclass(frozen=True)
class Case:
    """One launch: arguments in the kernel's order, and what must be in the named ones afterwards."""

    label: str
    arguments: Mapping[str, Any]
    expected: Mapping[str, Array]
    grid: Size
    block: Size
    shared: int = 0
    tolerance: float = 0.0
    """Largest difference, as a share of the expected value or of 1 where that is smaller."""
    mistakes: tuple[Mistake, ...] = ()
    owner: Callable[[tuple[int, ...]], str] | None = None
    """Who is to write an element: "thread 3 of block 1"."""
    kernel: str = ""
    """Which kernel is launched, where it is not the exercise's own."""


class Limit(NamedTuple):
    """The most that a counter of `cuda.profile` may be, and what to say beyond; `{value}` is what was counted.

    `shared_bytes` is a counter here as well: the shared memory of a block.
    """

    counter: str
    most: float
    says: str
    look: str = ""
    """What to look at, where the counter's meaning is not enough."""


@dataclass(frozen=True)
class Exercise:
    """A kernel to write, or several in one source."""

    kernel: str
    cases: Callable[[np.random.Generator], list[Case]]
    """Several odd sizes; the inputs are new in each check."""
    measured: Callable[[np.random.Generator], tuple[Case, int]]
    """A launch to count, and the bytes that it must move at least."""
    share: float
    """The least share of the moved bytes that must have been necessary."""
    limits: tuple[Limit, ...] = ()
    look: Mapping[str, str] = field(default_factory=dict)
    """What to look at, by kind of finding, where the lesson knows better than the general advice."""
    more: tuple[str, ...] = ()
    """The other kernels of the source."""
    doubles: Mapping[str, str] = field(default_factory=dict)
    """Kernels of `more` that are others for float64 in the place of float32: one function is both in Python."""
    cuda_only: str = ""
    """What Numba lacks, as a sentence's end, where the lesson is none in Python."""
    also: Callable[[Mapping[str, Kernel], np.random.Generator], list[Remark]] | None = None
    """What else the kernels, by name, must be good for: asked once all cases are right and clean."""


def one_per_element(block: int) -> Callable[[tuple[int, ...]], str]:
    """The owner of an element where thread t of block b writes element b * block + t."""

    def owner(index: tuple[int, ...]) -> str:
        return f"thread {index[0] % block} of block {index[0] // block}"

    return owner


def blocks(n: int, block: int) -> int:
    """Blocks for n elements, one a thread; a grid has at least one."""
    return max(1, -(-n // block))
