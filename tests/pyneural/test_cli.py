"""The command line: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import pyneural
from pyneural import apps, doctor, io, nn
from pyneural.apps import digits
from pyneural.cli import app
from pyneural.cli.console import console
from pyneural.kernels.accuracy import Report

pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")
pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")


def _run(*arguments: Any) -> Any:
    console.width = 200  # the console took its width when it was imported
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch, reference_device: None) -> None:
    """A few images on the reference device, so that a training takes a second."""
    whole = digits.load_data

    def load_data(device: Any = None, dtype: Any = None) -> digits.Digits:
        return digits.Digits(*(each[:64] for each in vars(whole(device, dtype)).values()))

    monkeypatch.setattr(digits, "load_data", load_data)


def test_help_and_version():
    result = _run("--help")
    assert result.exit_code == 0
    for command in ("doctor", "devices", "demo", "train", "evaluate", "predict", "bench", "tune", "warm-up"):
        assert command in result.output
    assert _run("--version").output == f"pyneural {pyneural.__version__}\n"
    assert _run("train", "--help").exit_code == 0


def test_warm_up_compiles_for_later_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path))
    first, second = (_run("warm-up", "relu", "dropout", "--dtype", "float64", "--jobs", 2) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    made = len(list(tmp_path.rglob("*.nbc")))
    assert made > 0
    assert f"float64: {made} kernels compiled" in first.output
    assert "float64: 0 kernels compiled" in second.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there is no operation 'nothing'"),
        (["relu", "--dtype", "float8"], "--dtype (='float8') must be one of float64, float32"),
        (["relu", "--jobs", -1], "--jobs (=-1) must be at least 0"),
    ],
)
def test_warm_up_refuses(arguments: list[Any], message: str):
    result = _run("warm-up", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_help_imports_nothing_heavy():
    program = (
        "import sys\nfrom pyneural.cli import app\n"
        "print([each for each in ('numba', 'matplotlib', 'sklearn', 'torch', 'PIL', 'cupy') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_doctor_names_every_device_and_its_cure():
    result = _run("doctor")
    assert result.exit_code == 0, result.output
    assert "reference" in result.output
    found = json.loads(_run("doctor", "--json").output)
    assert found["ok"]
    devices = {each["name"]: each for each in found["devices"]}
    assert devices["cpu"]["ok"]
    assert devices["reference"]["ok"]
    assert "threads" in devices["cpu"]["detail"]
    for each in (*found["devices"], *found["tools"]):
        assert each["ok"] == (each["mend"] is None)
        assert each["detail"]
    assert found["versions"]["numpy"] == np.__version__
    assert found["machine"]["cores"] >= 1


def test_doctor_fails_where_the_kernels_do(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        def add(self, *_: Any) -> None:
            raise ImportError("libsvml.so: cannot open shared object file")

    monkeypatch.setattr(doctor.kernels, "backend", lambda name: Broken())
    result = _run("doctor", "--json")
    assert result.exit_code == 1
    cpu = json.loads(result.stdout)["devices"][0]
    assert cpu["detail"] == "ImportError: libsvml.so: cannot open shared object file"
    assert cpu["mend"] == "pip install --force-reinstall numba llvmlite"
    assert "what pyneural needs does not work: cpu, reference" in result.stderr


def test_doctor_notices_wrong_results(monkeypatch: pytest.MonkeyPatch):
    class Wrong:
        def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
            result = a + b
            result[7] += 1.0
            return result

    monkeypatch.setattr(doctor.kernels, "backend", lambda name: Wrong())
    assert doctor.devices()[0].detail == "its sum at 7 is 15.0, not 14.0"


def test_devices_lists_all():
    names = [each["name"] for each in json.loads(_run("devices", "--json").output)]
    assert names == ["cpu", "reference", "cuda", "simulator"]
    assert "cuda" in _run("devices").output


@pytest.mark.usefixtures("few_images")
def test_train_then_predict(tmp_path: Path):
    result = _run("train", "digits", "--device", "reference", "--epochs", 2, "--seed", 3, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    keys = "app device seed epochs seconds final_train_loss test baseline versions"
    assert list(report) == keys.split()
    assert (report["app"], report["device"], report["seed"], report["epochs"]) == ("digits", "reference", 3, 2)
    assert round(report["baseline"]["accuracy"], 3) == 0.969
    assert f"test accuracy {report['test']['accuracy']:.4f}" in result.output
    assert sorted(each.name for each in (tmp_path / "run").iterdir()) == [
        "digits.png",
        "digits.safetensors",
        "report.json",
    ]

    weights = tmp_path / "run" / "digits.safetensors"
    image = (digits.load_data().test_images[5, 0].numpy() * 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "digit.png")
    shown = _run("predict", "digits", tmp_path / "digit.png", "--weights", weights, "--device", "reference")
    assert shown.exit_code == 0, shown.output
    found = json.loads(
        _run(
            "predict", "digits", tmp_path / "digit.png", "--weights", weights, "--device", "reference", "--json"
        ).output
    )
    assert shown.output.splitlines()[0] == str(found["digit"])
    assert sum(found["probabilities"]) == pytest.approx(1.0, abs=1e-5)
    assert int(np.argmax(found["probabilities"])) == found["digit"]

    # One input on each line of the standard input; a wrong one is named and ends nothing.
    given = f"{tmp_path / 'nowhere.png'}\n{tmp_path / 'digit.png'}\n"
    arguments = ["predict", "digits", "-", "--weights", str(weights), "--device", "reference"]
    lines = CliRunner().invoke(app, arguments, input=given).output
    assert lines.startswith(f"predict: there is no file {tmp_path / 'nowhere.png'} (digits takes")
    assert lines.endswith(shown.output)


@pytest.mark.usefixtures("few_images")
def test_evaluate_says_what_the_report_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    lacking = _run("predict", "digits", "digit.png")
    assert lacking.exit_code == 2
    assert "train first: pyneural train digits" in lacking.stderr
    assert _run("train", "digits", "--device", "reference", "--epochs", 1).exit_code == 0
    report = json.loads(Path("runs/digits/report.json").read_text())
    (row,) = json.loads(_run("evaluate", "digits", "--device", "reference", "--json").output)
    assert (row["test"], row["baseline"], row["seed"]) == (report["test"], report["baseline"], 0)
    shown = _run("evaluate", "digits", "--device", "reference")
    assert shown.exit_code == 0
    assert f"{report['test']['accuracy']:.4f}" in shown.output
    monkeypatch.setattr(apps, "APPS", {"digits": "", "faces": ""})
    everything = _run("evaluate", "--all", "--device", "reference")
    assert everything.exit_code == 1
    assert f"{report['test']['accuracy']:.4f}" in everything.stdout
    assert "not trained yet: faces (pyneural train faces)" in everything.stderr


@pytest.mark.usefixtures("few_images")
def test_training_repeats_by_its_seed(tmp_path: Path):
    for name in ("a", "b"):
        arguments = ("--device", "reference", "--epochs", 1, "--seed", 5, "--out", tmp_path / name)
        assert _run("train", "digits", *arguments).exit_code == 0
    first, second = ((tmp_path / name / "digits.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.usefixtures("few_images")
def test_demo_writes_pictures_and_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digits, "GOAL", 0.0)
    result = _run("demo", "--out", tmp_path, "--epochs", 1)
    assert result.exit_code == 0, result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "digits-predictions.png",
        "digits.safetensors",
        "loss.png",
    ]
    assert "every logit bit for bit" in result.output
    fused = "cross_entropy_with_gradient"
    for kernel in ("conv2d_wgrad", "adam_step", fused, "max_pool2d", "batch_norm_infer", "dropout"):
        assert kernel in result.output
    assert "wrong" not in result.output
    line = next(each for each in result.output.splitlines() if each.startswith("test accuracy "))
    assert 0.0 <= float(line.split()[-1]) <= 1.0


@pytest.mark.usefixtures("few_images")
def test_demo_fails_below_its_goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digits, "GOAL", 1.1)
    result = _run("demo", "--out", tmp_path, "--epochs", 1)
    assert result.exit_code == 1
    assert "is below 1.1" in result.stderr


@pytest.mark.usefixtures("few_images")
def test_demo_fails_on_a_wrong_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(digits, "GOAL", 0.0)
    module = importlib.import_module("pyneural.cli.demo")  # pyneural.cli's attribute of that name is the command
    monkeypatch.setattr(module, "compare", lambda *_: Report(0.5, 1e-6, "result 0: 1.5 at (0,), expected 1.0"))
    result = _run("demo", "--out", tmp_path, "--epochs", 1)
    assert result.exit_code == 1
    assert "adam_step: result 0: 1.5 at (0,), expected 1.0" in result.stderr


@pytest.mark.usefixtures("few_images")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "digits", "--device", "gpu"), "device: 'gpu' is none of 'cpu', 'reference'"),
        (("train", "digits", "--device", "cuda"), "device: 'cuda' cannot be used"),
        (("train", "digits", "--epochs", "0"), "--epochs (=0) must be at least 1"),
        (("train", "digits", "--lr", "-1"), "--lr (=-1.0) must be at least 0"),
        (("train", "digits", "--batch-size", "1000"), "batch_size (=1000) must be at most the 64 training samples"),
        (("train", "letters"), "there is no application 'letters'; there are digits"),
        (("evaluate",), "name one application, or ask for --all"),
        (("evaluate", "digits", "--all"), "name one application, or ask for --all"),
        (("evaluate", "--all", "--weights", "w"), "--weights are those of one application"),
        (("evaluate", "letters"), "there is no application 'letters'"),
        (("predict", "digits", "nowhere.png", "--weights", "w"), "there is no file w"),
        (("demo", "--seed", "-1"), "--seed (=-1) must be at least 0"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], message: str):
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.usefixtures("reference_device")
@pytest.mark.parametrize("kind", ["a picture", "other tensors", "another network", "another application"])
def test_predict_refuses_foreign_weights(tmp_path: Path, kind: str):
    picture, weights = tmp_path / "digit.png", tmp_path / "weights"
    Image.fromarray(np.diag(np.full(8, 255, np.uint8))).save(picture)
    if kind == "a picture":
        weights.write_bytes(picture.read_bytes())
        message = "is no whole safetensors file"
    elif kind == "other tensors":
        io.save(weights, nn.Linear(2, 2))
        message = "is a safetensors file but no checkpoint of pyneural"
    elif kind == "another network":
        io.save_checkpoint(weights, model=nn.Linear(2, 2), app="digits")
        message = "does not fit: missing: 0.weight"
    else:
        io.save_checkpoint(weights, model=digits.build(), app="letters")
        message = "was made by the application 'letters', not by 'digits'"
    result = _run("predict", "digits", picture, "--weights", weights, "--device", "reference")
    assert result.exit_code == 2
    assert message in result.stderr
    assert str(weights) in result.stderr


@pytest.mark.usefixtures("reference_device")
def test_predict_refuses_what_is_no_picture(tmp_path: Path):
    (tmp_path / "digit.png").write_text("hello")
    io.save_checkpoint(tmp_path / "weights", model=digits.build(), app="digits")
    result = _run(
        "predict", "digits", tmp_path / "digit.png", "--weights", tmp_path / "weights", "--device", "reference"
    )
    assert result.exit_code == 2
    assert "digit.png is no picture" in result.stderr
