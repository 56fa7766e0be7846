"""The application driving: its network, its rounds, a training that is interrupted, a user's frame."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural.apps import driving
from pyneural.apps.racing import LOCK, Race
from pyneural.apps.recordings import FOLDER
from pyneural.apps.training import Checkpoint, Progress, Refused

for _package in ("gymnasium", "Box2D", "pygame"):
    pytest.importorskip(_package, reason=f"the race is Gymnasium's and needs {_package}, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


class _Broken(Exception):
    """Stands for a crash."""


def _small() -> driving.Tracks:
    """Two rounds of the network after one of the script, of a second each."""
    return replace(
        driving.load_data("cpu"), script=(0,), rounds=((1,), (2,)), validation=(3,), test=(4,), frames=50, samples=40
    )


def _train(seed: int, **settings: Any):
    pyneural.manual_seed(seed)
    model = driving.build(device="cpu")
    history, _ = driving.train(model, _small(), epochs=3, batch_size=10, **settings)
    return history, {name: each.numpy().tobytes() for name, each in model.state_dict().items()}


def test_a_training_broken_anywhere_ends_as_if_it_had_not(tmp_path: Path, rng: np.random.Generator):
    """Broken three times, with a checkpoint after each step: in each epoch, with drives of two rounds kept."""
    seed = int(rng.integers(1000))
    whole, weights = _train(seed)
    assert len(whole.losses) == 12
    assert whole.validation[:2] == [1000.0, 999.0]
    assert whole.validation[2] < 200.0
    checkpoint = Checkpoint(tmp_path / "state", {"seed": seed}, 0.0)
    for last in (int(rng.integers(2, 5)), int(rng.integers(5, 9)), int(rng.integers(9, 13))):

        def broken(at: Progress, last: int = last) -> None:
            if at.step >= last:
                raise _Broken

        with pytest.raises(_Broken):
            _train(seed, checkpoint=checkpoint, on_step=broken)
    assert sorted(each.name for each in (tmp_path / FOLDER).iterdir()) == [f"{each}.safetensors" for each in range(3)]
    again, others = _train(seed, checkpoint=checkpoint)
    assert (again.losses, again.scores, again.validation) == (whole.losses, whole.scores, whole.validation)
    assert others == weights
    assert not (tmp_path / FOLDER).exists()


def test_a_training_whose_drives_are_lost_is_refused(tmp_path: Path):
    checkpoint = Checkpoint(tmp_path / "state", {}, 0.0)

    def broken(at: Progress) -> None:
        if at.step >= 7:
            raise _Broken

    with pytest.raises(_Broken):
        _train(0, checkpoint=checkpoint, on_step=broken)
    (tmp_path / FOLDER / "1.safetensors").unlink()
    with pytest.raises(Refused, match=r"1\.safetensors is missing"):
        _train(0, checkpoint=checkpoint)


@pytest.mark.slow
def test_kill_9_in_the_middle_then_again_gives_the_very_figures(tmp_path: Path, rng: np.random.Generator):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    program = (
        "from pyneural.apps import driving as d; from pyneural.cli import main; "
        "d.SCRIPT, d.ROUNDS, d.VALIDATION, d.TEST, d.FRAMES, d.SAMPLES = (0,), ((1,), (2,)), (3,), (4,), 50, 40; main()"
    )
    seed = str(rng.integers(1000))
    command = [sys.executable, "-c", program, "train", "driving", "--epochs", "3", "--batch-size", "10", "--seed", seed]
    command += ["--save-every", "0", "--out"]
    killed = subprocess.Popen([*command, str(tmp_path / "a")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not (tmp_path / "a" / FOLDER / "1.safetensors").exists():
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    reports, weights = [], []
    for name in ("a", "b"):
        done = subprocess.run([*command, str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("going on from" in done.stdout) == (name == "a")
        assert sorted(each.name for each in (tmp_path / name).iterdir()) == [
            "driving.gif", "driving.png", "driving.safetensors", "report.json",
        ]  # fmt: skip
        reports.append(json.loads((tmp_path / name / "report.json").read_text()))
        weights.append((tmp_path / name / "driving.safetensors").read_bytes())
    for report in reports:
        assert report.pop("seconds") > 0.0
        assert report["test"].pop("decision_ms_p99") > 0.0
    assert reports[0] == reports[1]
    assert weights[0] == weights[1]


def test_scores_are_those_of_the_races(rng: np.random.Generator):
    pyneural.manual_seed(int(rng.integers(1000)))
    model = driving.build(device="cpu")
    data = replace(_small(), test=(5, 6))
    found = driving.score(model, data)
    races = [driving.driven(model, track, 50) for track in (5, 6)]
    script = [driving.scripted(track, 50) for track in (5, 6)]
    assert found["return"] == pytest.approx(np.mean([each.gained for each in races]))
    assert found["share"] == pytest.approx(found["return"] / np.mean([each.gained for each in script]))
    assert found["laps"] == 0.0
    assert found["decision_ms_p99"] > 0.0


# A user's frame


def test_predict_on_a_frame(tmp_path: Path):
    pyneural.manual_seed(1)
    model = driving.build(device="cpu")
    race = Race(8)
    for _ in range(20):
        race.step(np.array([0.1, 1.0, 0.0]))
    Image.fromarray(race.frame).save(tmp_path / "frame.png")
    answer = driving.answer(model, str(tmp_path / "frame.png"))
    steer, gas, brake = driving.decide(model, race.frame)
    assert answer.facts == {"steer": pytest.approx(steer), "gas": pytest.approx(gas), "brake": pytest.approx(brake)}
    assert abs(steer) <= LOCK
    assert 0.0 <= min(gas, brake) <= max(gas, brake) <= 1.0
    assert f"gas {gas:.3f}" in answer.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "is no picture"),
        ((100, 96), "has 100 x 96 pixels, not 96 x 96"),
        ((96, 96), "is no frame of CarRacing: 0 % of its lowest 12 rows are black, where the indicators stand"),
    ],
)
def test_a_wrong_picture_is_refused(tmp_path: Path, content: bytes | tuple[int, int], message: str):
    if isinstance(content, bytes):
        (tmp_path / "a.png").write_bytes(content)
    else:
        Image.new("RGB", content, (102, 204, 102)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=re.escape(message)):
        driving.answer(driving.build(device="cpu"), str(tmp_path / "a.png"))
