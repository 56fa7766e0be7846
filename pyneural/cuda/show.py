"""Reports and profiles for people: tables and annotated sources, on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from .findings import Finding, Report

if TYPE_CHECKING:
    from .profile import Profile

CONTEXT = 2
"""Lines of the source shown above and below one with a finding."""


def report(found: Report, sources: Mapping[str, str]) -> list[RenderableType]:
    """The findings as a table, and the lines they stand on. `sources` are the texts by file."""
    if found.ok:
        return [Text("no findings", style="bold green")]
    parts: list[RenderableType] = []
    if found.findings:
        parts.append(findings(found.findings))
        files = dict.fromkeys(finding.file for finding in found.findings if finding.file in sources)
        parts += [annotated(sources[file], file, found.findings) for file in files]
    if found.failure:
        parts.append(Text(f"ended early: {found.failure}", style="bold red"))
    return parts


def findings(found: Iterable[Finding]) -> Table:
    """One row for each finding."""
    table = Table(title="findings", title_justify="left")
    table.add_column("line", justify="right")
    table.add_column("kind", style="bold red", no_wrap=True)
    table.add_column("block")
    table.add_column("thread")
    table.add_column("what happened", overflow="fold")
    for finding in found:
        times = f" ({finding.count} times)" if finding.count > 1 else ""
        row = (str(finding.line), finding.kind, _short(finding.block), _short(finding.thread), finding.message + times)
        table.add_row(*(Text(cell) for cell in row))
    return table


def annotated(source: str, file: str, found: Iterable[Finding]) -> Text:
    """The lines of a source around its findings, each followed by what is wrong with it."""
    lines = source.rstrip("\n").split("\n")
    notes: dict[int, list[str]] = {}
    shown: set[int] = set()
    for finding in found:
        if finding.file != file or not finding.line:
            continue
        notes.setdefault(finding.line, []).append(finding.kind)
        if finding.other_line and finding.other_line != finding.line:
            notes.setdefault(finding.other_line, []).append(f"{finding.kind}, with line {finding.line}")
    for line in notes:
        shown.update(range(max(1, line - CONTEXT), min(len(lines), line + CONTEXT) + 1))
    text = Text(f"{file}\n", style="bold")
    width = len(str(max(shown, default=1)))
    last = 0
    for number in sorted(shown):
        if last and number > last + 1:
            text.append(f"{'':>{width}} ...\n", style="dim")
        last = number
        mark = number in notes
        text.append(f"{number:>{width}} {'>' if mark else '|'} ", style="bold red" if mark else "dim")
        text.append(lines[number - 1], style="bold" if mark else "not bold")
        if mark:
            text.append(f"   <-- {'; '.join(dict.fromkeys(notes[number]))}", style="bold red")
        text.append("\n")
    text.rstrip()
    return text


def profile(counts: Profile) -> list[RenderableType]:
    """The counters as a table without columns of nothing but 0, and the source with what each line costs."""
    table = counts.table()
    table.columns = [column for column in table.columns if any(cell != "0" for cell in column.cells)]
    return [table, Text(counts.annotated())]


def put(console: Console, parts: Iterable[RenderableType]) -> None:
    """Prints tables as wide as the terminal, and lines of source as long as they are."""
    for part in parts:
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))


def _short(place: tuple[int, int, int]) -> str:
    return ", ".join(map(str, place[: 3 if place[2] else 2 if place[1] else 1]))
