"""The applications' training loop, and ``pyneural train``, under a launcher."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import distributed, nn
from pyneural.apps.training import Refused, fit
from pyneural.data import TensorDataset

from .launch import environment, require_mpi, run

pytestmark = pytest.mark.xdist_group("mpi")

_TRAIN = [sys.executable, "-c", "from pyneural.cli import main; main()", "train", "digits", "--device", "reference"]


def _fitted(ranks: int, seed: int, path: Path, leave: int = 0, kind: str = "plain") -> dict[str, list[float]]:
    printed = run(ranks, "fitting.py", str(seed), str(path), str(leave), kind)
    found: dict[str, list[float]] = {} if leave else json.loads(printed.splitlines()[-1])
    return found


def test_ranks_fit_as_one_and_another_number_goes_on(tmp_path: Path, rng: np.random.Generator) -> None:
    """Four ranks leave in the middle of an epoch, two go on; with the state spread, and not."""
    seed = int(rng.integers(2**31))
    one = _fitted(1, seed, tmp_path / "one")
    assert (len(one["losses"]), len(one["validation"])) == (20, 4)
    for kind in ("plain", "zero"):
        path = tmp_path / kind
        assert _fitted(4, seed, path, int(rng.integers(6, 14)), kind) == {}
        assert path.exists()
        several = _fitted(2, seed, path, kind=kind)
        for name, values in one.items():
            np.testing.assert_allclose(several[name], values, rtol=1e-9, atol=1e-12)


def _train(folder: Path, seed: int, *options: str) -> subprocess.Popen[str]:
    given = ["--epochs", "1", "--batch-size", "128", "--seed", str(seed), "--save-every", "0", "--out", str(folder)]
    return subprocess.Popen(
        [require_mpi(), "-n", "2", *_TRAIN, *given, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )


def _children(process: int) -> list[int]:
    """Everything below a process, the deepest last."""
    found = []
    for each in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        found += [int(each), *_children(int(each))]
    return found


def test_the_command_trains_on_two_ranks_and_survives_one(tmp_path: Path, rng: np.random.Generator) -> None:
    """Undisturbed, with a trace; and killed at one rank, then run again: the very same weights."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    seed, trace = int(rng.integers(1000)), tmp_path / "trace.json"
    options = ("--zero", "--sync-batch-norm", "--compress", "float16")
    whole = _train(tmp_path / "whole", seed, *options, "--trace", str(trace))
    printed = whole.communicate(timeout=120)[0]
    assert whole.returncode == 0, printed
    assert len(re.findall("^test accuracy", printed, re.MULTILINE)) == 1, printed
    assert json.loads((tmp_path / "whole" / "report.json").read_text())["ranks"] == 2
    _check_trace(json.loads(trace.read_text()))

    state = tmp_path / "again" / "training.safetensors"
    job = _train(tmp_path / "again", seed, *options)
    begin = time.monotonic()
    while not state.exists():
        assert job.poll() is None, job.communicate()[0]
        assert time.monotonic() - begin < 60.0
        time.sleep(0.005)
    workers = [each for each in _children(job.pid) if not _children(each) and _is_python(each)]
    assert len(workers) == 2
    os.kill(workers[int(rng.integers(2))], signal.SIGKILL)
    printed = job.communicate(timeout=30)[0]
    assert job.returncode != 0
    assert re.search(r"pyneural: rank \d of 2 .* was killed by signal 9 \(SIGKILL\) after step \d+", printed), printed
    assert state.exists()
    job = _train(tmp_path / "again", seed, *options)
    printed = job.communicate(timeout=120)[0]
    assert job.returncode == 0, printed
    assert printed.count("going on from") == 1
    assert not state.exists()
    one, other = ((tmp_path / each / "digits.safetensors").read_bytes() for each in ("whole", "again"))
    assert one == other


def _is_python(process: int) -> bool:
    return b"train" in Path(f"/proc/{process}/cmdline").read_bytes()


def _check_trace(document: dict[str, Any]) -> None:
    events = [each for each in document["traceEvents"] if each["ph"] == "X"]
    assert {each["pid"] for each in events} == {0, 1}
    for rank in (0, 1):
        own = [each for each in events if each["pid"] == rank]
        backward = [each for each in own if each["name"] == "backward"]
        sent = [each for each in own if each["name"] == "all_reduce"]
        assert len(backward) == 898 // 128
        # 29,258 parameters in ten tensors, and a mark for each, in 16 bits.
        assert sum(each["args"]["bytes"] for each in sent) == len(backward) * 2 * (29_258 + 10)
        for each in sent:
            assert any(b["ts"] <= each["ts"] and each["ts"] + each["dur"] <= b["ts"] + b["dur"] for b in backward)


def test_a_batch_that_cannot_be_divided_is_refused(alone: distributed.ProcessGroup, reference_device: None) -> None:
    alone.world_size = 2
    data = TensorDataset(pyneural.zeros(9, 1))
    with pytest.raises(Refused, match=r"batch_size \(=7\) cannot be divided by 2 ranks"):
        fit(nn.Linear(1, 1), data, lambda _: (pyneural.zeros(()), 0.0), epochs=1, batch_size=7, lr=0.1)
