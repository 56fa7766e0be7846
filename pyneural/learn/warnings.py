"""What the host compiler warns of, in a student's words: asked once a check has failed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyneural import cuda
from pyneural.cuda import toolchain

from .exercise import Remark
from .text import Source

FLAGS = (
    "-Wshadow", "-Wfloat-conversion", "-Wuninitialized", "-Wmaybe-uninitialized", "-Wunused-value", "-Wparentheses",
    "-Warray-bounds", "-Waggressive-loop-optimizations", "-Wtautological-compare", "-Wconditional-uninitialized",
)  # fmt: skip
_WARNING = re.compile(
    r"^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): warning: (?P<text>.*) \[-W(?P<flag>[\w-]+)[=\]]"
)
_NAME = re.compile(r"['‘](\w+)['’]")
_DECLARED = r"\b(?:int|unsigned|long|short|char|bool|size_t)\b[^;()]*\b{}\b"


def remarks(module: cuda.Module, source: Source) -> Iterator[Remark]:
    """One for each line with a warning that means a mistake; none where the compiler knows no such warnings."""
    said: set[int] = set()
    for line in _log(module).split("\n"):
        match = _WARNING.match(line)
        if not match or match["file"] != module.file or int(match["line"]) in said:
            continue
        number = int(match["line"])
        name = (_NAME.findall(match["text"]) or [""])[0]
        remark = _remark(match["flag"], match["text"], name, number, int(match["column"]), source)
        if remark:
            said.add(number)
            yield remark


def _log(module: cuda.Module) -> str:
    """Of a compilation of its own, for the usual one is told to be silent."""
    tool = toolchain.compiler()
    known = FLAGS if not tool.gnu else FLAGS[:-1]
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "unit.cpp"
        unit.write_text(module.sources.text, encoding="utf-8")
        command = [
            *tool.command, toolchain.STANDARD, *(each for each in tool.flags(False) if each != "-w"), *known,
            "-I", str(toolchain.SIMULATOR / "include"), "-include", toolchain._prelude((toolchain.STANDARD,), False),
            "-c", str(unit), "-o", str(Path(folder) / "unit.o"),
        ]  # fmt: skip
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.stderr


def _remark(flag: str, text: str, name: str, line: int, column: int, source: Source) -> Remark | None:
    if flag.startswith("shadow"):
        # A counter of its own for an inner loop is no mistake; what adds up is meant to last.
        added = re.compile(rf"\b{name}\s*(?:\[[^\]]*\]\s*)?[-+*/|&^]=")
        if re.search(r"\bfor\s*\(", source.line(line)) or not any(
            added.search(each) for each in source.lines[line - 1 :]
        ):
            return None
        outer = source.setting(name, line - 1)
        other = f" of line {outer.line}" if outer else ""
        says = f"a second `{name}` begins here and hides the one{other}"
        return Remark(says, f"`{name}` without a type in front of it: what this one gets is lost at its brace", line)
    if flag == "float-conversion" and "to ‘float’" not in text and "to 'float'" not in text:
        return _fraction(line, column, source)
    if "uninitialized" in flag:
        declared = re.compile(rf"\b(?:float|double|int|unsigned|long|bool)\b[^;()=]*\b{name}\s*[;,\[]")
        at = next((n for n in range(line, 0, -1) if declared.search(source.line(n))), line)
        return Remark(f"`{name}` has no value when it is first used", f"what `{name}` begins with", at)
    if flag == "unused-value":
        return Remark("this changes nothing: what it computes is not kept", "an assignment: `=` or `+=`", line)
    if flag == "parentheses" and "assignment" in text:
        return Remark("a condition that assigns", "`=` stores, `==` compares", line)
    if flag in ("array-bounds", "aggressive-loop-optimizations"):
        return _too_far(line, source)
    return None


def _fraction(line: int, column: int, source: Source) -> Remark | None:
    """Where something is added to a whole number: one that is only stored as such may be meant to be cut off."""
    stores = re.finditer(r"\b(\w+)\s*(?:\[[^\]]*\]\s*)*[-+*/]=", source.line(line))
    match = max((each for each in stores if each.start() < column), key=lambda each: each.start(), default=None)
    if not match:
        return None
    declared = re.compile(_DECLARED.format(match[1]))
    at = next((n for n in range(line, 0, -1) if declared.search(source.line(n))), line)
    look = f"the type of `{match[1]}`, on line {at}: `int` or another one of whole numbers"
    return Remark("a number loses its fraction here, for it is stored as a whole one", look, line)


def _too_far(line: int, source: Source) -> Remark:
    names = " or ".join(dict.fromkeys(f"`{name}`" for name, _ in source.indices(line)))
    look = f"the condition of the loop on this line, and how many elements {names or 'the array'} has"
    return Remark(f"the last round of a loop goes past the end of {names or 'an array'}", look, line)
