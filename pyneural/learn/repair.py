"""Where a wrong result comes from: the line on which one small change would make all results right.

The kernel is compiled once with all changes in it, and a number says which one a launch has. Changes are what beginners
mix up: another size or variable, and a comparison that is off by one. The change itself is not told.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pyneural import cuda

from .exercise import Case
from .language import CUDA, Language
from .text import Source, closing, parts

SECONDS = 4.0
"""Of processor time for trying changes: what is not tried by then is not claimed to be right or wrong."""
_COMPARE = {"<": " (pn_change == {}) + ", "<=": " -(pn_change == {}) + ", ">": " -(pn_change == {}) + ",
            ">=": " (pn_change == {}) + "}  # fmt: skip
_TOKEN = re.compile(r"(?<![<>=\-])(?:<=|>=|<|>)(?![<>=])|(?<![\w.])[A-Za-z_]\w*")
_INTEGER = re.compile(r"\b(?:int|unsigned|size_t)\s+(?=\w+\s*(?:=|,|\)|;))")
_SWITCH = "__device__ int pn_chosen;\n__global__ void pn_set_change(int number) { pn_chosen = number; }\n"
_READ = " const int pn_change = pn_chosen;"  # once for each thread, or every access of it would be checked


class Change(NamedTuple):
    line: int
    token: str


@dataclass(frozen=True)
class Repair:
    """The lines that each could be changed alone; `token` is what is to be changed on the first."""

    lines: tuple[int, ...]
    token: str

    @property
    def look(self) -> str:
        what = "the comparison" if self.token in _COMPARE else "the name"
        more = f" (or on line {', '.join(map(str, self.lines[1:]))})" if len(self.lines) > 1 else ""
        return f"{what} `{self.token}` on this line{more}: with another in its place all results would be right"


def repair(text: str, kernel: str, cases: list[Case], right: Callable[[Case, cuda.Kernel], bool]) -> Repair | None:
    """The change after which `right` holds for every case; None where no small one is enough."""
    if any(case.kernel not in ("", kernel) for case in cases):
        return None
    changed, changes = schema(text, kernel)
    if not changes:
        return None
    try:
        module = cuda.compile(changed, "simulator")
    except cuda.CompileError:
        return None  # a name that cannot be exchanged: nothing is claimed
    launched, switch = module[kernel], cuda.sanitize(module["pn_set_change"])

    def holds(case: Case, number: int) -> bool:
        switch[1, 1](number)
        return right(case, launched)

    return first_of(changes, cases, holds)


def first_of(changes: list[Change], cases: list[Case], holds: Callable[[Case, int], bool]) -> Repair | None:
    """The changes, numbered from 1, with which a launch of every case holds; 0 is none of them."""
    # The cheapest case that is wrong tells most changes apart.
    ordered = sorted(cases, key=lambda case: (holds(case, 0), _threads(case)))
    good: list[Change] = []
    began = time.process_time()
    for number, change in enumerate(changes, 1):
        if time.process_time() - began > SECONDS:
            break
        if all(holds(case, number) for case in ordered):
            good.append(change)
    if not good:
        return None
    lines = tuple(dict.fromkeys(change.line for change in good))
    return Repair(lines, good[0].token)


def _threads(case: Case) -> int:
    return int(np.prod(case.grid) * np.prod(case.block))


def schema(text: str, kernel: str) -> tuple[str, list[Change]]:
    """The source with all changes, each behind a number, and what they are."""
    source = Source(text)
    first, last = _body(source, kernel)
    if first > last:
        return text, []
    marked = written(text)
    changes: list[Change] = []
    lines = list(source.lines)
    lines[first - 2] += _READ
    for number in range(first, last + 1):
        if number in marked:
            lines[number - 1] = _line(source, number, first, changes)
    includes = [line if line.lstrip().startswith("#") else "" for line in lines]
    rest = ["" if line.lstrip().startswith("#") else line for line in lines]
    return "\n".join([*includes, _SWITCH, *rest]), changes


def written(text: str, language: Language = CUDA) -> set[int]:
    """The lines between the marks, which are the student's; all where there are no marks."""
    lines = text.split("\n")
    found: set[int] = set()
    inside = False
    for number, line in enumerate(lines, 1):
        mark = line.strip()
        inside = (inside or mark.startswith(language.begin)) and not mark.startswith(language.end)
        if inside:
            found.add(number)
    return found or set(range(1, len(lines) + 1))


def _body(source: Source, kernel: str) -> tuple[int, int]:
    """The lines between a kernel's braces."""
    text = "\n".join(source.lines)
    match = re.search(rf"__global__[^;{{]*\b{kernel}\s*\(", text)
    if not match:
        return 1, 0
    start = text.find("{", match.end())
    end = closing(text, start + 1)
    return text.count("\n", 0, start) + 2, text.count("\n", 0, end)


def _line(source: Source, number: int, first: int, changes: list[Change]) -> str:
    """A line with its changes; a name that stands on it more than once changes in each place, and in all together."""
    text = source.line(number)
    if re.search(r"\b(?:__shared__|constexpr|static|asm|template|auto)\b", text):
        return text
    sizes, variables = _names(source, number, first)
    together: dict[tuple[str, str], int] = {}
    # Of a loop's head its own variable stays as it is: most such changes only never end.
    loops = [(m.start(), closing(text, m.end()), m[1]) for m in re.finditer(r"\bfor\s*\(\s*\w+\s+(\w+)", text)]

    def change(token: str) -> int:
        changes.append(Change(number, token))
        return len(changes)

    pieces: list[str] = []
    end = 0
    for match in _TOKEN.finditer(text):
        token, after = match[0], text[match.end() :]
        if token in _COMPARE:
            pieces += [text[end : match.end()], _COMPARE[token].format(change(token))]
            end = match.end()
            continue
        loop = next((name for begin, stop, name in loops if begin <= match.start() < stop), "")
        kin = sizes if token in sizes else variables if token in variables and token != loop else []
        if not kin or _assigned(text[: match.start()], after):
            continue
        value = token
        more = len(re.findall(rf"(?<![\w.]){token}\b", text)) > 1
        for other in (each for each in kin if each not in (token, loop)):
            when = f"pn_change == {change(token)}"
            if more:
                if (token, other) not in together:
                    together[token, other] = change(token)
                when += f" || pn_change == {together[token, other]}"
            value = f"({when} ? {other} : {value})"
        pieces += [text[end : match.start()], value]
        end = match.end()
    return "".join([*pieces, text[end:]])


def _assigned(before: str, after: str) -> bool:
    """Whether a name stands where only a variable may, or where it is declared."""
    return bool(
        re.match(r"\s*(?:[-+*/%&|^]?=(?!=)|\+\+|--|\[|\(|\.|::)", after)
        or re.search(r"(?:\+\+|--|&|::|\.|->)\s*$", before)
        or re.search(r"\b(?:int|unsigned|float|double|bool|long|const)\s*\**\s*$", before)
        or re.search(r"\b(?:int|unsigned|float|double|bool|long)\b[^;=()]*\[[^\]]*$", before)  # the size of an array
    )


def _names(source: Source, number: int, first: int) -> tuple[list[str], list[str]]:
    """Whole numbers that have a value on this line: parameters and constants, and variables of the lines above it."""
    depth = 0
    sizes: list[str] = []
    found: dict[str, int] = {}
    for at in range(1, number + 1):
        text = source.line(at)
        if at < number or "for" in text:
            for match in _INTEGER.finditer(text):
                rest = text[match.end() :]
                for part in parts(rest[: closing(rest, 0, ";")]):
                    name = re.match(r"\s*(?:const\s+)?(?:int\s+|unsigned\s+)?(\w+)\s*(?:=|$)", part)
                    if name and at < first and (at >= first - 2 or "constexpr" in text or "#define" in text):
                        sizes.append(name[1])
                    elif name and at >= first:
                        found[name[1]] = depth + bool(re.search(r"\bfor\b", text[: match.start()]))
        if at >= first:
            depth += text.count("{") - text.count("}")
            if at < number:
                found = {name: level for name, level in found.items() if level <= depth}
    return list(dict.fromkeys(sizes)), list(found)
