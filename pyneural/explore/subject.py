"""What is explored: a source, and the launches of its kernels with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyneural import cuda
from pyneural.cuda import ladders
from pyneural.cuda.ladder_header import Array

if TYPE_CHECKING:
    from pyneural.learn.lesson import Lesson


class Unlaunchable(ValueError):
    """Nothing says how the kernel is launched, or what is said does not fit it."""


class Launch(NamedTuple):
    """One launch: the kernel's name, its configuration, its arguments."""

    kernel: str
    grid: Any
    block: Any
    shared: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Subject:
    """A title, the compiled source, and its launches; `prepare` makes the same arguments anew each time."""

    title: str
    module: cuda.Module
    prepare: Callable[[], list[Launch]]


SIZES: dict[str, dict[str, int]] = {
    "matmul": {"m": 256, "k": 64, "n": 256},
    "transpose": {"rows": 128, "columns": 128},
    "reduce": {"n": 8192},
    "scan": {"n": 8192},
    "histogram": {"n": 8192},
    "softmax": {"rows": 16, "columns": 512},
    "conv": {"batch": 1, "channels": 8, "filters": 8, "one": 1, "height": 16, "width": 16, "r": 3, "s": 3},
    "attention": {"heads": 1, "rows": 64, "keys": 64, "e": 64, "ev": 64},
}
"""The sizes at which a ladder's rungs are explored unless others are given: whole tiles, some dozens of blocks."""


def module(
    title: str, compiled: cuda.Module, kernel: str, grid: Any, block: Any, shared: int, arguments: Callable[[], Any]
) -> Subject:
    """A kernel with a launch that is given; ``arguments`` makes them anew each time."""
    return Subject(title, compiled, lambda: [Launch(kernel, grid, block, shared, tuple(arguments()))])


def lesson(chosen: Lesson, path: Path | None = None, *, seed: int = 0) -> Subject:
    """A student's file, or without one the solution, with the launch that the lesson counts."""
    exercise = chosen.exercise
    if path is None:
        title, compiled = f"{chosen.name}: the solution", cuda.compile(chosen.solution, "simulator")
    else:
        title, compiled = f"{chosen.name}: {path.name}", cuda.compile(path, "simulator")

    def prepare() -> list[Launch]:
        case, _ = exercise.measured(np.random.default_rng(seed))
        name = case.kernel or exercise.kernel
        return [Launch(name, case.grid, case.block, case.shared, tuple(case.arguments.values()))]

    return Subject(title, compiled, prepare)


def rung(name: str, number: int, *, sizes: Mapping[str, int] | None = None, seed: int = 0) -> Subject:
    """A rung of a ladder on random inputs. ValueError for an unknown one; Unlaunchable for sizes that do not fit."""
    chosen = ladders.rung(name, number)
    stage = chosen.header.passes["forward"]
    known = SIZES.get(name, {})
    wanted = {**known, **(sizes or {})}
    inputs = [each for array in stage.inputs for each in array.shape if each.isidentifier()]
    attributes: dict[str, Any] = {key: value for key, value in wanted.items() if key in stage.attributes}
    if unknown := set(sizes or {}) - set(inputs) - set(stage.attributes):
        raise Unlaunchable(
            f"{name} {number}: no size is named {', '.join(sorted(unknown))}; there are: "
            f"{', '.join(dict.fromkeys([*inputs, *stage.attributes]))}"
        )
    if missing := [each for each in dict.fromkeys(inputs) if each not in wanted]:
        raise Unlaunchable(f"{name} {number}: say how large {', '.join(missing)} shall be")

    def prepare() -> list[Launch]:
        rng = np.random.default_rng(seed)
        arrays = [_random(rng, array, wanted) for array in stage.inputs]
        try:
            return [Launch(*call) for call in chosen.prepare(*arrays, **attributes).calls]
        except ValueError as error:
            raise Unlaunchable(str(error)) from None

    return Subject(f"{name} {number}: {chosen.name.replace('_', ' ')}", chosen.module(), prepare)


def _random(rng: np.random.Generator, array: Array, sizes: Mapping[str, int]) -> np.ndarray[Any, Any]:
    shape = tuple(sizes[each] if each.isidentifier() else int(each) for each in array.shape)
    if np.dtype(array.dtype).kind == "i":
        return rng.integers(0, sizes.get("bins", 256), shape).astype(array.dtype)
    return rng.standard_normal(shape).astype(array.dtype)
