"""A student's source as rules read it: lines without comments, where a variable is set, what stands in an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[xyz])?\b(?!\s*\()")
_IF = re.compile(r"\bif\s*\(")


class Setting(NamedTuple):
    """Where a variable got its value, and from which expression."""

    name: str
    line: int
    value: str

    def __str__(self) -> str:
        return f"`{self.name} = {self.value}` (line {self.line})"


class Guard(NamedTuple):
    line: int
    condition: str
    returns: bool
    """Whether those who meet the condition return."""


def closing(text: str, start: int, ends: str = "") -> int:
    """Where the bracket that is open at `start` closes, or one of `ends` stands outside of all brackets."""
    depth = 0
    for place in range(start, len(text)):
        if text[place] in "([{":
            depth += 1
        elif text[place] in ")]}":
            if not depth:
                return place
            depth -= 1
        elif text[place] in ends and not depth:
            return place
    return len(text)


def parts(text: str) -> list[str]:
    """What commas outside of brackets divide."""
    found, start = [], 0
    while start <= len(text):
        end = closing(text, start, ",")
        found.append(text[start:end].strip())
        start = end + 1
    return found


class Source:
    """Lines are numbered from 1, as in messages."""

    either = "||"

    def __init__(self, text: str) -> None:
        blank = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text.replace("\r\n", "\n"), flags=re.DOTALL)
        self.lines = [line.partition("//")[0].rstrip() for line in blank.split("\n")]

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def numbered(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.lines, 1)

    def setting(self, name: str, before: int) -> Setting | None:
        """The last `name = ...` that stands on this line or above it."""
        pattern = re.compile(rf"(?<![\w.>\]]){re.escape(name)}\s*=(?!=)\s*")
        for number in range(min(before, len(self.lines)), 0, -1):
            match = pattern.search(self.line(number))
            if match:
                text = self.line(number)
                return Setting(name, number, text[match.end() : closing(text, match.end(), ",;")].strip())
        return None

    def settings(self, expression: str, line: int) -> list[Setting]:
        """Of the variables that an expression on this line names."""
        found = (self.setting(name, line) for name in dict.fromkeys(_WORD.findall(expression)))
        return [each for each in found if each]

    def depends(self, expression: str, line: int, word: str) -> bool:
        """Whether the expression comes from `word`, such as `blockIdx`, by whatever variables."""
        seen: set[Setting] = set()
        todo = [(expression, line)]
        while todo:
            text, at = todo.pop()
            if re.search(rf"\b{word}\b", text):
                return True
            new = [each for each in self.settings(text, at) if each not in seen]
            seen.update(new)
            todo += [(each.value, each.line) for each in new]
        return False

    def indices(self, line: int) -> list[tuple[str, str]]:
        """(array, what stands in its brackets) of every subscript on a line; in several brackets the first."""
        text = self.line(line)
        return [
            (match[1], text[match.end() : closing(text, match.end())].strip())
            for match in re.finditer(r"\b([A-Za-z_]\w*)\s*\[", text)
        ]

    def guard(self, line: int) -> Guard | None:
        """The nearest `if` on this line or above it, within the function."""
        for number in range(line, 0, -1):
            text = self.line(number)
            if re.search(r"\b__(?:global|device)__\b", text):
                return None
            match = max(_IF.finditer(text), key=lambda each: each.start(), default=None)
            if match:
                end = closing(text, match.end())
                return Guard(number, text[match.end() : end], "return" in text[end:])
        return None

    def loop(self, line: int) -> int:
        """The line where the loop begins that a line lies in, by their indentation; 0 where there is none."""
        indent = len(self.line(line)) - len(self.line(line).lstrip())
        for number in range(line, 0, -1):
            text = self.line(number)
            inside = number == line or len(text) - len(text.lstrip()) < indent
            if inside and re.search(r"\b(?:for|while|do)\b", text):
                return number
        return 0

    def function(self, line: int) -> str:
        """The `__device__` function that a line lies in; empty within a kernel."""
        for number in range(line, 0, -1):
            match = re.search(r"\b__(global|device)__\b[^(;=]*?(\w+)\s*\(", self.line(number))
            if match:
                return match[2] if match[1] == "device" else ""
        return ""

    def calls(self, function: str) -> list[int]:
        pattern = re.compile(rf"\b{function}\s*\(")
        return [n for n, text in self.numbered() if pattern.search(text) and "__device__" not in text]

    def dynamic(self) -> set[str]:
        """Arrays whose size is the launch's."""
        return {m[1] for text in self.lines for m in re.finditer(r"\bextern\s+__shared__[^;]*?(\w+)\s*\[\s*\]", text)}

    def stores(self, array: str) -> int:
        """The last line that stores to an array; 0 where none does."""
        pattern = re.compile(rf"\b{array}\s*\[.*\]\s*[-+*/]?=(?!=)|\batomic\w+\s*\(\s*&\s*{array}\b")
        return max((n for n, text in self.numbered() if pattern.search(text)), default=0)
