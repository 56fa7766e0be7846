"""`pyneural bench` on the command line: what it writes, what it refuses, its exit codes."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pyneural.bench import suite
from pyneural.cli import app
from pyneural.cli.console import console
from pyneural.cuda import gpu


def _run(*arguments: Any) -> Any:
    console.width = 200  # the console took its width when it was imported
    return CliRunner().invoke(app, ["bench", *(str(each) for each in arguments)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "run", functools.partial(suite.run, rounds=2, round_seconds=0.001))


def test_a_race_is_printed_written_and_drawn(tmp_path: Path, quick: None) -> None:
    pytest.importorskip("matplotlib")
    result = _run("matmul", "gelu", "--sizes", "8:16", "--against", "numpy,scipy", "--threads", 1, "--rounds", 3,
                  "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "bench.json").read_text())
    found = [(row["operation"], row["size"], sorted(row["ratio"])) for row in report["rows"]]
    both = ["numpy", "scipy"]
    assert found == [("matmul", 8, both), ("matmul", 16, both), ("gelu", 8, ["scipy"]), ("gelu", 16, ["scipy"])]
    for row in report["rows"]:
        assert all(seconds > 0 for seconds in row["seconds"].values())
        assert {len(turns) for turns in row["rounds"].values()} == {3}
        assert all(0 <= error <= 1e-5 for error in row["error"].values())
    assert report["ceilings"]["bytes"] > 0
    assert report["ceilings"]["flops"]["float32"] > 0
    assert report["contestants"]["scipy"]["scipy"]
    assert "ceilings measured" in result.output
    assert {each.name for each in tmp_path.iterdir()} == {"bench.json", "roofline.png", "scaling.png"}


@pytest.mark.parametrize(("seconds", "starts"), [(0.2, 1), (100.0, 2), (160.0, 4)])
def test_more_seconds_start_contestants_anew(seconds: float, starts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The race is told so; each start has its share of the seconds."""
    told = {}

    def race(*arguments: Any, **options: Any) -> Any:
        told.update(options)
        raise ArithmeticError("enough")

    monkeypatch.setattr("pyneural.bench.race.race", race)
    assert "enough" in _run("exp", "--seconds", seconds, "--against", "none").output
    assert told["starts"] == starts
    assert told["seconds"] * starts == seconds
    assert told["passes"] == suite.ROUNDS


def test_a_wrong_kernel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "slightly_wrong")
    planted = functools.partial(suite.run, module="tests.bench.planted", rounds=2, round_seconds=0.001)
    monkeypatch.setattr(suite, "run", planted)
    result = _run("matmul", "--sizes", "37", "--against", "none", "--threads", 1, "--out", tmp_path)
    assert result.exit_code == 1
    assert "refused, not timed: pyneural, matmul 37 float32: error" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("matmull",), "there is no operation 'matmull'; there are matmul,"),
        (("exp", "--against", "nump"), "there is no contestant 'nump'; there are reference, numpy"),
        (("exp", "--dtype", "float8"), "'float8' is none of float64, float32"),
        (("exp", "--dtype", ","), "--dtype (=',') names none"),
        (("exp", "--sizes", "x"), "sizes (='x') must be like 256:4096"),
        (("exp", "--device", "tpu"), "--device (='tpu') must be one of cpu, cuda"),
        (("exp", "--threads", "-1"), "--threads (=-1) must be at least 0"),
        (("exp", "--rounds", "1"), "--rounds (=1) must be at least 2"),
        (("exp", "--seconds", "-1"), "--seconds (=-1.0) must be at least 0"),
        (("exp", "--seconds", "9", "--rounds", "3"), "--rounds says how many there are"),
        (("exp", "--compare", "a.json", "b.json"), "--compare reads two reports and runs no operation"),
        (("--compare", "no-such-a.json", "no-such-b.json"), "there is no file no-such-a.json"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_without_a_gpu_the_device_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "obstacle", lambda: gpu.Obstacle("CuPy is not installed", "pip install it"))
    monkeypatch.setattr(sys.modules["pyneural.device"], "_devices", {})
    monkeypatch.setattr(suite, "run", lambda *arguments, **options: pytest.fail("raced"))
    result = _run("exp", "--device", "cuda")
    assert result.exit_code == 2
    assert "'cuda' cannot be used: CuPy is not installed: `pip install it`" in result.output


def test_matplotlib_is_asked_for_before_the_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(suite, "run", lambda *arguments: pytest.fail("raced"))
    result = _run("exp", "--out", tmp_path)
    assert result.exit_code == 1
    assert 'pip install "pyneural[bench]"' in result.output


def test_list() -> None:
    result = _run("--list")
    assert result.exit_code == 0
    assert "operations: matmul, linear, conv2d" in result.output
    assert "contestants: reference, numpy, scipy, numba, torch" in result.output
    assert "contestants: cublas" in _run("--list", "--device", "cuda").output


def test_compare_fails_beyond_noise_and_threshold(tmp_path: Path) -> None:
    def report(ratio: float) -> Path:
        row = {
            "operation": "exp", "size": 64, "dtype": "float32",
            "ratio": {"numpy": {"mean": ratio, "low": 0.99 * ratio, "high": 1.01 * ratio}},
        }  # fmt: skip
        path = tmp_path / f"{ratio}.json"
        suite.write(path, {"format": suite.FORMAT, "rows": [row]})
        return path

    same = _run("--compare", report(2.0), report(1.96))
    assert same.exit_code == 0, same.output
    assert "1 of 1 ratios agree within 5%" in same.output
    slower = _run("--compare", report(2.0), report(1.6))
    assert slower.exit_code == 1
    assert "1 of 1 ratios are slower" in slower.output
    assert "+25.0%" in slower.output
    assert _run("--compare", report(2.0), report(1.6), "--threshold", "0.3").exit_code == 0
    suite.write(tmp_path / "none.json", {"format": suite.FORMAT, "rows": []})
    assert _run("--compare", report(2.0), tmp_path / "none.json").exit_code == 2
