"""What elementwise operations do to each element, and programs of several: `kernels.fused` makes kernels of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

FLOATS = frozenset((np.dtype("float32"), np.dtype("float64")))
MOST_CHECKS = 8
"""Pairs of arrays that LLVM compares at run time before it uses vectors: with more it does not."""


class Pointwise(NamedTuple):
    """What an operation does to each element.

    ``f(*elements, *numbers)``; ``numbers`` are the attributes that become numbers of it, by name, with their defaults.
    """

    name: str
    f: Callable[..., Any]
    numbers: tuple[tuple[str, float], ...] = ()


class Work(NamedTuple):
    """What a call does to each element: ``does.f(*operands, *numbers)``."""

    does: Pointwise
    operands: tuple[Any, ...]
    numbers: tuple[float, ...]


class Instruction(NamedTuple):
    """One operation of a `Program`: values are the operands', then the results', in order.

    A result is a truth, or a number of the program's dtype.
    """

    does: Pointwise
    operands: tuple[int, ...]
    numbers: tuple[int, ...]
    truth: bool = False


class Program(NamedTuple):
    """What a fused kernel does, and with which arrays.

    Attributes:
        dtype: what it computes in.
        arrays: of each array the dtype, and whether it is a single element.
        reads: of each array the value that it gives, or -1 if it is not read. Values 0 ... are these.
        instructions: each adds a value.
        writes: of each array the value that is written into it, or -1.
        numbers: how many there are.
    """

    dtype: np.dtype[Any]
    arrays: tuple[tuple[np.dtype[Any], bool], ...]
    reads: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    writes: tuple[int, ...]
    numbers: int

    @property
    def checks(self) -> int:
        """How many pairs of its arrays could overlap, for all that LLVM knows."""
        whole = [number for number, (_, single) in enumerate(self.arrays) if not single]
        written = [number for number in whole if self.writes[number] >= 0]
        return len(written) * (len(whole) - len(written)) + len(written) * (len(written) - 1) // 2

    def source(self) -> str:
        """The generated Python: ``make(f0, f1, ..., number)`` gives the function for a part of the elements."""
        singles = [single for _, single in self.arrays]
        names = [f"p{i}" for i in range(self.numbers)] + [f"a{i}" for i in range(len(self.arrays))]
        lines = [
            f"def make({', '.join(f'f{i}' for i in range(len(self.instructions)))}, number):",
            "    def span(arguments, start, stop):",
            f"        {', '.join(names)}, = arguments",
            *(f"        k{i} = number(p{i})" for i in range(self.numbers)),
        ]
        output = next(i for i, value in enumerate(self.writes) if value >= 0)
        for i, single in enumerate(singles):
            if single:
                lines.append(f"        v{self.reads[i]} = a{i}[0]")
        lines.append(f"        taken = step(a{output}.size)")
        lines.append("        for first in range(start, stop, taken):")
        lines.append("            last = min(first + taken, stop)")
        for i, value in enumerate(self.reads):
            if not singles[i]:
                lines += [f"            bring(a{i}, last, taken, taken)"] if value >= 0 else []
                lines.append(f"            b{i} = a{i}[first:last]")
        lines.append("            for i in range(last - first):")
        for i, value in enumerate(self.reads):
            if value >= 0 and not singles[i]:
                lines.append(f"                v{value} = b{i}[i]")
        value = sum(each >= 0 for each in self.reads)
        for number, each in enumerate(self.instructions):
            given = [f"v{operand}" for operand in each.operands] + [f"k{operand}" for operand in each.numbers]
            call = f"f{number}({', '.join(given)})"
            lines.append(f"                v{value + number} = {call if each.truth else f'number({call})'}")
        for i, value in enumerate(self.writes):
            if value >= 0:
                lines.append(f"                b{i}[i] = v{value}")
        arrays = [f"elements(a{i}, {'1' if single else 'n'})" for i, single in enumerate(singles)]
        packed = [name if name[0] == "p" else arrays[int(name[1:])] for name in names]
        fits = [
            f"size(kind, a{i}, {self.writes[i] >= 0}) != {'1' if single else 'n'}" for i, single in enumerate(singles)
        ]
        lines += [
            "    return span",
            "",
            "def enclose(span):",
            f"    def kernel(kind, {', '.join(names)}):",
            f"        n = size(kind, a{output}, True)",
            f"        if n < 0 or {' or '.join(fits)}:",
            "            return False",
            f"        spread(span, ({', '.join(packed)},), n, piece(n))",
            "        return True",
            "    return kernel",
        ]
        return "\n".join(lines)
