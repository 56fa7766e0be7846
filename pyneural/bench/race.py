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
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rich.progress import Progress

from .subjects import Server, left

PAUSE = 0.05
"""Seconds between contestants that cannot be stopped, as they share a process or the system has no signal for it:
OpenBLAS's threads spin for some 20 ms after their last work."""

WARM = 0.01
"""Seconds at the beginning of a turn that do not count: threads wake, and cores that were idle come to their speed."""

STOPS = hasattr(signal, "SIGSTOP")

KNOWN = 0.007
"""Standard error of a ratio, relative to it, that more turns need not better."""

CHUNK = 1 << 16
"""Elements that are compared at a time, for what is computed of them to stay in a cache."""

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


class Ratio(NamedTuple):
    """How many times faster one contestant was than another, over rounds in each of which both were timed.

    Attributes:
        mean: geometric, of the middle half of the rounds' ratios. Where memory lies gives a computation two or three
            speeds: a median of the rounds would jump from one to the other.
        low: the first quartile.
        high: the third.
        error: standard error of ``mean``, relative to it: the deviation of all, the outer ones drawn in to the middle
            half's ends, over that half's share and the root of their number (Tukey and McLaughlin, "Less vulnerable
            confidence and significance procedures for location", 1963).
    """

    mean: float
    low: float
    high: float
    error: float


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    """From the times of two rounds or more."""
    logs = np.sort(np.log(theirs) - np.log(ours))
    cut = len(logs) // 4
    middle = logs[cut : len(logs) - cut]
    deviation = np.clip(logs, middle[0], middle[-1]).std(ddof=1)
    error = deviation * math.sqrt(len(logs)) / len(middle)
    mean, low, high = np.exp((middle.mean(), *np.quantile(logs, (0.25, 0.75))))
    return Ratio(float(mean), float(low), float(high), float(error))


def relative_error(result: np.ndarray, truth: np.ndarray) -> float:
    """The largest error relative to the largest element of ``truth``; infinite for a wrong shape or a NaN."""
    if result.shape != truth.shape:
        return float("inf")
    largest = largest_error = 0.0
    for start in range(0, truth.size, CHUNK):
        true = np.ravel(truth)[start : start + CHUNK]
        difference = np.ravel(result)[start : start + CHUNK] - true
        # Not by Python's max, which may pass over a NaN.
        largest_error = float(np.maximum(largest_error, np.max(np.abs(difference, out=difference))))
        largest = float(np.maximum(largest, np.max(np.abs(true))))
    error = largest_error / largest
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
        self.tell(**request)
        return self.hear()

    def tell(self, **request: Any) -> None:
        """`ask`, without waiting for the answer."""
        assert self._process.stdin is not None
        self._go_on()
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The answer to what was told last; then the process is stopped."""
        assert self._process.stdout is not None
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
    seconds: float = 0.0,
    starts: int = 1,
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
        seconds: before the last of several passes others begin until so long after the first one's beginning, of the
            half of the cases whose times relative to the first contestant's are `known` least, and not to `KNOWN`.
        starts: how often the contestants are started anew, for as many passes and seconds each time: a process keeps
            to the memory that it was given, which may be some per cent slower than another's.
        folder: where the contestants run, from where their ``module`` is found; here without it.

    Returns:
        What the contestants say of themselves, and for each case, in seconds, the medians,
        the best and the quartiles of all calls, the medians of each round, and the errors.

    Raises:
        ArithmeticError: a contestant's result is wrong.
    """
    with tempfile.TemporaryDirectory() as exchange, Progress() as progress:
        judge = _Judge(truth, pathlib.Path(exchange))
        pause = 0.0 if STOPS else PAUSE
        heats = [_Heat(case, judge, round_seconds, pause, keep=passes > 1) for case in cases]
        bar = progress.add_task(f"{module}, {threads} threads", total=float(starts))
        described: dict[str, Any] = {}
        for start in range(starts):
            with contextlib.ExitStack() as stack:
                processes = {}
                for each in contestants:  # which import their libraries side by side
                    process = _Process(module, each, threads, folder)
                    processes[each.name] = stack.enter_context(contextlib.closing(process))
                if not described:  # the first comes last: it measures ceilings, when the others are stopped
                    described = {name: processes[name].ask(do="describe") for name in reversed(processes)}
                for heat in heats:
                    heat.enter(processes)
                begin = time.monotonic()
                for done, (heat, last) in enumerate(_turns(heats, passes, seconds), 1):
                    heat.run(rounds, last=last)
                    spent = (time.monotonic() - begin) / seconds if seconds else 1.0
                    progress.update(bar, completed=start + min(done / (passes * len(heats)), spent, 1.0))
                progress.update(bar, completed=start + 1)  # all may have been known before the time was over
    return {
        "threads": threads,
        "contestants": {each.name: described[each.name] for each in contestants},
        "cases": [each.report() for each in heats],
    }


def _turns(heats: Sequence[_Heat], passes: int, seconds: float) -> Iterator[tuple[_Heat, bool]]:
    """The cases in the order of `race`, and whether it is a case's last time."""
    begin = time.monotonic()
    for number in range(passes):
        last = number == passes - 1
        unknown = list(heats)
        while number and last and unknown and time.monotonic() - begin < seconds:
            unknown = sorted((each for each in heats if each.known() > KNOWN), key=lambda each: each.known())
            yield from ((each, False) for each in unknown[len(unknown) // 2 :])
        yield from ((each, last) for each in heats)


def race_here(
    servers: dict[str, Server], case: Case, truth: Truth, *, rounds: int, round_seconds: float
) -> dict[str, Any]:
    """`race` on one case between contestants in this process: for one library with itself, whose threads they share."""
    with tempfile.TemporaryDirectory() as exchange:
        heat = _Heat(case, _Judge(truth, pathlib.Path(exchange)), round_seconds, PAUSE)
        heat.enter(servers)
        heat.run(rounds, last=True)
        return heat.report()


class _Heat:
    """One case: its contestants, and what was measured of them."""

    def __init__(self, case: Case, judge: _Judge, round_seconds: float, pause: float, *, keep: bool = False) -> None:
        self._case, self._judge = case, judge
        self._round_seconds, self._pause, self._keep = round_seconds, pause, keep
        self._processes: Mapping[str, _Process | Server] = {}
        self._entered = False
        self._turns: dict[str, list[list[float]]] = {}
        self._rounds: dict[str, list[float]] = {}  # the median of each contestant's calls in each
        self._errors: dict[str, float] = {}
        self._calls: dict[str, int] = {}

    def enter(self, processes: Mapping[str, _Process | Server]) -> None:
        """Go on with these, of which nothing is known yet."""
        names = processes if self._case.contestants is None else self._case.contestants
        self._processes, self._entered = {name: processes[name] for name in names}, False
        for name in names:
            self._turns.setdefault(name, [])
            self._rounds.setdefault(name, [])

    def run(self, rounds: int, *, last: bool) -> None:
        """Turns of every contestant, judged before the first of all and after the ``last``.

        The result of a timed call is judged at once: another contestant in this process may share its inputs.
        """
        _ask_all(self._processes, lambda _: {"do": "prepare", "options": self._case.options, "keep": self._keep})
        if not self._entered:
            self._entered = True
            self._judge_fresh()
        if not self._calls:
            for name, process in self._processes.items():
                first = min(process.ask(do="time", calls=3)["times"])  # the others may wake threads
                self._calls[name] = max(2, min(200, int(self._round_seconds / first)))
        for turn in range(rounds):
            for name, process in self._processes.items():
                time.sleep(self._pause)
                times = process.ask(do="time", calls=self._calls[name], warm=WARM)["times"]
                self._turns[name].append(times)
                self._rounds[name].append(statistics.median(times))
                if last and turn == rounds - 1:
                    answer = process.ask(do="last", folder=self._judge.folder(name))
                    self._judged(name, answer["options"], answer["options"]["seed"])
        if last:
            self._judge_fresh()

    def _judge_fresh(self) -> None:
        """Results of inputs that nobody has seen: the same for all contestants, who then share a truth."""
        seed = self._judge.seed()
        answers = _ask_all(
            self._processes, lambda name: {"do": "fresh", "seed": seed, "folder": self._judge.folder(name)}
        )
        for name, answer in answers.items():
            self._judged(name, answer["options"], seed)

    def _judged(self, name: str, options: dict[str, Any], seed: int) -> None:
        error = self._judge.error(name, self._case, options, seed)
        self._errors[name] = max(error, self._errors.get(name, 0.0))

    def known(self) -> float:
        """The largest standard error of times relative to the first contestant's in the same round.

        Infinite where two rounds are still to come.
        """
        first, *others = self._rounds.values()
        return max((ratio(each, first).error for each in others), default=0.0) if len(first) > 1 else math.inf

    def report(self) -> dict[str, Any]:
        """What `race` returns for the case."""
        times = {name: [seconds for turn in each for seconds in turn] for name, each in self._turns.items()}
        return {
            "case": self._case.name,
            "work": self._case.work,
            "seconds": {name: statistics.median(each) for name, each in times.items()},
            "best": {name: min(each) for name, each in times.items()},
            "quartiles": {name: statistics.quantiles(each)[::2] for name, each in times.items()},
            "rounds": self._rounds,
            "calls": {name: len(each) for name, each in times.items()},
            "error": self._errors,
        }


def _ask_all(
    processes: Mapping[str, _Process | Server], request: Callable[[str], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The answers of all to a request for each name. Processes of their own work on theirs side by side."""
    apart = {name: each for name, each in processes.items() if isinstance(each, _Process)}
    for name, process in apart.items():
        process.tell(**request(name))
    heard = {name: process.hear() for name, process in apart.items()}
    return {name: heard[name] if name in heard else each.ask(**request(name)) for name, each in processes.items()}


class _Judge:
    """Compares what contestants leave in folders of their own with the truth."""

    def __init__(self, truth: Truth, folder: pathlib.Path) -> None:
        self._truth, self._folder, self._seeds = truth, folder, np.random.default_rng()
        self._known: tuple[Case, dict[str, Any], list[np.ndarray], np.ndarray] | None = None

    def seed(self) -> int:
        """Another one each time."""
        return int(self._seeds.integers(1 << 31))

    def folder(self, name: str) -> str:
        """Where that contestant leaves its inputs and its result."""
        found = self._folder / name
        found.mkdir(exist_ok=True)
        return str(found)

    def error(self, name: str, case: Case, options: dict[str, Any], seed: int) -> float:
        """The error of the result that a contestant has left; ArithmeticError, which tells the seed, where it is wrong.

        ``options`` are those of the inputs' set, whatever ``seed`` has filled it anew.
        """
        result, inputs = left(self._folder / name)
        error = relative_error(result, self._true(case, options, inputs))
        if not error <= case.tolerance:
            described = f"{name}, {case.name}: error {error:.3g} is above {case.tolerance:.3g}"
            raise ArithmeticError(f"{described} (seed {seed})")
        return error

    def _true(self, case: Case, options: dict[str, Any], inputs: list[np.ndarray]) -> np.ndarray:
        """The truth, which is computed anew unless options and inputs, number for number, are those of before."""
        if self._known is not None:
            before, known, given, found = self._known
            if (
                before is case
                and options == known
                and len(inputs) == len(given)  # some contestants are given more
                and all(np.array_equal(*each) for each in zip(inputs, given, strict=True))
            ):
                return found
        found = self._truth(options, tuple(each.astype(np.float64) for each in inputs))
        self._known = case, options, inputs, found
        return found
