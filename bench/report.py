"""The README's tables from ``bench/results/*.json``: ``python -m bench.report`` writes them, ``--check`` compares."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from . import harness

README = harness.ROOT / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
TITLES = {
    "matmul": "Matrix product, float32",
    "conv": "Convolution, float32, forward and both gradients",
    "overhead": "Small operations: what a call costs",
    "training": "Whole training steps, float32",
    "operations": "Operations, float32, forward and with the gradient",
}
LADDERS = {
    "ladder": (
        "**The ladder of the matrix product on a CPU** (`kernels/matmul/ladder_cpu.py`), float32. Speed as a share of "
        "NumPy's OpenBLAS",
        "NumPy",
    ),
    "conv_ladder": (
        "**The ladder of the convolution on a CPU** (`kernels/conv/ladder_cpu.py`), float32, 3x3. Speed as a share of "
        "PyTorch's with channels_last tensors and an allocator that keeps memory",
        "PyTorch",
    ),
}
"""A CPU's ladders by the names of their results: what they are, and whom they are held against."""

SUBJECT = "pyneural"


def tables(folder: pathlib.Path = harness.RESULTS) -> str:
    """Every result as a Markdown table: how many times faster pyneural is than each contestant, and its memory."""
    parts = []
    for name, title in TITLES.items():
        path = folder / f"{name}.json"
        if path.exists():
            parts.append(_table(title, json.loads(path.read_text())))
    path = folder / "memory.json"
    if path.exists():
        parts.append(_memory(json.loads(path.read_text())))
    for name, (title, rival) in LADDERS.items():
        path = folder / f"{name}.json"
        if path.exists():
            parts.append(_ladder(title, rival, json.loads(path.read_text())))
    return "\n\n".join(parts) if parts else "No benchmark has been run yet."


def _table(title: str, result: dict[str, Any]) -> str:
    columns: list[tuple[dict[str, Any], str]] = [
        (race, name) for race in result["races"] for name in race["contestants"] if name != SUBJECT
    ]
    heads = [f"{name}, {_threads(race)}" for race, name in columns]
    lines = [
        f"**{title}.** Times faster than each contestant (below 1: slower). {_where(result)}.",
        "",
        "| case | " + " | ".join(heads) + " |",
        "|---|" + "---:|" * len(heads),
    ]
    for i, case in enumerate(result["races"][0]["cases"]):
        ratios = []
        for race, name in columns:
            raced = race["cases"][i]
            ratios.append(f"{harness.faster(raced, SUBJECT, name):.2f}" if name in raced["rounds"] else "")
        lines.append(f"| {case['case']} | " + " | ".join(ratios) + " |")
    details = sorted(
        {_described(name, race["contestants"][name]) for race in result["races"] for name in race["contestants"]}
    )
    return "\n".join([*lines, "", f"Contestants: {'; '.join(details)}."])


def _memory(result: dict[str, Any]) -> str:
    """What each contestant of `bench.bench_memory` holds at most."""
    names = list(result["contestants"])
    lines = [
        "**Peak memory of training steps, float32.** MiB of pages at most, above a process that has loaded all code "
        "and holds no model; kept are parameters, gradients and the optimizer's state. "
        f"{result['threads']} threads, {_where(result)}.",
        "",
        "| case | kept | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for case in result["cases"]:
        found = (case["kept"], *(case["bytes"][name] for name in names))
        lines.append(f"| {case['case']} | " + " | ".join(f"{each / 2**20:.1f}" for each in found) + " |")
    return "\n".join(lines)


def _where(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return f"{machine['processor']}, {machine['cores']} cores, {machine['time'][:10]}, commit {machine['commit']}"


def _ladder(title: str, rival: str, result: dict[str, Any]) -> str:
    """A CPU's ladder: a row for each rung, how many times faster than the ``rival`` it is at each size."""
    names = [case["case"] for case in result["races"][0]["cases"]]
    lines = [
        f"{title} on as many threads. {_where(result)}.",
        "",
        "| rung | threads | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for race in result["races"]:
        for rung in (name for name in race["contestants"] if name != rival):
            shares = (
                f"{harness.faster(case, rung, rival):.3f}" if rung in case["rounds"] else "" for case in race["cases"]
            )
            lines.append(f"| {rung} | {race['threads']} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def _threads(race: dict[str, Any]) -> str:
    return f"{race['threads']} thread" + ("s" if race["threads"] > 1 else "")


def _described(name: str, facts: dict[str, Any]) -> str:
    values = [f"{key} {value if not isinstance(value, list) else ', '.join(value)}" for key, value in facts.items()]
    return f"{name} ({', '.join(values)})"


def rewritten(text: str, content: str, begin: str = BEGIN, end: str = END, name: str = README.name) -> str:
    """The ``text`` of the page ``name`` with ``content`` between its markers."""
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"report: {begin} and {end} are not both in {name}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def main() -> int:
    text = README.read_text()
    wanted = rewritten(text, tables())
    if "--check" in sys.argv[1:]:
        if text != wanted:
            print("the README's benchmark tables are stale: run python -m bench.report", file=sys.stderr)
            return 1
        return 0
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
