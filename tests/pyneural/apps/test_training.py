"""The training loop: what it refuses, when it stops, and that an interrupted run ends as if it had not been."""

from __future__ import annotations

import json
import math
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
from pyneural import Generator, Tensor, nn
from pyneural.apps import ranks
from pyneural.apps.training import Checkpoint, History, Progress, Refused, fit
from pyneural.data import TensorDataset
from pyneural.functional import mse_loss
from pyneural.io import save_checkpoint
from pyneural.random import default_generator

COUNT = 23

Data = tuple[np.ndarray, np.ndarray]


class _Broken(Exception):
    """Stands for a crash."""


@pytest.fixture
def data(rng: np.random.Generator, reference_device: None) -> Data:
    return rng.standard_normal((COUNT, 3)).astype(np.float32), rng.standard_normal((COUNT, 2)).astype(np.float32)


def _train(data: Data, order: Generator | None = None, validation: list[float] | None = None, **settings: Any):
    """A network with dropout, so that every source of random numbers counts: history, weights, those of each epoch."""
    pyneural.manual_seed(11)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 2))

    def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, y = batch
        loss = mse_loss(model(x), y)
        return loss, loss.detach() * len(x)

    def weights() -> list[bytes]:
        return [each.detach().numpy().tobytes() for each in model.parameters()]

    def validate() -> float:
        snapshots.append(weights())
        return next(calls)

    calls, snapshots = iter(validation or []), []
    given = {"epochs": 4, "batch_size": 5, "lr": 0.05, "generator": order, **settings}
    if validation is not None:
        given["validate"] = validate
    x, y = data
    history, _ = fit(model, TensorDataset(Tensor(x), Tensor(y)), step, **given)
    return history, weights(), snapshots


def _same(first: tuple[History, Any, Any], second: tuple[History, Any, Any]) -> None:
    for name in ("losses", "scores", "validation", "final_loss", "best_epoch"):
        assert getattr(first[0], name) == getattr(second[0], name)
    assert first[1] == second[1]


def test_a_compiled_step_trains_the_same(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[Any] = []
    compiling = ranks.compile
    monkeypatch.setattr(ranks, "compile", lambda function: made.append(compiling(function)) or made[-1])

    def stop(progress: Progress) -> None:
        if progress.step == 9:
            raise _Broken

    plain = _train(data, Generator(5))
    assert not made
    _same(plain, _train(data, Generator(5), compiled=True))
    kept = Checkpoint(tmp_path / "state.safetensors", {}, every=0.0)
    with pytest.raises(_Broken):
        _train(data, Generator(5), compiled=True, on_step=stop, checkpoint=kept)
    _same(plain, _train(data, Generator(5), compiled=True, checkpoint=kept))
    assert [each.plans for each in made] == [1, 1, 1]


def test_every_step_is_reported_and_counted(data: Data):
    seen: list[Progress] = []
    history, _, _ = _train(data, on_step=seen.append)
    per_epoch = COUNT // 5
    assert [(each.step, each.epoch) for each in seen] == [(i + 1, i // per_epoch + 1) for i in range(4 * per_epoch)]
    assert {(each.steps, each.epochs, each.samples) for each in seen} == {(4 * per_epoch, 4, 5)}
    assert [each.loss for each in seen] == history.losses
    assert history.final_loss == pytest.approx(np.mean(history.losses[-per_epoch:]))
    np.testing.assert_allclose(history.scores, np.reshape(history.losses, (4, per_epoch)).mean(axis=1))
    assert seen[-1].score == history.scores[-1]
    assert history.best_epoch == 4


@pytest.mark.parametrize("every", [0.0, math.inf])
@pytest.mark.parametrize("own_order", [False, True])
def test_a_training_broken_at_any_step_ends_as_if_it_had_not(
    data: Data, rng: np.random.Generator, tmp_path: Path, every: float, own_order: bool
):
    """With a checkpoint after each step, and with those of the epochs' ends only; broken twice."""
    values = rng.standard_normal(4).tolist()
    order = (lambda: Generator(5)) if own_order else (lambda: default_generator)
    whole = _train(data, order(), values)
    checkpoint = Checkpoint(tmp_path / "state", {"app": "x"}, every)
    done = 0
    for last in sorted(rng.choice(np.arange(1, 16), 2, replace=False)):
        seen: list[Progress] = []

        def broken(at: Progress, last: int = last, seen: list[Progress] = seen) -> None:
            seen.append(at)
            if at.step >= last:
                raise _Broken

        with pytest.raises(_Broken):
            _train(data, order(), values[done // 4 :], on_step=broken, checkpoint=checkpoint)
        # The step at which it broke was not saved.
        done = last - 1 if every == 0.0 else (last - 1) // 4 * 4
        assert checkpoint.path.exists() == (done > 0)
    after: list[Progress] = []
    again = _train(data, order(), values[done // 4 :], on_step=after.append, checkpoint=checkpoint)
    assert [each.step for each in after] == list(range(done + 1, 17))
    _same(again, whole)
    # A training that had ended, but for its report, is not continued.
    _same(_train(data, order(), [], checkpoint=checkpoint), whole)


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends(data: Data):
    history, weights, epochs = _train(data, validation=[3.0, 1.0, 2.0, 1.5, 0.0], epochs=5, patience=2)
    assert history.validation == [3.0, 1.0, 2.0, 1.5]
    assert (len(history.scores), history.best_epoch) == (4, 2)
    assert weights == epochs[1]
    assert weights != epochs[3]
    history, weights, epochs = _train(data, validation=[3.0, 1.0, 2.0, 1.5, 0.0], epochs=5)
    assert history.best_epoch == 5
    assert weights == epochs[4]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs (=0) must be at least 1"),
        ({"batch_size": -2}, "batch_size (=-2) must be at least 1"),
        ({"batch_size": 24}, "batch_size (=24) must be at most the 23 training samples"),
        ({"lr": -0.5}, "lr (=-0.5) must be at least 0"),
        ({"lr": math.nan}, "lr (=nan) must be at least 0"),
    ],
)
def test_wrong_numbers_are_refused(data: Data, setting: dict[str, float], message: str):
    with pytest.raises(Refused, match=re.escape(message)):
        _train(data, **setting)


def test_the_state_of_another_training_is_refused(data: Data, tmp_path: Path):
    path = tmp_path / "state"
    _train(data, checkpoint=Checkpoint(path, {"app": "x", "seed": 1}))
    for facts, settings, message in (
        ({"app": "y", "seed": 1}, {}, "another training: app x instead of y"),
        ({"app": "x", "seed": 2}, {}, "another training: seed 1 instead of 2"),
        ({"app": "x", "seed": 1}, {"epochs": 9}, "another training: epochs 4 instead of 9"),
    ):
        with pytest.raises(Refused, match=re.escape(message)):
            _train(data, checkpoint=Checkpoint(path, facts), **settings)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Refused, match="is no whole safetensors file"):
        _train(data, checkpoint=Checkpoint(path, {}))
    save_checkpoint(path, model=nn.Linear(2, 2))
    with pytest.raises(Refused, match="is the state of no training"):
        _train(data, checkpoint=Checkpoint(path, {}))


def test_kill_9_in_the_middle_then_again_gives_the_very_figures(tmp_path: Path, rng: np.random.Generator):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    program = [sys.executable, "-c", "from pyneural.cli import main; main()", "train", "digits", "--epochs", "1"]
    program += [
        "--device",
        "reference",
        "--batch-size",
        "64",
        "--seed",
        str(rng.integers(1000)),
        "--save-every",
        "0",
        "--out",
    ]
    killed = subprocess.Popen([*program, str(tmp_path / "a")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    state = tmp_path / "a" / "training.safetensors"
    while not state.exists():
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert state.exists()
    reports, weights = [], []
    for name in ("a", "b"):
        done = subprocess.run([*program, str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("going on from" in done.stdout) == (name == "a")
        assert not (tmp_path / name / "training.safetensors").exists()
        reports.append(json.loads((tmp_path / name / "report.json").read_text()))
        weights.append((tmp_path / name / "digits.safetensors").read_bytes())
    for report in reports:
        assert report.pop("seconds") > 0.0
    assert reports[0] == reports[1]
    assert weights[0] == weights[1]
