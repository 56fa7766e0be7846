"""A race times who computes, and refuses who only seems to."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import harness
from pyneural.bench import race as _race
from pyneural.bench import subjects
from pyneural.bench.race import _Process
from tests.bench import cheats


def race(*kinds: str, cases: int = 1, passes: int = 1) -> dict[str, Any]:
    return harness.race(
        "tests.bench.cheats",
        [harness.Contestant(kind, kind, {}) for kind in kinds],
        [harness.Case("61 x 47 x 53", 2.0 * 61 * 47 * 53, {"seed": 7 + i}) for i in range(cases)],
        cheats.truth,
        threads=1,
        rounds=2,
        round_seconds=0.001,
        passes=passes,
    )


def test_an_honest_contestant_is_timed() -> None:
    (case,) = race("honest")["cases"]
    assert case["seconds"]["honest"] > 0
    assert case["calls"]["honest"] >= 6
    assert 0 < case["error"]["honest"] < harness.TOLERANCE


@pytest.mark.parametrize("kind", [kind for kind in cheats.KINDS if kind != "honest"])
def test_a_cheat_is_refused(kind: str) -> None:
    with pytest.raises(ArithmeticError, match=rf"{kind}, 61 x 47 x 53: error .* is above 1e-05 \(seed \d+\)"):
        race("honest", kind)


def test_a_ladder_is_climbed_on_one_thread_and_its_last_rung_on_two() -> None:
    rungs = [harness.Contestant(name, "honest", {}) for name in ("naive", "better", "last")]
    rival = harness.Contestant("rival", "honest", {})
    work = 2.0 * 61 * 47 * 53
    cases = [
        harness.Case("all", work, {"seed": 7}),
        harness.Case("fast", work, {"seed": 8}, contestants=("better", "rival")),
    ]
    reports = harness.climb("tests.bench.cheats", rungs, rival, cases, cheats.truth, seconds=0.001)
    assert [report["threads"] for report in reports] == [1, 2]
    took_part = [[list(case["rounds"]) for case in report["cases"]] for report in reports]
    assert took_part == [[["naive", "better", "rival"], ["better", "rival"]], [["last", "rival"]] * 2]


def test_passes_have_rounds_of_every_case() -> None:
    for case in race("honest", cases=2, passes=3)["cases"]:
        assert len(case["rounds"]["honest"]) == 6
        assert all(seconds > 0 for seconds in case["rounds"]["honest"])


def test_contestants_that_are_started_anew_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of all starts are one case's; each start is another process, judged anew."""
    processes, fresh = [], []
    begin, ask_all = _Process.__init__, _race._ask_all

    def counted(self: _Process, *arguments: Any) -> None:
        begin(self, *arguments)
        processes.append(self._process.pid)

    def asked(every: Any, request: Any) -> dict[str, dict[str, Any]]:
        fresh.extend(name for name in every if request(name)["do"] == "fresh")
        return ask_all(every, request)

    monkeypatch.setattr(_Process, "__init__", counted)
    monkeypatch.setattr(_race, "_ask_all", asked)
    contestants = [harness.Contestant(name, "honest", {}) for name in ("one", "other")]
    case = harness.Case("61 x 47 x 53", 0.0, {"seed": 7})
    (found,) = harness.race(
        "tests.bench.cheats", contestants, [case], cheats.truth, threads=1, rounds=1, round_seconds=0.001, passes=2,
        starts=3,
    )["cases"]  # fmt: skip
    assert len(found["rounds"]["one"]) == len(found["rounds"]["other"]) == 6
    assert len(set(processes)) == 6
    assert fresh.count("one") == 3 * 2  # before and after the turns of each start


def test_a_ratio_of_rounds(rng: np.random.Generator) -> None:
    """The mean of the middle half, whatever the outer quarters are; its standard error is what draws show."""
    ours = rng.uniform(1, 2, 8)
    times = np.array([1e-9, 1.9, 2.0, 2.2, 2.4, 2.5, 1e9, 1e9]) * ours
    order = rng.permutation(8)
    found = _race.ratio(list(times[order]), list(ours[order]))
    assert found.mean == pytest.approx(np.prod([2.0, 2.2, 2.4, 2.5]) ** 0.25)
    assert found.low == pytest.approx(np.exp(np.quantile(np.log(times / ours), 0.25)))
    assert found.low < found.mean < found.high
    same = _race.ratio([3.0, 3.0], [2.0, 2.0])
    assert (same.mean, same.error) == (pytest.approx(1.5), 0.0)
    for draw in (rng.normal, lambda _, scale, size: scale * rng.choice([-1.0, 1.0], size)):  # one speed, and two
        many = [_race.ratio(list(np.exp(draw(0.0, 0.02, 40))), [1.0] * 40) for _ in range(400)]
        spread = np.std([np.log(each.mean) for each in many])
        assert 0.8 < np.mean([each.error for each in many]) / spread < 1.25


def test_results_go_through_their_places() -> None:
    """Each number of results that are held comes equally often, and the gaps lie evenly."""

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        x = np.ones(1000)
        return subjects.Subject(lambda: x + 1, np.asarray, (x,), lambda result: result.fill(np.nan))

    server = subjects.Server(prepare, "honest")
    server.prepare({"seed": 7}, keep=True)
    held, gaps = [], []
    for _ in range(12):
        server.time(1)
        held.append(len(server._held))
        gaps.append(server._gap.size)
    assert sorted(held) == sorted([*range(subjects.MOST_HELD + 1)] * (12 // (subjects.MOST_HELD + 1)))
    assert subjects.GAP <= min(gaps) <= max(gaps) < 2 * subjects.GAP
    assert np.diff(sorted(gaps)).max() < subjects.GAP / 4


def test_the_truth_is_told_the_options_of_a_set() -> None:
    """By which a benchmark may draw what is no input; not the seed that has filled the set anew."""
    seeds = []

    def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        seeds.append(options["seed"])
        return cheats.truth(options, inputs)

    contestants = [harness.Contestant(name, "honest", {}) for name in ("one", "other")]
    case = harness.Case("61 x 47 x 53", 0.0, {"seed": 7})
    harness.race("tests.bench.cheats", contestants, [case], truth, threads=1, rounds=1, round_seconds=0.001, passes=2)
    # One for both, before and after; and one for each last call, or for both where they have made as many calls.
    assert len(seeds) in (3, 4)
    assert seeds[0] == seeds[-1] == 7
    assert all(7 <= seed < 7 + harness.MOST_SETS for seed in seeds)


class _Heat:
    """A case whose ratio is known the better the more turns it had."""

    def __init__(self, name: str, noise: float) -> None:
        self.name, self.noise, self.turns = name, noise, 0

    def known(self) -> float:
        return self.noise / np.sqrt(self.turns)


@pytest.mark.parametrize("seconds", [10.0, 1000.0])
def test_further_turns_go_where_least_is_known(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**6))
    monkeypatch.setattr(_race.time, "monotonic", lambda: float(next(now)))
    heats: list[Any] = [_Heat("calm", 0.001), _Heat("noisy", 0.03), _Heat("between", 0.02)]
    order = []
    for heat, last in _race._turns(heats, 3, seconds):
        heat.turns += 1
        order.append((heat.name, last))
    calm, noisy, between = (heat.turns for heat in heats)
    assert calm == 3
    assert noisy > between > calm
    assert (max(heat.known() for heat in heats) <= _race.KNOWN) == (seconds > 100)
    assert [last for _, last in order] == [False] * (len(order) - 3) + [True] * 3
    assert [name for name, _ in order[:3]] == [name for name, _ in order[-3:]] == ["calm", "noisy", "between"]


def test_no_further_turns_where_all_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, passes, turns in ((1e9, 3, 3), (0.0, 4, 4), (1e9, 1, 1)):
        heat: Any = _Heat("calm", 0.001)
        for each, _ in _race._turns([heat], passes, seconds):
            each.turns += 1
        assert heat.turns == turns


def test_time_that_is_left_is_used() -> None:
    report = harness.race(
        "tests.bench.cheats",
        [harness.Contestant(name, "honest", {}) for name in ("one", "other")],
        [harness.Case("61 x 47 x 53", 2.0 * 61 * 47 * 53, {"seed": 7})],
        cheats.truth,
        threads=1,
        rounds=1,
        round_seconds=0.001,
        passes=2,
        seconds=1.0,
    )
    (case,) = report["cases"]
    assert len(case["rounds"]["one"]) == len(case["rounds"]["other"]) > 2


@pytest.mark.parametrize("kind", [kind for kind in cheats.KINDS if kind != "honest"])
def test_a_cheat_is_refused_in_passes(kind: str) -> None:
    with pytest.raises(ArithmeticError, match=rf"{kind}, 61 x 47 x 53: error .* is above 1e-05"):
        race(kind, cases=2, passes=2)


def _state(process: int) -> str:
    """Of a process, by Linux's letter; empty where there is none."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return status.split("State:")[1].split()[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the states of processes are Linux's")
def test_who_is_not_asked_is_stopped() -> None:
    contestants = [harness.Contestant(name, "honest", {}) for name in ("one", "other")]
    with contextlib.ExitStack() as stack:
        processes = [_Process("tests.bench.cheats", each, 1, None) for each in contestants]
        for each in processes:
            stack.enter_context(contextlib.closing(each))
            each.ask(do="describe")
        for _ in range(500):  # a thread on another core stops a moment later
            states = [_state(each._process.pid) for each in processes]
            if states == ["T", "T"]:
                break
            time.sleep(0.01)
        assert states == ["T", "T"]
        processes[0].ask(do="describe")  # and goes on
    assert [each._process.returncode for each in processes] == [0, 0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is Linux that ends them")
def test_who_is_stopped_ends_with_the_race() -> None:
    program = """
import os
from bench import harness
from pyneural.bench.race import _Process

process = _Process("tests.bench.cheats", harness.Contestant("one", "honest", {}), 1, None)
process.ask(do="describe")
print(process._process.pid, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    process = int(done.stdout)
    for _ in range(500):
        if _state(process) in ("", "Z"):
            break
        time.sleep(0.01)
    else:
        pytest.fail(f"process {process} is still there, in state {_state(process)}")


@pytest.mark.parametrize("cache", [1 << 20, 32 << 20, 480 << 20])
def test_inputs_of_a_round_pass_the_cache(cache: int) -> None:
    assert harness.sets(10 * cache, cache) == 2
    assert harness.sets(0, cache) == harness.MOST_SETS
    for nbytes in (1 << 20, 3 << 20, 7 << 20, cache):
        least = min(3 * cache, harness.MOST_BYTES - nbytes, harness.MOST_SETS * nbytes)
        assert harness.sets(nbytes, cache) * nbytes >= max(least, 2 * nbytes)
    assert harness.sets(1 << 20) == harness.sets(1 << 20, harness.last_level_cache())


def test_a_wrong_shape_or_a_nan_is_an_infinite_error() -> None:
    ones = np.ones((2, 3))
    assert harness.relative_error(ones, ones) == 0
    assert harness.relative_error(ones.T, ones) == np.inf
    assert harness.relative_error(np.where(np.arange(3) == 1, np.nan, ones), ones) == np.inf
