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
from typing import Any, NamedTuple, Protocol

import numpy as np
from rich.progress import track

from pyneural.distributed.guard import end_with_parent
from pyneural.kernels import dtypes

from .machine import last_level_cache

PAUSE = 0.05
"""Seconds between contestants that cannot be stopped, as they share a process or the system has no signal for it:
OpenBLAS's threads spin for some 20 ms after their last work."""

WARM = 0.01
"""Seconds at the beginning of a turn that do not count: threads wake, and cores that were idle come to their speed."""

STOPS = hasattr(signal, "SIGSTOP")

TOLERANCE = 1e-5
"""Largest error of float32 results, relative to the largest element of the float64 reference."""

MOST_HELD = 2
"""Results that stay during a turn, so that those of the turn lie elsewhere."""

GAP = 1 << 16
"""Bytes, up to twice as many, that are taken for the same."""

STIRRED = 16
"""Elements of each input that change between two timed calls."""

CACHES = 3
"""Times the last-level cache, of the processor or the GPU, that the inputs of a round fill."""

MOST_SETS = 256
MOST_BYTES = 1 << 29
"""Of all inputs of a contestant, unless two sets need more."""

Run = Callable[[], Any]


class Clock(Protocol):
    """Times a call."""

    def __call__(self, run: Run) -> tuple[float, Any]:
        """Its seconds and its result."""
        ...


def wall_clock(run: Run) -> tuple[float, Any]:
    """The clock of the processor: for what has ended when the call returns."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


class Subject(NamedTuple):
    """What a contestant runs.

    Attributes:
        run: the computation; it reads ``inputs`` anew at each call.
        to_numpy: its result as an array.
        inputs: arrays in the memory that ``run`` reads; float16 and bfloat16 among them are judged as float32.
        poison: fill a result with NaN that has been looked at; None where others may hold its memory.
        clock: how a call is timed.
        write: bring ``inputs`` to where ``run`` reads them, if that is elsewhere.
    """

    run: Run
    to_numpy: Callable[[Any], np.ndarray]
    inputs: tuple[np.ndarray, ...]
    poison: Callable[[Any], None] | None = None
    clock: Clock = wall_clock
    write: Callable[[], None] = lambda: None


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


Prepare = Callable[[str, dict[str, Any]], Subject]
Truth = Callable[[dict[str, Any], tuple[np.ndarray, ...]], np.ndarray]


class Server:
    """The contestant's side of a race: several sets of inputs, of different seeds, that calls go round through.

    ``prepare`` is told a set's number as the option ``set``: sets of different cases may lie in one memory. What it
    makes without a number must lie in memory of its own.
    """

    def __init__(self, prepare: Prepare, kind: str, cache: int | None = None) -> None:
        """``cache`` are the bytes of the last cache before the memory that inputs lie in; None: of this processor's."""
        self._prepare, self._kind = prepare, kind
        self._cache = last_level_cache() if cache is None else cache
        self._sets: list[Subject] = []
        self._options: list[dict[str, Any]] = []
        self._kept: dict[str, tuple[list[Subject], list[dict[str, Any]]]] = {}
        self._turn = 0
        self._rng = np.random.default_rng(0)
        self._last: tuple[int, Any] | None = None
        self._held: list[tuple[int, Any]] = []
        self._gap = np.empty(0, np.uint8)

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request, as JSON has it."""
        answer: dict[str, Any] = {}
        if request["do"] == "prepare":
            self.prepare(request["options"], keep=request["keep"])
        elif request["do"] == "time":
            answer["times"] = self.time(request["calls"], request.get("warm", 0.0))
        elif request["do"] == "last":
            answer["options"] = self.last(pathlib.Path(request["folder"]))
        elif request["do"] == "fresh":
            answer["options"] = self.fresh(request["seed"], pathlib.Path(request["folder"]))
        else:
            raise ValueError(f"a contestant is asked to {request['do']!r}")
        return answer

    def prepare(self, options: dict[str, Any], *, keep: bool = False) -> None:
        """Make the inputs, as many sets as fill the caches; ``keep`` them for the next time."""
        self._give_back()
        self._turn, self._last = 0, None
        name = json.dumps(options, sort_keys=True)
        if name not in self._kept:
            first = self._prepare(self._kind, {**options, "set": 0})
            count = sets(sum(each.nbytes for each in first.inputs), self._cache)
            seeded = [{**options, "seed": options["seed"] + i} for i in range(count)]
            others = [self._prepare(self._kind, {**each, "set": i}) for i, each in enumerate(seeded[1:], 1)]
            self._kept[name] = [first, *others], seeded
        self._sets, self._options = self._kept[name]
        if not keep:
            self._kept.clear()

    def time(self, calls: int, warm: float = 0.0) -> list[float]:
        """The seconds of each of so many calls, after others for ``warm`` seconds."""
        self._move()
        begin = time.perf_counter()
        while time.perf_counter() - begin < warm:
            self._call()
        return [self._call() for _ in range(calls)]

    def _call(self) -> float:
        self._poison()
        # Of the call before: what is written now may lie in a cache, and is not read before it is its turn again.
        self._stir(self._sets[self._turn], self._rng)
        subject = self._next()
        seconds, result = subject.clock(subject.run)
        self._last = self._turn, result
        return seconds

    def last(self, folder: pathlib.Path) -> dict[str, Any]:
        """Leave inputs and result of the last timed call in ``folder``; the options of its inputs."""
        assert self._last is not None
        return self._leave(folder, *self._last)

    def fresh(self, seed: int, folder: pathlib.Path) -> dict[str, Any]:
        """Write new inputs where old ones were, and leave them and the result of a second call in ``folder``."""
        self._poison()
        subject = self._sets[self._turn]
        other = self._prepare(self._kind, {**self._options[self._turn], "seed": seed})
        for own, new in zip(subject.inputs, other.inputs, strict=True):
            own[...] = new
        subject.write()
        self._last = self._turn, subject.run()
        self._poison()
        self._stir(subject, np.random.default_rng(seed))
        return self._leave(folder, self._turn, subject.run())

    def _next(self) -> Subject:
        self._turn = (self._turn + 1) % len(self._sets)
        return self._sets[self._turn]

    def _stir(self, subject: Subject, rng: np.random.Generator) -> None:
        for each in subject.inputs:
            if each.size and dtypes.is_floating(each.dtype):
                places = np.unravel_index(rng.integers(0, each.size, STIRRED), each.shape)
                each[places] = rng.standard_normal(STIRRED)
        subject.write()

    def _poison(self) -> None:
        """Fill the last result with NaN, and give it back."""
        if self._last is not None:
            self._spoil(*self._last)
            self._last = None

    def _spoil(self, turn: int, result: Any) -> None:
        poison = self._sets[turn].poison
        if poison is not None:
            poison(result)

    def _move(self) -> None:
        """Let the results of the next calls lie elsewhere than those of the turn before.

        Where memory happens to lie makes some per cent of the time, and one process would keep to it (Mytkowicz et
        al., "Producing wrong data without doing anything obviously wrong", 2009).
        """
        self._poison()
        self._give_back()
        if self._sets[self._turn].poison is not None:
            self._gap = np.empty(int(self._rng.integers(GAP, 2 * GAP)), np.uint8)
            for _ in range(self._rng.integers(0, MOST_HELD, endpoint=True)):
                self._held.append((self._turn, self._sets[self._turn].run()))

    def _give_back(self) -> None:
        for each in self._held:
            self._spoil(*each)
        self._held.clear()

    def _leave(self, folder: pathlib.Path, turn: int, result: Any) -> dict[str, Any]:
        subject = self._sets[turn]
        np.savez(folder / "inputs.npz", *(_known(each) for each in subject.inputs))
        np.save(folder / "result.npy", _known(subject.to_numpy(result)))
        return self._options[turn]


def sets(nbytes: int, cache: int | None = None) -> int:
    """How many inputs of ``nbytes`` fill a cache, the processor's last without one, several times: at least two."""
    cache = last_level_cache() if cache is None else cache
    enough = -(-CACHES * cache // max(nbytes, 1))
    return max(2, min(enough, MOST_SETS, MOST_BYTES // max(nbytes, 1)))


def _known(array: np.ndarray) -> np.ndarray:
    """What NumPy's files know: they have no bfloat16, and float32 holds all of its numbers."""
    return array.astype(np.float32) if dtypes.is_half(array.dtype) else array


def serve(
    prepare: Prepare,
    describe: Callable[[str], dict[str, Any]],
    cache: Callable[[str], int] = lambda kind: last_level_cache(),
) -> None:
    """Answer the requests on standard input, one JSON object a line; ``cache`` as for `Server`, by kind."""
    kind = sys.argv[2]
    end_with_parent()
    server = Server(prepare, kind, cache(kind))
    for line in sys.stdin:
        request = json.loads(line)
        answer = describe(kind) if request["do"] == "describe" else server.ask(**request)
        print(json.dumps(answer), flush=True)


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
