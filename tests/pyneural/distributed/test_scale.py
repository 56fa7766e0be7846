"""The model of more ranks: its formulas by hand, its limits, what it reads from a trace. Nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from pyneural.distributed.scale import Link, Step, all_reduce, counts, forecast, link, measured

from .launch import environment, require_mpi

STEP = Step(0.002, 0.004, 0.001, ((0.001, 4_000_000), (0.003, 1_000_000)), 32)
FAST = Link(50e9, 5e-6)


def test_links_and_numbers_of_ranks() -> None:
    assert link("400Gb/s", 0.0) == Link(50e9, 0.0)
    assert link(" 12.5 GB/s", 1e-6) == Link(12.5e9, 1e-6)
    assert link("800Mbit/s", 0.0) == Link(1e8, 0.0)
    assert counts("1:8") == [1, 2, 4, 8]
    assert counts("3:20") == [3, 6, 12, 20]
    assert counts("5:5") == [5]
    assert counts("1,7,2") == [1, 7, 2]
    for text in ("400", "400Gb", "0Gb/s", "fast", "-1Gb/s", "1.2.3Gb/s"):
        with pytest.raises(ValueError, match="must be a rate such as 400Gb/s"):
            link(text, 0.0)
    with pytest.raises(ValueError, match=r"latency \(=-1\) must be at least 0"):
        link("1Gb/s", -1)
    for text in ("0:4", "4:1", "", "1,0", "1:2:3", "a"):
        with pytest.raises(ValueError, match="must be like 1:4096 or 1,2,4"):
            counts(text)


def test_all_reduces_by_hand() -> None:
    over = Link(1e9, 1e-5)
    assert all_reduce(10**6, 1, over, "ring") == all_reduce(10**6, 1, over, "tree") == 0.0
    assert all_reduce(10**6, 2, over, "ring") == pytest.approx(2 * 1e-5 + 1e-3)
    assert all_reduce(10**6, 4, over, "ring") == pytest.approx(6 * 1e-5 + 1.5e-3)
    assert all_reduce(10**6, 5, over, "tree") == pytest.approx(2 * (3 * 1e-5 + 1e-3))


def test_a_step_by_hand() -> None:
    """4 MB begin at 1 ms, 1 MB wait for them; what is left after 4 ms of backward is not hidden."""
    over = Link(1e9, 0.0)
    found = forecast(STEP, 2, over, "ring")
    assert found.communication == pytest.approx(0.005)
    assert found.exposed == pytest.approx(0.001 + 0.005 - 0.004)
    assert found.step == pytest.approx(0.007 + 0.002)
    assert found.efficiency == pytest.approx(7 / 9)
    assert found.samples_per_second == pytest.approx(64 / 0.009)
    alone = forecast(STEP, 1, over)
    assert (alone.step, alone.efficiency, alone.exposed) == (pytest.approx(0.007), pytest.approx(1.0), 0.0)
    divided = forecast(STEP, 2, over, "ring", divided=True)
    assert divided.compute == pytest.approx(0.003 + 0.001)
    assert divided.exposed == pytest.approx(0.0005 + 0.005 - 0.002)


def test_what_holds_for_every_step(rng: np.random.Generator) -> None:
    for _ in range(200):
        times = rng.uniform(1e-4, 1e-2, 3)
        ready = np.sort(rng.uniform(0.0, times[1], 3))
        sizes = [int(each) for each in rng.integers(1, 10**8, 3)]
        step = Step(*times, tuple(zip(ready.tolist(), sizes, strict=True)), 8)
        over = Link(float(rng.uniform(1e8, 1e11)), float(rng.uniform(0.0, 1e-4)))
        ranks = int(rng.integers(2, 5000))
        best = forecast(step, ranks, over)
        assert best.step == min(forecast(step, ranks, over, each).step for each in ("ring", "tree"))
        assert step.compute <= best.step <= step.compute + best.communication + 1e-12
        assert 0.0 < best.efficiency <= 1.0 + 1e-9
        assert forecast(step, 2 * ranks, over, "ring").step >= forecast(step, ranks, over, "ring").step - 1e-12
        slower = Link(over.bandwidth / 2, over.latency)
        assert forecast(step, ranks, slower).step >= best.step
    endless = forecast(STEP, 4096, Link(1e30, 0.0))
    assert endless.efficiency == pytest.approx(1.0)


def test_a_trace_is_read_by_its_medians() -> None:
    events, now = [], 0.0
    for number in range(5):
        length = 1000.0 if number < 2 else 10.0 * number
        for name, track, start, dur in (
            ("forward", 0, 0.0, length),
            ("backward", 0, length, 2 * length),
            ("all_reduce", 1, 1.5 * length, 1.0),
            ("all_reduce", 2, 2.5 * length, 1.0),
            ("optimizer", 0, 3 * length, 5.0),
        ):
            args = {"bytes": 100 * track}
            events.append({"name": name, "ts": now + start, "dur": dur, "pid": 0, "tid": track, "args": args})
        now += 4 * length
    step = measured(events, 7)
    assert (step.forward, step.backward) == (pytest.approx(30e-6), pytest.approx(60e-6))
    assert step.optimizer == pytest.approx(5e-6)
    assert [size for _, size in step.buckets] == [100, 200]
    assert [ready for ready, _ in step.buckets] == [pytest.approx(15e-6), pytest.approx(45e-6)]
    assert (step.samples, step.nbytes) == (7, 300)
    with pytest.raises(ValueError, match="5 steps, of which 5 are left out"):
        measured(events, 7, leave_out=5)


@pytest.mark.xdist_group("mpi")
def test_the_command_sets_the_model_beside_what_two_ranks_show() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
    program = [
        sys.executable,
        "-c",
        "from pyneural.cli import main; main()",
        "scale",
        "digits",
        "--device",
        "reference",
    ]
    options = ["--batch-size", "8", "--steps", "4", "--ranks", "1:16", "--json"]
    done = subprocess.run(
        [require_mpi(), "-n", "2", *program, *options],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["ranks"] for row in found["model"]] == [1, 2, 4, 8, 16]
    assert found["measured"]["ranks"] == 2
    assert found["measured"]["seconds"] > 0.0
    assert found["measured"]["step"]["samples"] == 4
    assert found["check"]["ranks"] == 2
    assert sum(size for _, size in found["measured"]["step"]["buckets"]) == 4 * (29_258 + 10)
    alone = subprocess.run(
        [*program, "--batch-size", "8"], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert alone.returncode == 2
    assert "--link is needed, such as 400Gb/s" in alone.stderr
