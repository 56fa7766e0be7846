"""A run of ``pyneural bench``: which cases, the race, and what is made of its times."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import contestants as on_host
from . import gpu_contestants as on_gpu
from . import machine, race
from .contestants import ENVIRONMENT, RIVALS, SUBJECT, Kind
from .workloads import DEFAULT, TOLERANCES, WORKLOADS, dtype_named, truth

FORMAT = 2
"""Of the JSON; `load` refuses others."""

ROUNDS = 10
"""Turns of every contestant in every case, at least."""

ROUND_SECONDS = 0.01

SECONDS = 40.0
"""While so many are not over, cases whose ratios are not known well enough have further turns (`race.race`). Where more
are allowed, the contestants are started anew after about so many."""

KINDS: dict[str, dict[str, Kind]] = {"cpu": on_host.KINDS, "cuda": on_gpu.KINDS}
"""The contestants, by device."""

MODULES = {"cpu": on_host.MODULE, "cuda": on_gpu.MODULE}
USUAL = {"cpu": ("numpy", "torch"), "cuda": ("cublas", "torch")}
CLOCKS = {"cpu": "wall clock", "cuda": "CUDA events around a call"}
REPLAY = "CUDA events around the replay of a graph"


class Unknown(ValueError):
    """What was asked for is not there; the message lists what is."""


def operations(names: Sequence[str]) -> list[str]:
    """The operations of these names, without any the usual ones; `Unknown` for others."""
    return _chosen("operation", names or DEFAULT, WORKLOADS)


def contestants(names: Sequence[str] | None, device: str = "cpu") -> list[str]:
    """The contestants of these names, each installed; None stands for those of `USUAL` that are."""
    kinds = KINDS[device]
    if names is None:
        return [name for name in USUAL[device] if not kinds[name].missing()]
    chosen = _chosen("contestant", names, {name: kind for name, kind in kinds.items() if name != SUBJECT})
    for name in chosen:
        if missing := kinds[name].missing():
            raise Unknown(f"{name} cannot take part: {', '.join(missing)} is not installed")
    return chosen


def sizes(text: str) -> tuple[int, ...]:
    """``256:2048`` as the powers of two between, ``100,300`` as it is; `Unknown` for anything else."""
    first, colon, last = text.partition(":")
    try:
        found = (
            tuple(1 << i for i in range(24) if int(first) <= 1 << i <= int(last))
            if colon
            else tuple(int(each) for each in text.split(","))
        )
    except ValueError:
        found = ()
    if not found or min(found) < 2:
        raise Unknown(f"sizes (={text!r}) must be like 256:4096, for the powers of two between, or like 100,300")
    return tuple(sorted(set(found)))


def _chosen(what: str, names: Sequence[str], known: dict[str, Any]) -> list[str]:
    for name in names:
        if name not in known:
            raise Unknown(f"there is no {what} {name!r}; there are {', '.join(known)}")
    return list(dict.fromkeys(names))


def cases(
    names: Sequence[str],
    dtypes: Sequence[str],
    asked: tuple[int, ...] | None,
    against: Sequence[str],
    seed: int,
    device: str = "cpu",
    *,
    replay: bool = False,
) -> list[race.Case]:
    """Every operation in every dtype and size, with the contestants that have it."""
    kinds, found = KINDS[device], []
    for name, dtype in itertools.product(names, dtypes):
        workload = WORKLOADS[name]
        able = (SUBJECT, *(each for each in against if kinds[each].has(workload) and dtype in kinds[each].dtypes))
        for size in asked or workload.sizes:
            options = {"operation": name, "size": size, "dtype": dtype, "seed": seed, "replay": replay}
            found.append(race.Case(f"{name} {size} {dtype}", workload.flops(size), options, TOLERANCES[dtype], able))
    return found


def run(
    names: Sequence[str],
    dtypes: Sequence[str],
    asked: tuple[int, ...] | None,
    against: Sequence[str],
    threads: int,
    *,
    device: str = "cpu",
    replay: bool = False,
    module: str | None = None,
    rounds: int = 0,
    seconds: float = SECONDS,
    round_seconds: float = ROUND_SECONDS,
) -> dict[str, Any]:
    """Race pyneural on a device, "cpu" or "cuda" (there with ``replay`` as a graph), against the contestants.

    ``rounds`` are the turns of each in every case; where that is 0, `ROUNDS` and what ``seconds`` allow.

    Returns:
        The report that is written as JSON: machine, clocks before and after, ceilings, and a row for each case.

    Raises:
        ArithmeticError: somebody's result is wrong.
    """
    on_card = device == "cuda"
    turns = rounds or ROUNDS
    # A GPU's memory does not hold the inputs of every case.
    passes = 1 if on_card else turns
    starts = 1 if rounds or on_card else max(1, round(seconds / SECONDS))
    before, stamp = machine.clocks(on_card), machine.machine()
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    wanted = cases(names, dtypes, asked, against, seed, device, replay=replay)
    report = race.race(
        module or MODULES[device],
        [race.Contestant(SUBJECT, SUBJECT, ENVIRONMENT), *(race.Contestant(each, each, RIVALS) for each in against)],
        wanted,
        truth,
        threads=threads,
        rounds=turns // passes,
        passes=passes,
        seconds=0.0 if rounds or on_card else seconds / starts,
        starts=starts,
        round_seconds=round_seconds,
    )
    described = report["contestants"][SUBJECT]
    ceilings = described.pop("ceilings")
    if on_card:
        stamp["card"] = described.pop("card")
    return {
        "format": FORMAT,
        "machine": stamp,
        "device": device,
        "timing": REPLAY if replay else CLOCKS[device],
        "clocks": {"before": before, "after": machine.clocks(on_card)},
        "threads": threads,
        "contestants": report["contestants"],
        "ceilings": ceilings,
        "rows": [_row(case, timed, ceilings) for case, timed in zip(wanted, report["cases"], strict=True)],
    }


def _row(case: race.Case, timed: dict[str, Any], ceilings: dict[str, Any]) -> dict[str, Any]:
    options, peaks = case.options, ceilings["flops"]
    nbytes = WORKLOADS[options["operation"]].nbytes(options["size"], dtype_named(options["dtype"]))
    # Where a half's ceiling is not known it is not below float32's: what memory bounds there, it bounds here.
    computing, moving = case.work / peaks.get(options["dtype"], peaks["float32"]), nbytes / ceilings["bytes"]
    known = options["dtype"] in peaks or moving >= computing
    rounds = timed["rounds"]
    return {
        **{key: options[key] for key in ("operation", "size", "dtype")},
        "flops": case.work,
        "bytes": nbytes,
        "bound": "flops" if computing > moving else "bytes",
        "share": max(computing, moving) / timed["seconds"][SUBJECT] if known else None,
        "ratio": {name: race.ratio(rounds[name], rounds[SUBJECT])._asdict() for name in rounds if name != SUBJECT},
        **{key: timed[key] for key in ("seconds", "quartiles", "rounds", "calls", "error")},
    }


def write(path: pathlib.Path, report: dict[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n")


def load(path: pathlib.Path) -> dict[str, Any]:
    """A report that `write` wrote; `Unknown` for any other file."""
    try:
        report = json.loads(path.read_text())
    except ValueError as error:
        raise Unknown(f"{path} is no JSON: {error}") from None
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise Unknown(f"{path} is no report of `pyneural bench` in format {FORMAT}")
    return report
