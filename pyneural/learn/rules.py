"""What is known of common mistakes: remarks on lines of the source, and what to look at for a finding.

A rule speaks only of what is wrong by itself or what a finding has shown; it is asked once a check has failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from pyneural import cuda

from . import loops, python_rules
from .exercise import Case, Remark
from .python_text import PythonSource
from .text import Guard, Source

_BYTES = re.compile(r"[*+]\s*sizeof\s*\(|sizeof\s*\([^)]*\)\s*\*")
_COPY = re.compile(r"memcpy|async|malloc|memset", re.IGNORECASE)
_POINTER = re.compile(r"\*\s*\([^)]*sizeof")
_TURNED = re.compile(r"(threadIdx\.([xyz])\s*\*\s*blockDim\.\2)\s*\+\s*(blockIdx\.\2)(?!\s*\*)")
_BLOCK_APART = re.compile(r"(?:=|\(|\[|,)\s*((?:cuda\.)?blockIdx\.([xyz]))\s*\+\s*((?:cuda\.)?threadIdx\.\2)(?!\s*\*)")
_PLUS = re.compile(r"\w\s=\+\s")
_UNUSED = re.compile(r"(?:^|[;{)])\s*(__shfl\w*)\s*\(")
_MASK = re.compile(r"(__shfl\w*_sync)\s*\(\s*\(?\s*(1[uUlL]*\s*<<\s*[\w.]+)\s*\)?\s*,")
_STORED = re.compile(r"([\w.\[\]\->+* ]*\w[\w.\[\]\->+* ]*?)\s*=\s*(atomic\w+)\s*\(\s*&\s*([^,]+?)\s*,")
_ZERO = re.compile(r"(?<![\w.)\]])(\d+)\s*/\s*(\d+)(?![\w.])")
_ROWS = re.compile(r"\*\s*([A-Za-z_]\w*)\s*(?:\+[^*]*)?$")

COMPILER = (
    (r"storage size|variable.length|array bound is not|not an integer constant|non-constant", "the size of a shared "
     "array must be a constant that the compiler knows: `constexpr`, or a number"),
    (r"was not declared|undeclared", "the name's spelling, and the braces within which it was declared"),
    (r"expected ['‘][;,)]", "what is missing may be missing on the line before"),
    (r"operator\^", "`^` is the exclusive or of bits: a square is a product"),
)  # fmt: skip


def compiler_look(message: str) -> str:
    """What to look at for an error of the compiler."""
    return next((look for pattern, look in COMPILER if re.search(pattern, message)), "this line and the one before it")


def remarks(source: Source, cases: list[Case]) -> Iterator[Remark]:
    """Mistakes that a line shows by itself."""
    if isinstance(source, PythonSource):
        for number, text in source.numbered():
            for says, look in (*python_rules.of_line(text), *_of_any_line(text)):
                yield Remark(says, look, number)
        yield from _rows(source, cases)
        yield from loops.remarks(source)
        return
    for number, text in source.numbered():
        if _BYTES.search(text) and not _COPY.search(text) and _is_index(source, number):
            yield Remark("an index in bytes", "`sizeof`: indices and pointers count elements, not bytes", number)
        for says, look in (*_of_line(text), *_of_any_line(text)):
            yield Remark(says, look, number)
    yield from _rows(source, cases)
    yield from loops.remarks(source)


def _is_index(source: Source, number: int) -> bool:
    """Whether the `sizeof` of a line stands in an index or a pointer's offset, or in a variable that is one."""
    text = source.line(number)
    if _POINTER.search(text) or any("sizeof" in index for _, index in source.indices(number)):
        return True
    names = re.findall(r"\b(\w+)\s*=(?!=)[^=;]*sizeof", text)
    indices = [index for n, _ in source.numbered() for _, index in source.indices(n)]
    return any(re.search(rf"\b{name}\b", index) for name in names for index in indices)


def _of_line(text: str) -> Iterator[tuple[str, str]]:
    if match := _TURNED.search(text):
        yield (
            f"`{match[1]} + {match[3]}` lays the threads of a block far apart",
            f"which of the two is multiplied: {match[3]} blocks of blockDim.{match[2]} threads come before this one",
        )
    if match := _UNUSED.search(text):
        yield f"nothing takes the value of {match[1]}", "a shuffle changes no variable: it only gives a value"
    if match := _MASK.search(text):
        says = f"the mask of {match[1]}, `{match[2].strip()}`, names one lane only"
        yield says, "the mask: a lane gets values only of lanes that it names, and all lanes that come must be in it"
    if (match := _STORED.search(text)) and _bare(match[1]).endswith(_bare(match[3])):
        says = f"{match[2]} has stored its result already, and returns what was there before"
        yield says, f"what `{match[1].strip()} =` stores after that"
    for match in _ZERO.finditer(text):
        if int(match[1]) < int(match[2]):
            yield f"`{match[0]}` is a division of whole numbers, and 0", "a constant with a point in it"


def _of_any_line(text: str) -> Iterator[tuple[str, str]]:
    """In both languages."""
    if match := _BLOCK_APART.search(text):
        size = match[1].replace("Idx", "Dim")
        yield f"`{match[1]} + {match[3]}` lays blocks one element apart", f"how many elements a block has: `{size}`"
    if _PLUS.search(text):
        yield "`=+` stores", "`+=` adds"


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _rows(source: Source, cases: list[Case]) -> Iterator[Remark]:
    """Rows of a matrix that are so far apart as another size says."""
    said: set[tuple[int, str]] = set()
    for number, _ in source.numbered():
        for name, index in source.indices(number):
            line, expression = number, index
            if re.fullmatch(r"\w+", index) and (setting := source.setting(index, number)):
                line, expression = setting.line, setting.value
            match = _ROWS.search(expression)
            right = _sizes_of_row(name, cases)
            if match and right and match[1] not in right and _is_size(match[1], cases) and (line, match[1]) not in said:
                said.add((line, match[1]))
                width = " or ".join(f"`{each}`" for each in right)
                says = f"a row of `{name}` has {width} elements, and `{expression}` takes it for `{match[1]}`"
                yield Remark(says, "how many elements lie between an element and the one below it", line)


def _sizes_of_row(name: str, cases: list[Case]) -> list[str]:
    """The arguments that are the length of a row of the matrix `name` in all cases that have it."""
    with_it = [case for case in cases if getattr(case.arguments.get(name), "ndim", 0) == 2]
    if not with_it:
        return []
    return [
        each
        for each in with_it[0].arguments
        if all(_number(case.arguments.get(each)) == case.arguments[name].shape[1] for case in with_it)
    ]


def _is_size(name: str, cases: list[Case]) -> bool:
    return all(_number(case.arguments.get(name)) is not None for case in cases)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | np.integer) else None


def look(source: Source, found: cuda.Finding, case: Case, general: str) -> str:
    """What to look at for a finding: what a rule knows of it, else the general advice with the place it speaks of."""
    if found.kind == "out_of_bounds":
        return _bounds(source, found, case, general)
    if found.kind == "hang" and (head := source.loop(found.line)):
        return f"{general}: `{source.line(head).strip()}` (line {head})"
    if found.kind == "race" and " global " in found.message and found.other_block in (None, found.block):
        index = next((i for name, i in source.indices(found.line) if name == found.array), None)
        if found.other_line == found.line and index and not source.depends(index, found.line, "threadIdx"):
            return f"`{found.array}[{index}]` is one place for all threads of a block: one thread is to write it"
    if function := source.function(found.line):
        places = ", ".join(map(str, source.calls(function)))
        if found.kind in ("invalid_warp_sync", "divergent_barrier") and places:
            return f"{general}; `{function}` is called on line {places}"
    return general


def _bounds(source: Source, found: cuda.Finding, case: Case, general: str) -> str:
    if found.array in source.dynamic() and not case.shared:
        what = "`cuda.shared.array(0, ...)`" if isinstance(source, PythonSource) else "`extern __shared__`"
        return f"{what} has as many bytes as the launch gives, here 0 bytes: give `{found.array}` a size"
    shared = " shared " in found.message or " uses " in found.message
    for name, index in source.indices(found.line):
        if shared and name == found.array and source.depends(index, found.line, "blockIdx"):
            return (
                f"`{name}` is shared memory, a block's own, and begins at 0 in each: its index `{index}` counts among "
                f"all blocks{_set(source, index, found.line)}"
            )
    stray = shared and any(name == found.array for name, _ in source.indices(found.line))
    if stray and (rounds := _rounds(source, found.line)):
        return f"{general}: {rounds}"
    guard = source.guard(found.line)
    special = _let_through(source, guard, case) if guard else ""
    if guard and special:
        return f"{general}; the guard on line {guard.line}, `{guard.condition}`: {special}"
    return general


def _rounds(source: Source, line: int) -> str:
    """The loops over as many rounds as an argument says whose variables are in an index on a line, in Python."""
    if not isinstance(source, PythonSource):
        return ""
    names = dict.fromkeys(word for _, index in source.indices(line) for word in re.findall(r"[A-Za-z_]\w*", index))
    found = [source.setting(name, line) for name in names]
    return ", ".join(str(each) for each in found if each and re.fullmatch(r"range\([a-z]\w*\)", each.value))


def _let_through(source: Source, guard: Guard, case: Case) -> str:
    sizes = "|".join(re.escape(name) for name, value in case.arguments.items() if _number(value) is not None)
    if guard.returns:
        return "who meets it returns" if re.search(rf"<\s*(?:{sizes})\b", guard.condition) else ""
    if match := re.search(rf"<=\s*({sizes})\b(?!\s*-)", guard.condition):
        return f"`<=` lets {match[1]} itself through, and the last is {match[1]} - 1"
    if source.either in guard.condition:
        return f"`{source.either.strip()}` lets through who meets one of the two only"
    return ""


def _set(source: Source, index: str, line: int) -> str:
    settings = dict.fromkeys(each for each in source.settings(index, line) if each.line != line)
    return f": {', '.join(map(str, settings))}" if settings else ""


def of_every_thread(source: Source, line: int) -> str:
    """That an index on a line is the same for all threads; empty where it is not."""
    for name, index in source.indices(line):
        if name in source.line(line).partition("=")[0] and not source.depends(index, line, "threadIdx"):
            return f"every thread comes to each element: its index `{index}` has nothing of a thread's number" + _set(
                source, index, line
            )
    return ""


def index_of(source: Source, line: int, array: str) -> str:
    """How the index comes about with which a line stores to an array; empty where it cannot be told."""
    for name, index in source.indices(line):
        if name == array:
            return _set(source, index, line)
    return ""
