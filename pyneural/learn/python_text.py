"""A student's Python source as rules read it."""

from __future__ import annotations

import re

from .text import Guard, Setting, Source, parts

_TEXT = re.compile(r"(\"\"\"|''')(.*?)\1", re.DOTALL)
_IF = re.compile(r"\bif\b(.*?)(?::|\belse\b|$)")
_DEF = re.compile(r"^\s*def\s+(\w+)\s*\(")


class PythonSource(Source):
    """Lines are numbered from 1, as in messages."""

    either = " or "

    def __init__(self, text: str) -> None:
        blank = _TEXT.sub(lambda m: "\n" * m[0].count("\n"), text.replace("\r\n", "\n"))
        self.lines = [line.partition("#")[0].rstrip() for line in blank.split("\n")]

    def setting(self, name: str, before: int) -> Setting | None:
        """The last `name = ...`, `..., name = ..., ...` or `for name in ...` on this line or above it."""
        for number in range(min(before, len(self.lines)), 0, -1):
            text = self.line(number)
            if match := re.search(rf"\bfor\s+{re.escape(name)}\s+in\s+", text):
                return Setting(name, number, text[match.end() :].rstrip(" :"))
            if match := re.match(r"\s*([\w\s,]+?)\s*=(?!=)\s*(.*)$", text):
                names = [each.strip() for each in match[1].split(",")]
                if name in names:
                    values = parts(match[2])
                    one = len(names) == len(values) and len(names) > 1
                    if one:
                        return Setting(name, number, values[names.index(name)])
                    return Setting(match[1], number, match[2])
        return None

    def depends(self, expression: str, line: int, word: str) -> bool:
        """Whether the expression comes from `word`; the number of a thread in the grid comes from both."""
        return super().depends(expression, line, word) or (
            word in ("threadIdx", "blockIdx") and super().depends(expression, line, "grid")
        )

    def guard(self, line: int) -> Guard | None:
        """The nearest `if` on this line or above it, within the function."""
        for number in range(line, 0, -1):
            text = self.line(number)
            if _DEF.match(text):
                return None
            if match := _IF.search(text):
                rest = text[match.end() :] + (self.line(number + 1) if text.endswith(":") else "")
                return Guard(number, match[1].strip(), bool(re.search(r"\breturn\b", rest)))
        return None

    def function(self, line: int) -> str:
        """The device function that a line lies in; empty within a kernel."""
        for number in range(line, 0, -1):
            if match := _DEF.match(self.line(number)):
                return match[1] if "device" in self.line(number - 1) else ""
        return ""

    def calls(self, function: str) -> list[int]:
        pattern = re.compile(rf"(?<!def )\b{function}\s*\(")
        return [n for n, text in self.numbered() if pattern.search(text)]

    def dynamic(self) -> set[str]:
        """Arrays whose size is the launch's."""
        pattern = re.compile(r"\b(\w+)\s*=\s*cuda\.shared\.array\(\s*(?:shape\s*=\s*)?0\s*,")
        return {match[1] for text in self.lines for match in pattern.finditer(text)}

    def given(self, array: str) -> list[int]:
        """The lines that give the name of an array another value."""
        pattern = re.compile(rf"^\s*{array}\s*(?:[-+*/%&|^]|//|\*\*)?=(?!=)(?!.*\b(?:shared|local)\.array\b)")
        return [n for n, text in self.numbered() if pattern.search(text)]

    def stores(self, array: str) -> int:
        """The last line that stores to an array; 0 where none does."""
        pattern = re.compile(rf"\b{array}\s*\[.*\]\s*(?:[-+*/%&|^]|//|\*\*)?=(?!=)|\batomic\.\w+\(\s*{array}\b")
        return max((n for n, text in self.numbered() if pattern.search(text)), default=0)
