"""`pyneural tune`: which candidates race, who wins, and that a wrong one is refused."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyneural.bench import subjects, tune
from pyneural.cli import app
from pyneural.cli.console import console
from pyneural.cuda import gpu
from pyneural.kernels import tuning

F32 = np.dtype("float32")
SIZE = 160


@pytest.fixture
def kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tuning, "cache_folder", lambda: tmp_path / "numba")
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    tuning._kept.cache_clear()
    yield tmp_path / "tuned.json"
    tuning._kept.cache_clear()


def test_candidates_divide_the_product_in_different_ways() -> None:
    from pyneural.kernels.matmul import gemm

    found = tune.candidates(1024, F32, 2)
    assert found[0] == tuning.MATMUL
    plans = [gemm.parallel_plan(1024, 1024, 1024, 4, 4, 2, block) for block in found]
    assert len(set(plans)) == len(plans) > 5


def test_the_winner_must_win_most_rounds() -> None:
    usual = [1.0, 1.0, 1.0, 1.0]
    assert tune.chosen({"usual": usual, "other": [0.5, 0.5, 0.5, 0.5]}) == ("other", 2.0)
    assert tune.chosen({"usual": usual, "lucky": [0.5, 0.5, 1.1, 1.1]}) == ("usual", 1.0)
    assert tune.chosen({"usual": usual, "alike": [0.99, 0.99, 0.99, 0.99]}) == ("usual", 1.0)
    assert tune.chosen({"usual": usual, "good": [0.8] * 4, "best": [0.5] * 4}) == ("best", 2.0)


def test_every_candidate_is_timed_and_the_winner_kept(kept: Any) -> None:
    found = tune.matmul(SIZE, "float32", 2, rounds=2, round_seconds=0.001)
    assert set(found.tried) == set(map(tune.named, tune.candidates(SIZE, F32, 2)))
    assert all(seconds > 0 for seconds in found.tried.values())
    assert tune.named(found.winner) in found.tried
    assert not tuning._forced
    winner = tuning.Blocking(64, 128)
    tune.keep([found._replace(winner=winner)])
    assert tuning.matmul(SIZE, SIZE, SIZE, F32, 2) == winner
    assert kept.exists()


def test_a_wrong_candidate_is_refused(kept: Any) -> None:
    def prepare(block: tuning.Blocking) -> subjects.Prepare:
        honest = tune._prepare(block)

        def planted(kind: str, options: dict[str, Any]) -> subjects.Subject:
            subject = honest(kind, options)
            wrong = block != tuning.MATMUL
            return subject._replace(run=lambda: subject.run() * np.float32(1.001 if wrong else 1))

        return planted

    with pytest.raises(ArithmeticError, match=r"\d+ x \d+, matmul 160 float32: error .* is above 1e-05"):
        tune.matmul(SIZE, "float32", 2, rounds=2, round_seconds=0.001, prepare=prepare)


def _run(*arguments: Any) -> Any:
    console.width = 200  # the console took its width when it was imported
    return CliRunner().invoke(app, ["tune", *(str(each) for each in arguments)])


def test_the_command_keeps_the_winner(kept: Any) -> None:
    result = _run("matmul", "--sizes", SIZE, "--threads", 2)
    assert result.exit_code == 0, result.output
    assert "matmul, float32, 2 threads" in result.output
    assert list(tuning.load(kept)) == [tuning.key(SIZE, SIZE, SIZE, F32, 2)]


def test_the_command_keeps_nothing_where_a_result_is_wrong(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any) -> Any:
        raise ArithmeticError("64 x 64, matmul 160 float32: error 1 is above 1e-05")

    monkeypatch.setattr(tune, "matmul", wrong)
    result = _run("matmul", "--sizes", SIZE, "--threads", 2)
    assert result.exit_code == 1
    assert "refused, nothing is kept: 64 x 64" in result.output
    assert not kept.exists()


def test_without_a_gpu_the_device_says_why(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "obstacle", lambda: gpu.Obstacle("CuPy is not installed", "pip install it"))
    monkeypatch.setattr(sys.modules["pyneural.device"], "_devices", {})
    result = _run("matmul", "--device", "cuda")
    assert result.exit_code == 2
    assert "'cuda' cannot be used: CuPy is not installed: `pip install it`" in result.output
    assert not kept.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv2d",), "there is nothing to tune of 'conv2d'; there is of matmul"),
        (("matmul", "--device", "tpu"), "--device (='tpu') must be one of cpu, cuda"),
        (("matmul", "--device", "cuda", "--threads", "2"), "--threads (=2) are a CPU's, and --device is cuda"),
        (("matmul", "--device", "cuda", "--dtype", "int8"), "dtype 'int8' is none of float64, float32"),
        (("matmul", "--dtype", "bfloat16"), "--dtype (='bfloat16') must be float32 or float64"),
        (("matmul", "--sizes", "x"), "sizes (='x') must be like"),
        (("matmul", "--threads", "-1"), "--threads (=-1) must be at least 0"),
        (("matmul", "--threads", "9999"), "--threads (=9999) must be at most"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str) -> None:
    result = _run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
