"""The contestant's side of a race: what it runs, on which inputs, and the process that answers requests."""

from __future__ import annotations

import json
import math
import pathlib
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from pyneural.distributed.guard import end_with_parent
from pyneural.kernels import dtypes

from .machine import last_level_cache

MOST_HELD = 2
"""Results that stay during a turn, so that those of the turn lie elsewhere."""

GAP = 1 << 16
"""Bytes, up to twice as many, that are taken for the same."""

GOLDEN = (math.sqrt(5) - 1) / 2
"""The golden section: its multiples, less their whole parts, lie evenly between 0 and 1 however many they are."""

STIRRED = 16
"""Elements of each input that change between two timed calls."""

CACHES = 3
"""Times the last-level cache, of the processor or the GPU, that the inputs of a round fill."""

MOST_SETS = 256
MOST_BYTES = 1 << 29
"""Of all inputs of a contestant, unless two sets need more."""

LEFT = "left.npy"
"""The file in which a contestant leaves what is judged."""

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


Prepare = Callable[[str, dict[str, Any]], Subject]


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
        self._moves: Counter[str] = Counter()
        self._name = ""
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
        self._last = None
        # Where the case before has left off: the sets of all of them lie over the same memory, in order, and what
        # was read longest ago comes next.
        place = (self._turn + 1) / len(self._sets) % 1.0 if self._sets else 0.0
        self._name = name = json.dumps(options, sort_keys=True)
        if name not in self._kept:
            first = self._prepare(self._kind, {**options, "set": 0})
            count = sets(sum(each.nbytes for each in first.inputs), self._cache)
            seeded = [{**options, "seed": options["seed"] + i} for i in range(count)]
            others = [self._prepare(self._kind, {**each, "set": i}) for i, each in enumerate(seeded[1:], 1)]
            self._kept[name] = [first, *others], seeded
        self._sets, self._options = self._kept[name]
        if not keep:
            self._kept.clear()
        self._turn = int(place * len(self._sets) + 1e-6) - 1

    def time(self, calls: int, warm: float = 0.0) -> list[float]:
        """The seconds of each of so many calls, after ``warm`` seconds of others."""
        begin = time.perf_counter()
        self._move()
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
        """Write new inputs where the first set's were, and leave them and the result of a second call in ``folder``."""
        self._poison()
        subject = self._sets[0]  # the same for all contestants, who then share a truth
        other = self._prepare(self._kind, {**self._options[0], "seed": seed})
        for own, new in zip(subject.inputs, other.inputs, strict=True):
            own[...] = new
        subject.write()
        self._last = 0, subject.run()
        self._poison()
        self._stir(subject, np.random.default_rng(seed))
        return self._leave(folder, 0, subject.run())

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
        al., "Producing wrong data without doing anything obviously wrong", 2009). A case's turns go through the places
        in order, for each of them to have its share of few turns.
        """
        self._poison()
        self._give_back()
        if self._sets[self._turn].poison is not None:
            moves = self._moves[self._name]
            self._moves[self._name] += 1
            self._gap = np.empty(GAP + int(GAP * (moves * GOLDEN % 1.0)), np.uint8)
            for _ in range(moves % (MOST_HELD + 1)):
                self._held.append((self._turn, self._sets[self._turn].run()))

    def _give_back(self) -> None:
        for each in self._held:
            self._spoil(*each)
        self._held.clear()

    def _leave(self, folder: pathlib.Path, turn: int, result: Any) -> dict[str, Any]:
        subject = self._sets[turn]
        with (folder / LEFT).open("wb") as file:  # not as a zip archive, whose checksums take longer than the writing
            for each in (subject.to_numpy(result), *subject.inputs):
                np.save(file, _known(each))
        return self._options[turn]


def left(folder: pathlib.Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """The result and the inputs that a contestant left in ``folder``."""
    with (folder / LEFT).open("rb") as file:
        found = []
        while file.peek(1):
            found.append(np.load(file))
    return found[0], found[1:]


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
