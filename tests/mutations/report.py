"""The table of mutations, for the terminal and for `docs/mutations.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .copies import ROOT
from .run import CAUGHT, Verdict

DOCUMENT = ROOT / "docs" / "mutations.md"


def summary(verdicts: Sequence[Verdict]) -> str:
    """``120 mutations: 119 caught, 1 SURVIVED``"""
    counts = Counter(verdict.kind for verdict in verdicts)
    return f"{len(verdicts)} mutations: " + ", ".join(f"{count} {kind}" for kind, count in counts.most_common())


def table(verdicts: Sequence[Verdict]) -> str:
    """Aligned columns: name, file, and the test that noticed or what happened instead."""
    results = [each.test if each.kind == CAUGHT else f"{each.kind}: {each.detail}" for each in verdicts]
    rows = [(each.mutation.name, each.mutation.file, result) for each, result in zip(verdicts, results, strict=True)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {file:{widths[1]}}  {result}" for name, file, result in rows)


def document(verdicts: Sequence[Verdict]) -> str:
    """The text of `docs/mutations.md`."""
    lines = [
        "# Mutations: what the generated tests catch",
        "",
        "Each row is a mistake made on purpose in one place of one kernel or derivative. `python -m tests.mutations`",
        "makes them one by one in a copy of the package and runs the tests that are generated from the contracts of",
        "the operations named. The first test that failed is named, and the commit whose files were made wrong. A",
        "mistake that only fails to compile or to load does not count. `--only NAME` shows one, `--write` writes this",
        "page anew; with `--record FILE` a run that was broken off goes on where it stopped.",
        "",
        f"{summary(verdicts)}.",
        "",
        "| Mutation | File | Operations | Noticed by | Commit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for verdict in verdicts:
        mutation = verdict.mutation
        result = f"`{verdict.test}`" if verdict.kind == CAUGHT else f"**{verdict.kind}**"
        operations = ", ".join(mutation.operations)
        lines.append(f"| {mutation.name} | `{mutation.file}` | {operations} | {result} | {verdict.commit} |")
    return "\n".join(lines) + "\n"
