"""One training on several devices: it is the application's own, and what differs is told."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import pyneural
from pyneural.apps import comparison, digits
from pyneural.apps.comparison import Timed, agree, differences, timed
from pyneural.apps.training import Progress
from pyneural.cli import app
from pyneural.cli.compare import duration
from pyneural.cli.console import console

pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")

SOME = Timed("cpu", (2.0, 1.0, 0.5), 0.01, False, 64, 580)


def _run(*arguments: str) -> Any:
    console.width = 200
    return CliRunner().invoke(app, ["compare", *arguments])


def test_the_steps_are_those_of_the_training():
    found = timed(digits, pyneural.device("cpu"), 3, seed=5)
    pyneural.manual_seed(5)
    model, losses = digits.build(), []

    def note(progress: Progress) -> None:
        losses.append(progress.loss)
        if len(losses) == 4:
            raise InterruptedError

    data = digits.load_data()
    with pytest.raises(InterruptedError):
        digits.train(model, data, on_step=note)
    assert found.losses == tuple(losses[:3])
    assert found.samples == digits.BATCH_SIZE
    assert found.steps == digits.EPOCHS * (len(data.train_images) // digits.BATCH_SIZE)
    assert found.seconds > 0
    assert not found.compiled
    assert found.full == found.steps * found.seconds


def test_a_short_training_ends_by_itself(monkeypatch: pytest.MonkeyPatch):
    def few(device: Any = None, dtype: Any = None) -> digits.Digits:
        data = whole(device, dtype)
        size = digits.BATCH_SIZE
        return replace(data, train_images=data.train_images[:size], train_labels=data.train_labels[:size])

    whole = digits.load_data
    monkeypatch.setattr(digits, "load_data", few)
    monkeypatch.setattr(digits, "EPOCHS", 2)
    assert len(timed(digits, pyneural.device("cpu"), 50, seed=0).losses) == 2


@pytest.mark.parametrize(
    ("losses", "expected", "alike"),
    [
        ((2.0, 1.0, 0.5), (0.0, 0.0), True),
        ((2.0,), (0.0, 0.0), True),
        ((2.0, 1.009, 0.5), (0.0, 0.009), True),
        ((2.0, 1.0, 0.51), (0.0, 0.02), False),
        ((2.002, 1.0, 0.5), (0.001, 0.001), False),
        ((2.0, math.nan, 0.5), (0.0, math.inf), False),
    ],
)
def test_what_agrees(losses: tuple[float, ...], expected: tuple[float, float], alike: bool):
    other = replace(SOME, losses=losses)
    assert differences(other, SOME) == pytest.approx(expected)
    assert agree(other, SOME) is alike


def test_the_table_of_a_real_comparison():
    result = _run("digits", "--devices", "reference,cpu", "--steps", "2")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if " reference " in line or " cpu " in line]
    assert [row[1] for row in rows[:2]] == ["reference", "cpu"]
    assert rows[1][-2] == "ok"
    assert "2 steps of" in result.output
    assert "with the compilation" not in result.output
    assert "No GPU took part" in result.output


def test_facts_for_scripts():
    result = _run("digits", "--devices", "cpu,reference", "--steps", "1", "--json")
    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)
    first, second = told["rows"]
    assert (first["device"], second["device"]) == ("cpu", "reference")
    assert first["speedup"] == 1.0
    assert second["speedup"] == pytest.approx(first["seconds"] / second["seconds"])
    assert second["agrees"]
    assert second["compiled"]


def test_a_wrong_kernel_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    def wrong(app: Any, device: Any, steps: int, seed: int) -> Timed:
        return replace(SOME, device=device.name, losses=(2.0, 1.0 if device.type == "reference" else 1.1, 0.5))

    monkeypatch.setattr(comparison, "timed", wrong)
    result = _run("--devices", "reference,cpu")
    assert result.exit_code == 1
    assert "differs" in result.output
    assert "losses differ from those of reference by more than rounding: digits on cpu" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "there is no application 'nothing'; there are digits"),
        (("--steps", "0"), "--steps (=0) must be at least 1"),
        (("--devices", "cpu,abacus"), "abacus"),
        (("--devices", "cpu,cpu"), "--devices (='cpu,cpu') names one twice"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str):
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3.25, "3.2 s"), (119.0, "119.0 s"), (120.0, "2.0 min"), (9000.0, "2.5 h"), (2.5 * 86400, "2.5 days"),
     (21 * 86400.0, "3.0 weeks")],
)  # fmt: skip
def test_durations(seconds: float, told: str):
    assert duration(seconds) == told


def test_energy_is_that_of_the_device_by_its_bus(monkeypatch: pytest.MonkeyPatch):
    """On fakes of CuPy and NVML: the card that the device is, counted in joules between the first step and the last."""
    counted = iter((1000, 2000, 5000))
    nvml, cupy = ModuleType("pynvml"), ModuleType("cupy")
    nvml.__spec__ = cupy.__spec__ = ModuleSpec("fake", None)
    asked: list[Any] = []

    def handle(bus: bytes) -> str:
        asked.append(bus)
        return "card"

    for name, value in {
        "NVMLError": RuntimeError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetHandleByPciBusId": handle,
        "nvmlDeviceGetTotalEnergyConsumption": lambda card: next(counted),
    }.items():
        setattr(nvml, name, value)

    class Runtime:
        deviceGetPCIBusId = staticmethod(lambda index: f"0000:{index:02}:00.0")

    class Cuda:
        runtime = Runtime

    cupy.cuda = Cuda  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setitem(sys.modules, "cupy", cupy)

    class Card:
        type, index, name = "cuda", 3, "cuda:3"

    count = comparison._energy(Card)  # type: ignore[arg-type]
    assert asked == [b"0000:03:00.0"]
    assert count is not None
    assert [count(), count()] == [2.0, 5.0]
    assert comparison._energy(pyneural.device("cpu")) is None
