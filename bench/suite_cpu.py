"""Where the package stands on a CPU: ``python -m bench.suite_cpu [--run]``.

``--run`` runs the races of operations, products, convolutions, small operations and training steps first, which takes
some twenty minutes on an idle machine. What is shown is the geometric mean of each kind of row and its worst row, both
against the contestant named, beside what is aimed at.
"""

from __future__ import annotations

import importlib
import json
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from . import harness
from .report import SUBJECT

RACES = ("bench_operations", "bench_matmul", "bench_conv", "bench_overhead", "bench_training")
COMPUTE = ("linear", "bmm", "attention", "causal attention")
"""Rows of the operations that arithmetic bounds, not memory."""


@dataclass(frozen=True)
class Kind:
    """Rows that are judged together.

    Attributes:
        name: as it is shown.
        results: ``bench/results/<results>.json``.
        against: the contestant.
        mean, least: the ratios aimed at, of the geometric mean and of every row; None where nothing is.
        has, lacks: beginnings of the rows' names; all rows without one.
        subject: whose times are compared.
    """

    name: str
    results: str
    against: str
    mean: float | None
    least: float | None
    has: tuple[str, ...] = ("",)
    lacks: tuple[str, ...] = ()
    subject: str = SUBJECT


COMPILED = "pyneural compiled"
WIDE = ("32x64x32x32 to 64, k3 s1", "32x128x16x16 to 128, k3 s1")
KINDS = (
    Kind("memory-bound operations", "operations", "PyTorch tuned", 2.0, 0.95, lacks=COMPUTE),
    Kind("attention, small products", "operations", "PyTorch tuned", None, None, has=COMPUTE),
    Kind("matrix products", "matmul", "NumPy", 1.0, 0.9),
    Kind("matrix products", "matmul", "PyTorch", 1.8, None),
    Kind("convolutions", "conv", "PyTorch tuned channels_last", 1.1, 0.9),
    Kind("3x3 at stride 1, 64 channels and more", "conv", "PyTorch tuned channels_last", None, 1.6, has=WIDE),
    Kind("small operations", "overhead", "PyTorch", None, 1.0),
    Kind("training steps", "training", "PyTorch tuned", None, 1.5),
    Kind("training steps", "training", "PyTorch compiled", None, 1.0),
    Kind("compiled training steps", "training", "PyTorch tuned", None, 2.0, has=("MLP", "LeNet"), subject=COMPILED),
    Kind("compiled training steps", "training", "PyTorch tuned", None, 1.6, has=("trans",), subject=COMPILED),
    Kind("compiled training steps", "training", "PyTorch compiled", None, 1.0, subject=COMPILED),
)


@dataclass(frozen=True)
class Standing:
    """A kind's rows at one number of threads: their geometric mean, and the worst row."""

    kind: Kind
    threads: int
    rows: int
    mean: float
    least: float
    worst: str

    @property
    def reached(self) -> bool:
        """Whether mean and worst row are what is aimed at."""
        return self.mean >= (self.kind.mean or 0.0) and self.least >= (self.kind.least or 0.0)


def standings(folder: pathlib.Path = harness.RESULTS, kinds: Sequence[Kind] = KINDS) -> Iterator[Standing]:
    """Each kind at each number of threads that its results have."""
    for kind in kinds:
        path = folder / f"{kind.results}.json"
        for race in json.loads(path.read_text())["races"] if path.exists() else ():
            ratios = dict(_ratios(kind, race["cases"]))
            if ratios:
                mean = math.exp(math.fsum(math.log(each) for each in ratios.values()) / len(ratios))
                worst = min(ratios, key=ratios.__getitem__)
                yield Standing(kind, race["threads"], len(ratios), mean, ratios[worst], worst)


def _ratios(kind: Kind, cases: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """How many times faster than the contestant, by row."""
    for case in cases:
        name = case["case"]
        if (
            {kind.against, kind.subject} <= case["rounds"].keys()
            and name.startswith(kind.has)
            and not (kind.lacks and name.startswith(kind.lacks))
        ):
            yield name, harness.faster(case, kind.subject, kind.against)


def table(found: Sequence[Standing]) -> Table:
    result = Table(title="times faster than each contestant in one race; what is aimed at in brackets")
    for column in ("rows", "against", "threads", "count", "geometric mean", "worst row", ""):
        result.add_column(column, justify="right" if column in ("threads", "count") else "left")
    for each in found:
        kind, colour = each.kind, "green" if each.reached else "yellow"
        result.add_row(
            kind.name, kind.against, str(each.threads), str(each.rows),
            f"[{colour}]{each.mean:.2f}[/]{_aim(kind.mean)}",
            f"[{colour}]{each.least:.2f}[/]{_aim(kind.least)}", each.worst,
        )  # fmt: skip
    return result


def _aim(value: float | None) -> str:
    return "" if value is None else f" ({value:g})"


def main() -> None:
    if "--run" in sys.argv[1:]:
        sys.argv[1:] = []
        for name in RACES:
            importlib.import_module(f"bench.{name}").main()
    Console(width=180).print(table(list(standings())))


if __name__ == "__main__":
    main()
