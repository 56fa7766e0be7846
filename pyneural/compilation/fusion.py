"""Neighbouring elementwise calls of a recording as one kernel each, which keeps what lies between them in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels.pointwise import FLOATS, MOST_CHECKS, Instruction, Program, Work

from .recorder import Kernel, Ref, Step

Key = tuple[Any, ...]


@dataclass
class Fused:
    """Several calls in one: a program, its numbers and its arrays, of which those that are written come again."""

    names: tuple[str, ...]
    program: Program
    numbers: tuple[float, ...]
    arrays: tuple[Any, ...]

    @property
    def name(self) -> str:
        return " + ".join(self.names)

    def written(self) -> list[Any]:
        return [each for each, value in zip(self.arrays, self.program.writes, strict=True) if value >= 0]

    def touched(self) -> list[Any]:
        return list(self.arrays)


class Call(NamedTuple):
    """An elementwise call, its kernel, and what it does."""

    step: Kernel
    work: Work
    out: Any


def fuse(steps: Sequence[Step], kept: Callable[[Any, int], bool]) -> list[Any]:
    """The steps with runs of elementwise calls in one; ``kept(array, step)``: needed after that step."""
    result: list[Any] = []
    at = 0
    while at < len(steps):
        run = _run(steps, at)
        if len(run) > 1:
            result += _fused(run, at, kept)
        else:
            result.append(steps[at])
        at += max(len(run), 1)
    return result


def _run(steps: Sequence[Step], start: int) -> list[Call]:
    """The elementwise calls from ``start`` on that follow one another over arrays of one shape and dtype."""
    calls: list[Call] = []
    seen: dict[Key, tuple[Any, ...]] = {}
    for step in steps[start:]:
        call = _call(step)
        if call is None or (calls and (call.out.shape, _dtype(call)) != (calls[0].out.shape, _dtype(calls[0]))):
            break
        spans = {_key(each): _span(each) for each in (*call.work.operands, call.out)}
        if any(_clash(key, span, seen) for key, span in spans.items()):
            break
        seen.update(spans)
        calls.append(call)
    return calls


def _call(step: Step) -> Call | None:
    """The step as an elementwise call over whole arrays or single elements of one floating dtype."""
    if not isinstance(step, Kernel) or not isinstance(step.out, (Ref, np.ndarray)) or step.operation.writes:
        return None
    if not step.compiled or not all(isinstance(each, (Ref, np.ndarray)) for each in step.args):
        return None
    from pyneural.kernels.fused import work  # Numba, which is there by now

    does = work(step.name, step.run, step.args, step.attributes, step.out)
    if does is None or step.out.size < 2 or not _plain(step.out):
        return None
    floats = {each.dtype for each in (*does.operands, step.out) if each.dtype != np.bool_}
    if len(floats) != 1 or not floats <= FLOATS:
        return None
    for each in does.operands:
        if not _plain(each) or (each.size != 1 and each.shape != step.out.shape):
            return None
    return Call(step, does, step.out)


def _dtype(call: Call) -> Any:
    return next(each.dtype for each in (*call.work.operands, call.out) if each.dtype != np.bool_)


def _plain(array: Any) -> bool:
    if isinstance(array, Ref):
        return array.contiguous
    return type(array) is np.ndarray and array.flags.c_contiguous


def _key(array: Any) -> Key:
    if isinstance(array, Ref):
        return array.allocation, array.offset, array.size, array.dtype
    return "outside", array.ctypes.data, array.size, array.dtype


def _span(array: Any) -> tuple[Any, int, int]:
    """The memory and the first and last byte of it that a contiguous array lies in."""
    place, start = (array.allocation, array.offset) if isinstance(array, Ref) else ("outside", array.ctypes.data)
    return place, start, start + array.size * array.dtype.itemsize


def _clash(key: Key, span: tuple[Any, ...], seen: dict[Key, tuple[Any, ...]]) -> bool:
    """Whether an array shares memory with another one that is not the very same."""
    return any(
        other != key and span[0] == theirs[0] and span[1] < theirs[2] and theirs[1] < span[2]
        for other, theirs in seen.items()
    )


def _fused(calls: list[Call], start: int, kept: Callable[[Any, int], bool]) -> list[Any]:
    """The calls, of which the first is step ``start``, as few kernels as can use vectors."""
    if len(calls) == 1:
        return [calls[0].step]
    last = start + len(calls) - 1
    made = _program(calls, lambda array: kept(array, last))
    if made.program.checks <= MOST_CHECKS:
        return [made]
    half = len(calls) // 2
    return _fused(calls[:half], start, kept) + _fused(calls[half:], start + half, kept)


def _program(calls: list[Call], kept: Callable[[Any], bool]) -> Fused:
    arrays: dict[Key, Any] = {}  # in order of first use
    reads: dict[Key, int] = {}
    for call in calls:  # values are numbered from those that are read
        for each in call.work.operands:
            key = _key(each)
            if key not in arrays:
                arrays[key] = each
                reads[key] = len(reads)
        arrays.setdefault(_key(call.out), call.out)
    values: dict[Key, int] = dict(reads)
    numbers: list[float] = []
    instructions = []
    for place, call in enumerate(calls):
        operands = tuple(values[_key(each)] for each in call.work.operands)
        given = tuple(range(len(numbers), len(numbers) + len(call.work.numbers)))
        numbers += call.work.numbers
        instructions.append(Instruction(call.work.does, operands, given, call.out.dtype == np.bool_))
        values[_key(call.out)] = len(reads) + place
    results = {_key(call.out) for call in calls}
    stored = {key for key in results if kept(arrays[key])} or {_key(calls[-1].out)}
    used = [key for key in arrays if key in reads or key in stored]
    program = Program(
        _dtype(calls[0]),
        tuple((arrays[key].dtype, arrays[key].size == 1) for key in used),
        tuple(reads.get(key, -1) for key in used),
        tuple(instructions),
        tuple(values[key] if key in stored else -1 for key in used),
        len(numbers),
    )
    names = tuple(call.step.name for call in calls)
    return Fused(names, program, tuple(numbers), tuple(arrays[key] for key in used))
