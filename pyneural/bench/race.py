"""Races between libraries that are fair: same inputs, interleaved rounds, results of timed calls checked.

Every contestant lives in a process of its own, because thread pools of several libraries in one process
spin against each other, and because some are tuned by environment variables. One process runs at a time: the
others are stopped by a signal, with all of their threads, until it is their turn. Threads of OpenMP keep to a core
each: two that spin on one core cost each call a scheduler's slice.

A contestant is refused, not timed, where a result is wrong: of the last timed call, and before and after the
timing on inputs that were written anew in the same memory, of which then a few elements change once more.
After each timed call a few elements of its inputs change too, and the calls go round through inputs of
several times the last-level cache: whoever returns what it returned before, leaves out work on inputs it
takes for known ones, or finds them in the cache, is refused or gains nothing by it. Results that are nobody
else's memory become NaN once they have been looked at: whoever gets that memory again must write all of it.

A turn begins with calls that do not count, for threads to wake and cores to come to their speed; and its results lie
elsewhere than those of the turn before, for where memory happens to lie is part of a time (`subjects`).
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import track

from .subjects import Server

PAUSE = 0.05
"""Seconds between contestants that cannot be stopped, as they share a process or the system has no signal for it:
OpenBLAS's threads spin for some 20 ms after their last work."""

WARM = 0.01
"""Seconds at the beginning of a turn that do not count: threads wake, and cores that were idle come to their speed."""

STOPS = hasattr(signal, "SIGSTOP")

TOLERANCE = 1e-5
"""Largest error of float32 results, relative to the largest element of the float64 reference."""


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
        tolerance: the largest error, relative to the largest element of the reference.
        contestants: the names of those who take part; all, where it is None.
    """

    name: str
    work: float
    options: dict[str, Any]
    tolerance: float = TOLERANCE
    contestants: tuple[str, ...] | None = None


Truth = Callable[[dict[str, Any], tuple[np.ndarray, ...]], np.ndarray]


def relative_error(result: np.ndarray, truth: np.ndarray) -> float:
    """The largest error relative to the largest element of ``truth``; infinite for a wrong shape or a NaN."""
    if result.shape != truth.shape:
        return float("inf")
    error = float(np.max(np.abs(result - truth))) / float(np.max(np.abs(truth)))
    return error if np.isfinite(error) else float("inf")


class _Process:
    def __init__(self, module: str, contestant: Contestant, threads: int, folder: pathlib.Path | None) -> None:
        environment = {"OMP_PROC_BIND": "true", **os.environ}
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
            cwd=folder,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._go_on()
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the contestant {self._process.args!r} ended with status {self._process.wait()}")
        if STOPS:
            self._process.send_signal(signal.SIGSTOP)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _go_on(self) -> None:
        if STOPS:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._go_on()
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def race(
    module: str,
    contestants: Sequence[Contestant],
    cases: Iterable[Case],
    truth: Truth,
    *,
    threads: int,
    rounds: int,
    round_seconds: float,
    passes: int = 1,
    folder: pathlib.Path | None = None,
) -> dict[str, Any]:
    """Time every contestant on every case with so many threads.

    Args:
        module: the benchmark, run as ``python -m module --contestant kind`` for each contestant.
        truth: the float64 reference's result for a case's options and inputs.
        rounds: each contestant's turns for a case, in each pass.
        round_seconds: about how long a turn lasts, measured on its first calls.
        passes: how often all cases are gone through. A machine with neighbours is in one state for seconds: turns that
            are spread over the whole race meet several. More than one keeps the inputs of all cases in memory.
        folder: where the contestants run, from where their ``module`` is found; here without it.

    Returns:
        What the contestants say of themselves, and for each case, in seconds, the medians,
        the best and the quartiles of all calls, the medians of each round, and the errors.

    Raises:
        ArithmeticError: a contestant's result is wrong.
    """
    with contextlib.ExitStack() as stack:
        exchange = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        processes: dict[str, _Process] = {}
        described = {}
        for each in contestants:  # one after the other: the first measures ceilings
            process = _Process(module, each, threads, folder)
            processes[each.name] = stack.enter_context(contextlib.closing(process))
            described[each.name] = process.ask(do="describe")
        judge = _Judge(truth, exchange)
        pause = 0.0 if STOPS else PAUSE
        heats = [_Heat(processes, case, judge, round_seconds, pause, keep=passes > 1) for case in cases]
        turns = [(each, number) for number in range(passes) for each in heats]
        for heat, number in track(turns, description=f"{module}, {threads} threads"):
            heat.run(rounds, last=number == passes - 1)
        return {"threads": threads, "contestants": described, "cases": [each.report() for each in heats]}


def race_here(
    servers: dict[str, Server], case: Case, truth: Truth, *, rounds: int, round_seconds: float
) -> dict[str, Any]:
    """`race` on one case between contestants in this process: for one library with itself, whose threads they share."""
    with tempfile.TemporaryDirectory() as exchange:
        heat = _Heat(servers, case, _Judge(truth, pathlib.Path(exchange)), round_seconds, PAUSE)
        heat.run(rounds, last=True)
        return heat.report()


class _Heat:
    """One case: its contestants, and what was measured of them."""

    def __init__(
        self,
        processes: Mapping[str, _Process | Server],
        case: Case,
        judge: _Judge,
        round_seconds: float,
        pause: float,
        *,
        keep: bool = False,
    ) -> None:
        if case.contestants is not None:
            processes = {name: processes[name] for name in case.contestants}
        self._processes, self._case, self._judge = processes, case, judge
        self._round_seconds, self._pause, self._keep = round_seconds, pause, keep
        self._turns: dict[str, list[list[float]]] = {name: [] for name in processes}
        self._errors: dict[str, float] = {}
        self._calls: dict[str, int] = {}

    def run(self, rounds: int, *, last: bool) -> None:
        """Turns of every contestant, judged before the first of all and after the ``last``.

        The result of a timed call is judged at once: another contestant in this process may share its inputs.
        """
        seed = self._judge.seed()
        for name, process in self._processes.items():
            process.ask(do="prepare", options=self._case.options, keep=self._keep)
            if name not in self._calls:
                self._judged(name, {"do": "fresh", "seed": seed})
                first = statistics.median(process.ask(do="time", calls=3)["times"])
                self._calls[name] = max(2, min(200, int(self._round_seconds / first)))
        for turn in range(rounds):
            for name, process in self._processes.items():
                time.sleep(self._pause)
                self._turns[name].append(process.ask(do="time", calls=self._calls[name], warm=WARM)["times"])
                if last and turn == rounds - 1:
                    self._judged(name, {"do": "last"})
        if last:
            seed = self._judge.seed()
            for name in self._processes:
                self._judged(name, {"do": "fresh", "seed": seed})

    def _judged(self, name: str, request: dict[str, Any]) -> None:
        error = self._judge.error(self._processes[name], name, self._case, request)
        self._errors[name] = max(error, self._errors.get(name, 0.0))

    def report(self) -> dict[str, Any]:
        """What `race` returns for the case."""
        times = {name: [seconds for turn in each for seconds in turn] for name, each in self._turns.items()}
        return {
            "case": self._case.name,
            "work": self._case.work,
            "seconds": {name: statistics.median(each) for name, each in times.items()},
            "best": {name: min(each) for name, each in times.items()},
            "quartiles": {name: statistics.quantiles(each)[::2] for name, each in times.items()},
            "rounds": {name: [statistics.median(turn) for turn in each] for name, each in self._turns.items()},
            "calls": {name: len(each) for name, each in times.items()},
            "error": self._errors,
        }


class _Judge:
    """Compares what contestants leave in a folder with the truth."""

    def __init__(self, truth: Truth, folder: pathlib.Path) -> None:
        self._truth, self._folder, self._seeds = truth, folder, np.random.default_rng()
        self._known: tuple[Case, list[np.ndarray], np.ndarray] | None = None

    def seed(self) -> int:
        """Of inputs that nobody has seen: the same for all contestants, who then share a truth."""
        return int(self._seeds.integers(1 << 31))

    def error(self, process: _Process | Server, name: str, case: Case, request: dict[str, Any]) -> float:
        """The error of the result that the request makes a contestant leave; ArithmeticError where it is wrong."""
        options = process.ask(**request, folder=str(self._folder))["options"]
        with np.load(self._folder / "inputs.npz") as arrays:
            inputs = [arrays[each] for each in arrays.files]
        error = relative_error(np.load(self._folder / "result.npy"), self._true(case, options, inputs))
        if not error <= case.tolerance:
            seed = request.get("seed", options["seed"])
            raise ArithmeticError(f"{name}, {case.name}: error {error:.3g} is above {case.tolerance:.3g} (seed {seed})")
        return error

    def _true(self, case: Case, options: dict[str, Any], inputs: list[np.ndarray]) -> np.ndarray:
        """The truth, which is computed anew unless these are, number for number, the inputs of the time before."""
        if self._known is not None:
            before, given, found = self._known
            if before is case and all(np.array_equal(*each) for each in zip(inputs, given, strict=True)):
                return found
        found = self._truth(options, tuple(each.astype(np.float64) for each in inputs))
        self._known = case, inputs, found
        return found
