"""Races between libraries that are fair: same inputs, interleaved rounds, results checked before and after.

Every contestant lives in a process of its own, because thread pools of several libraries in one process
spin against each other, and because some are tuned by environment variables. One process works at a
time; the others wait for a line on their standard input, and `PAUSE` lets the threads of the one before
fall asleep. A contestant whose result is wrong before or after its timing is not timed but refused.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"

PAUSE = 0.05
"""Seconds between contestants: OpenBLAS's threads spin for some 20 ms after their last work."""

TOLERANCE = 1e-5
"""Largest error of float32 results, relative to the largest element of the float64 reference."""

Run = Callable[[], Any]


@dataclass(frozen=True)
class Contestant:
    """A library in a process of its own.

    Attributes:
        name: as it is shown.
        kind: what the benchmark's ``prepare`` is told.
        environment: variables set for the process; None removes one.
    """

    name: str
    kind: str
    environment: dict[str, str | None]


@dataclass(frozen=True)
class Case:
    """One computation.

    Attributes:
        name: as it is shown.
        work: floating-point operations of one call.
        options: what ``prepare`` and ``truth`` are told, JSON values.
    """

    name: str
    work: float
    options: dict[str, Any]


Prepare = Callable[[str, dict[str, Any]], tuple[Run, Callable[[Any], np.ndarray]]]


def serve(prepare: Prepare, describe: Callable[[str], dict[str, Any]]) -> None:
    """The contestant's side: answer the requests on standard input, one JSON object a line."""
    kind = sys.argv[2]
    run: Run = lambda: None  # noqa: E731
    to_numpy: Callable[[Any], np.ndarray] = np.asarray
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        if request["do"] == "describe":
            answer = describe(kind)
        elif request["do"] == "prepare":
            run, to_numpy = prepare(kind, request["options"])
        elif request["do"] == "verify":
            answer["error"] = relative_error(to_numpy(run()), np.load(request["truth"]))
        else:
            times = []
            for _ in range(request["calls"]):
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
            answer["times"] = times
        print(json.dumps(answer), flush=True)


def relative_error(result: np.ndarray, truth: np.ndarray) -> float:
    """The largest error relative to the largest element of ``truth``; infinite for a wrong shape or a NaN."""
    if result.shape != truth.shape:
        return float("inf")
    error = float(np.max(np.abs(result - truth))) / float(np.max(np.abs(truth)))
    return error if np.isfinite(error) else float("inf")


class _Process:
    def __init__(self, module: str, contestant: Contestant, threads: int) -> None:
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
            environment[name] = str(threads)
        for name, value in contestant.environment.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--contestant", contestant.kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the contestant {self._process.args!r} ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def race(
    module: str,
    contestants: Sequence[Contestant],
    cases: Iterable[Case],
    truth: Callable[[dict[str, Any]], np.ndarray],
    *,
    threads: int,
    rounds: int,
    round_seconds: float,
) -> dict[str, Any]:
    """Time every contestant on every case with so many threads.

    Args:
        module: the benchmark, run as ``python -m module --contestant kind`` for each contestant.
        truth: the float64 reference's result of a case's options.
        rounds: each contestant's turns for a case.
        round_seconds: about how long a turn lasts, measured on its first calls.

    Returns:
        What the contestants say of themselves, and for each case, in seconds, the medians and
        the best of all calls, and the errors.

    Raises:
        ArithmeticError: a contestant's result is wrong.
    """
    processes = {each.name: _Process(module, each, threads) for each in contestants}
    report: dict[str, Any] = {
        "threads": threads,
        "contestants": {name: process.ask(do="describe") for name, process in processes.items()},
        "cases": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for case in track(list(cases), description=f"{module}, {threads} threads"):
            path = str(pathlib.Path(folder) / "truth.npy")
            np.save(path, truth(case.options))
            times: dict[str, list[float]] = {name: [] for name in processes}
            errors: dict[str, float] = {}
            calls: dict[str, int] = {}
            for name, process in processes.items():
                process.ask(do="prepare", options=case.options)
                errors[name] = _verified(process, name, case, path)
                first = statistics.median(process.ask(do="time", calls=3)["times"])
                calls[name] = max(3, min(200, int(round_seconds / first)))
            for _ in range(rounds):
                for name, process in processes.items():
                    time.sleep(PAUSE)
                    # The first call of a turn wakes the threads and fills the caches.
                    times[name] += process.ask(do="time", calls=1 + calls[name])["times"][1:]
            for name, process in processes.items():
                errors[name] = max(errors[name], _verified(process, name, case, path))
            report["cases"].append(
                {
                    "case": case.name,
                    "work": case.work,
                    "seconds": {name: statistics.median(each) for name, each in times.items()},
                    "best": {name: min(each) for name, each in times.items()},
                    "calls": {name: len(each) for name, each in times.items()},
                    "error": errors,
                }
            )
    for process in processes.values():
        process.close()
    return report


def _verified(process: _Process, name: str, case: Case, path: str) -> float:
    error = float(process.ask(do="verify", truth=path)["error"])
    if not error <= TOLERANCE:
        raise ArithmeticError(f"{name}, {case.name}: error {error:.3g} is above {TOLERANCE:.3g}")
    return error


def versions(*packages: str) -> dict[str, str]:
    """The versions of installed packages."""
    return {name: metadata.version(name) for name in packages}


def machine() -> dict[str, Any]:
    """What was measured on: processor, system, versions, commit, time."""
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


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
