"""The races of `pyneural.bench.race` in this checkout: where their results lie, and how they are shown."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pyneural.bench import race as _race
from pyneural.bench.machine import last_level_cache, machine, versions
from pyneural.bench.race import TOLERANCE, Case, Contestant, relative_error
from pyneural.bench.subjects import MOST_BYTES, MOST_SETS, Server, Subject, serve, sets

__all__ = [
    "MOST_BYTES", "MOST_SETS", "RESULTS", "ROOT", "TOLERANCE", "Case", "Contestant", "Server", "Subject",
    "last_level_cache", "machine", "race", "relative_error", "serve", "sets", "shared_result", "show", "versions",
    "write",
]  # fmt: skip

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"

race = functools.partial(_race.race, folder=ROOT)
"""`pyneural.bench.race.race` of contestants that are modules of this checkout."""


@functools.cache
def shared_result(shape: tuple[int, ...]) -> np.ndarray:
    """Where a contestant that is given an array writes all results: as near as what a library uses again and again."""
    return np.full(shape, np.nan, np.float32)


def write(name: str, reports: list[dict[str, Any]]) -> pathlib.Path:
    """Write ``bench/results/<name>.json``; its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), "races": reports}, indent=1) + "\n")
    return path


def show(title: str, report: dict[str, Any], subject: str) -> None:
    """Print a race: microseconds, GFLOP/s of the subject, and how many times faster it is than each other."""
    table = Table(title=f"{title}, {report['threads']} threads: microseconds (times faster {subject} is)")
    names = list(report["contestants"])
    for column in ("case", *names, f"{subject} GFLOP/s"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case in report["cases"]:
        seconds = case["seconds"]
        row = [case["case"]]
        for name in names:
            ratio = "" if name == subject else f" ({seconds[name] / seconds[subject]:.2f})"
            row.append(f"{1e6 * seconds[name]:.0f}{ratio}")
        row.append(f"{case['work'] / seconds[subject] / 1e9:.0f}")
        table.add_row(*row)
    Console(width=150).print(table)
