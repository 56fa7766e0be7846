"""The races of `pyneural.bench.race` in this checkout: where their results lie, and how they are shown."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pyneural.bench import race as _race
from pyneural.bench.machine import last_level_cache, machine, versions
from pyneural.bench.race import TOLERANCE, Case, Contestant, Truth, ratio, relative_error
from pyneural.bench.subjects import MOST_BYTES, MOST_SETS, Server, Subject, serve, sets

__all__ = [
    "MOST_BYTES", "MOST_SETS", "RESULTS", "ROOT", "TOLERANCE", "Case", "Contestant", "Server", "Subject", "climb",
    "faster", "last_level_cache", "machine", "race", "relative_error", "serve", "sets", "shared_result", "show",
    "versions", "write",
]  # fmt: skip

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"

race = functools.partial(_race.race, folder=ROOT)
"""`pyneural.bench.race.race` of contestants that are modules of this checkout."""


def climb(
    module: str,
    rungs: Sequence[Contestant],
    rival: Contestant,
    cases: Sequence[Case],
    truth: Truth,
    seconds: float = 0.1,
) -> list[dict[str, Any]]:
    """Race the rungs of a CPU's ladder: on one thread all but the last, and that on two, each time beside the rival.

    The last has more rounds, for it is close. A turn lasts ``seconds``. A case's ``contestants`` are those of the race
    on one thread.
    """
    *serial, last = rungs
    close = [dataclasses.replace(each, contestants=None) for each in cases]
    reports = [
        race(module, [*serial, rival], cases, truth, threads=1, rounds=6, round_seconds=seconds),
        race(module, [last, rival], close, truth, threads=2, rounds=24, round_seconds=seconds),
    ]
    for report, each in zip(reports, (serial[-1], last), strict=True):
        show("the ladder", report, each.name)
    return reports


@functools.cache
def shared_result(shape: tuple[int, ...]) -> np.ndarray:
    """Where a contestant that is given an array writes all results: as near as what a library uses again and again."""
    return np.full(shape, np.nan, np.float32)


def faster(case: dict[str, Any], subject: str, other: str) -> float:
    """How many times faster than the ``other`` a contestant was: `ratio`'s mean over the rounds of a race's case."""
    return ratio(case["rounds"][other], case["rounds"][subject]).mean


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
            times = "" if name == subject or name not in seconds else f" ({faster(case, subject, name):.2f})"
            row.append(f"{1e6 * seconds[name]:.0f}{times}" if name in seconds else "")
        row.append(f"{case['work'] / seconds[subject] / 1e9:.0f}")
        table.add_row(*row)
    Console(width=150).print(table)
