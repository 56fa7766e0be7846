"""The languages that lessons are written in, and what a text names otherwise in each."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    name: str
    suffix: str
    """Of files."""
    comment: str
    """What a comment begins with, and so the marks around what is the student's."""

    @property
    def begin(self) -> str:
        return f"{self.comment} >>>"

    @property
    def end(self) -> str:
        return f"{self.comment} <<<"

    @property
    def kept(self) -> str:
        """What a line of a solution begins with that stands in the skeleton in place of the others."""
        return f"{self.comment}: "


CUDA = Language("CUDA C++", ".cu", "//")
PYTHON = Language("Python", ".py", "#")
LANGUAGES = (CUDA, PYTHON)

_BUILT_IN = re.compile(r"(?<![\w.])(threadIdx|blockIdx|blockDim|gridDim)\.(?=[xyz]\b)")
_WORDS = (
    (re.compile(r"(?<![\w.])__(syncthreads|syncwarp)\b"), r"cuda.\1"),
    (re.compile(r"(?<![\w.])__((?:shfl\w*|ballot|any|all)_sync)\b"), r"cuda.\1"),
    (re.compile(r"(?<![\w.])atomic(Add|Max|Min|CAS|Exch)\(&\s*(\w+)\[([^\]]*\]?)\],"), r"atomic\1(\2, \3,"),
    (re.compile(r"(?<![\w.])atomic(Add|Max|Min|CAS|Exch)\b"), lambda m: f"cuda.atomic.{m[1].lower()}"),
    (re.compile(r"(?<![\w.])__shared__"), "cuda.shared.array"),
    (re.compile(r"<<<(.*?)>>>"), r"[\1]"),
    (re.compile(r"\b([a-z]\w*)\[([^\[\]]+)\]\[([^\[\]]+)\]"), r"\1[\2, \3]"),
)
_ONLY = re.compile(rf"(?m)^<!-- ({'|'.join(re.escape(each.name) for each in LANGUAGES)}|both) -->\n")


def told_in(language: Language, text: str) -> str:
    """A text without what another language is told: parts begin with the line `<!-- Python -->`, `<!-- CUDA C++ -->`
    or `<!-- both -->`."""
    first, *rest = _ONLY.split(text)
    parts = zip(rest[::2], rest[1::2], strict=True)
    return first + "".join(part for who, part in parts if who in (language.name, "both"))


def in_python(text: str) -> str:
    """A text about CUDA C++ with the names that Numba has for the same; pictures keep their columns."""
    parts = re.split(r"(?ms)(^```.*?^```$)", text)
    for number, part in enumerate(parts):
        if number % 2 == 0:
            part = _BUILT_IN.sub(r"cuda.\1.", part)
        for pattern, other in _WORDS:
            part = pattern.sub(other, part)
        parts[number] = part
    return "".join(parts)
