"""A race times who computes, and refuses who only seems to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import harness
from pyneural.bench.race import _runs
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


def test_passes_have_rounds_of_every_case() -> None:
    for case in race("honest", cases=2, passes=3)["cases"]:
        assert len(case["rounds"]["honest"]) == 6
        assert all(seconds > 0 for seconds in case["rounds"]["honest"])


@pytest.mark.parametrize("kind", [kind for kind in cheats.KINDS if kind != "honest"])
def test_a_cheat_is_refused_in_passes(kind: str) -> None:
    with pytest.raises(ArithmeticError, match=rf"{kind}, 61 x 47 x 53: error .* is above 1e-05"):
        race(kind, cases=2, passes=2)


@pytest.mark.parametrize(
    ("stat", "runs"),
    [("12 (python3) R 1 2 3", True), ("12 (a) R (b) S 1 2 3", False), ("12 (a (b) R 1 2 3", True), (None, False)],
)
def test_which_threads_run(stat: str | None, runs: bool, tmp_path: Path) -> None:
    if stat is not None:
        (tmp_path / "stat").write_text(stat)
    assert _runs(tmp_path) is runs


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
