"""What is known of mistakes in loops and at borders, in both languages: what stays the same from round to round, and
what does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .exercise import Remark
from .text import Source, closing, parts

_FOR = re.compile(r"\bfor\s*\(\s*(?:\w+\s+)*(\w+)\s*=\s*([^;,]+);[^;]*;\s*\1\s*\+=\s*([^,)]+)\)")
_RANGE = re.compile(r"\bfor\s+(\w+)\s+in\s+range\s*\(")
_ADDED = re.compile(r"\b(\w+)\s*\+=\s*.*?exp\w*\s*\(.*-\s*(\w+)\s*\)")
_LARGER = re.compile(r"\bf?max(?:imum|f)?\s*\(")
_CLAMPED = re.compile(r"\bmin\s*\(\s*max\s*\(|\bmax\s*\(\s*min\s*\(")


class _Loop(NamedTuple):
    line: int
    name: str
    start: str
    step: str


def remarks(source: Source) -> Iterator[Remark]:
    """Of loops whose rounds do not differ where they must, and of sums whose terms do where they must not."""
    for loop in _loops(source):
        yield from _same_remainder(source, loop)
    for number, text in source.numbered():
        if match := _ADDED.search(text):
            yield from _not_rescaled(source, number, match[1], match[2])
    if not any(re.search(r">=\s*0\b", text) for text in source.lines):  # else what lies outside is known for it
        yield from _at_the_border(source)


def _loops(source: Source) -> Iterator[_Loop]:
    for number, text in source.numbered():
        if match := _FOR.search(text):
            yield _Loop(number, match[1], match[2].strip(), match[3].strip())
        elif match := _RANGE.search(text):
            given = parts(text[match.end() : closing(text, match.end())])
            if len(given) == 3:
                yield _Loop(number, match[1], given[0], given[2])


def _body(source: Source, head: int) -> Iterator[int]:
    """The lines of a loop below its head, by their indentation."""
    indent = _indent(source.line(head))
    for number in range(head + 1, len(source.lines) + 1):
        text = source.line(number)
        if text.strip() and _indent(text) <= indent:
            return
        yield number


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _whole(source: Source, text: str, line: int) -> int | None:
    """A number, or a name that has one."""
    if text.isdecimal():
        return int(text)
    setting = source.setting(text, line) if text.isidentifier() else None
    return int(setting.value) if setting and setting.value.isdecimal() else None


def _same_remainder(source: Source, loop: _Loop) -> Iterator[Remark]:
    start, step = _whole(source, loop.start, loop.line), _whole(source, loop.step, loop.line)
    if start is None or not step:
        return
    for number in _body(source, loop.line):
        text = source.line(number)
        for match in re.finditer(rf"\b{loop.name}\s*%\s*(\w+)", text):
            divisor = _whole(source, match[1], number)
            if divisor and step % divisor == 0 and not text[: match.start()].rstrip().endswith(("*", "/", "%", ".")):
                says = f"`{match[0]}` is always {start % divisor}: `{loop.name}` grows in steps of {step}"
                yield Remark(says, "the number of the round, which is what grows by one", number)


def _not_rescaled(source: Source, line: int, total: str, most: str) -> Iterator[Remark]:
    """A sum of exponentials that are measured from a maximum which may grow in the next round."""
    head, setting = source.loop(line), source.setting(most, line)
    if not head or not setting or setting.line <= head or not _LARGER.search(setting.value):
        return
    body = [source.line(number) for number in (line, *_body(source, head))]
    begins = source.setting(total, line)
    scaled = re.compile(rf"\b{total}\s*\*=|\b{total}\s*=.*\b{total}\s*\*|\b{total}\s*=.*\*\s*{total}\b")
    carried = [most, *(m[1] for text in body for m in re.finditer(rf"\b(\w+)\s*=\s*{most}\b", text))]
    if (begins and begins.line > head) or any(scaled.search(text) for text in body):
        return
    if any(re.search(rf"\b{name}\b", setting.value) for name in carried):
        says = f"a term of `{total}` is measured from `{most}`, which may be larger in the next round than in this one"
        yield Remark(says, f"how the sum so far is rescaled when `{most}` takes the place of a smaller maximum", line)


def _at_the_border(source: Source) -> Iterator[Remark]:
    for number, text in source.numbered():
        if match := _CLAMPED.search(text):
            shown = text[match.start() : closing(text, text.index("(", match.start()) + 1) + 1]
            says = f"`{shown}` makes of a place outside of the array the nearest one at its border"
            yield Remark(says, "what counts for a place outside, by the task: that of the border, or 0", number)
