"""`pyneural explore`: what it writes, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pyneural.cli import app
from pyneural.learn.lesson import find

KERNELS = """
__global__ void shift(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i + 1];
}
__global__ void fill(float* y) { y[threadIdx.x] = VALUE; }
"""
FILL = ["--kernel", "fill", "--args", "zeros(32)", "-DVALUE=3"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernels.cu").write_text(KERNELS)
    return tmp_path


def written(path: Path) -> list[dict[str, Any]]:
    (data,) = re.findall(r'id="data">(.*)</script>', path.read_text(encoding="utf-8"))
    launches: list[dict[str, Any]] = json.loads(data)["launches"]
    return launches


def refused(*arguments: str, code: int = 2) -> str:
    result = CliRunner().invoke(app, ["explore", *arguments], env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    assert not Path("explore.html").exists()
    return " ".join(result.stderr.split())


def explored(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["explore", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_with_its_launch(place: Path) -> None:
    said = explored(
        "kernels.cu", "--kernel", "shift", "--grid", "2", "--block", "64", "--args", "rand(128), zeros(128), 128",
        "-DVALUE=1",
    )  # fmt: skip
    assert said.startswith("explore.html: kernels.cu: shift, ")
    (launch,) = written(place / "explore.html")
    assert (launch["grid"], launch["block"]) == ([2, 1, 1], [64, 1, 1])
    assert [each["kind"] for each in launch["findings"]] == ["out_of_bounds"]
    assert "\n".join(launch["source"]) == KERNELS.rstrip("\n")


def test_a_rung_beside_another(place: Path) -> None:
    explored("transpose", "2", "--beside", "transpose/3", "--out", "two.html", "--size", "rows=64")
    first, second = written(place / "two.html")
    assert first["title"] == "transpose 2: shared tile"
    assert first["grid"] == second["grid"] == [4, 2, 1]
    assert first["total"]["shared_load_bank_conflicts"] > 0
    assert "shared_load_bank_conflicts" not in second["total"]


def test_a_lesson(place: Path) -> None:
    lesson = find("6")
    assert "there is no learn/06_transpose.cu; begin with: pyneural learn start 6" in refused("6")
    assert "try it first: pyneural learn check 6" in refused("6", "--solution")
    (place / "learn").mkdir()
    (place / "learn" / "06_transpose.cu").write_text(lesson.solution)
    explored("6")
    (launch,) = written(place / "explore.html")
    assert launch["title"] == "06_transpose: 06_transpose.cu"
    explored("learn/06_transpose.cu")
    assert written(place / "explore.html") == [launch]
    wrong = place / "mine.cu"
    wrong.write_text(lesson.wrong[0].text)
    explored("mine.cu", "--lesson", "6", "--beside", "6")
    mine, again = written(place / "explore.html")
    assert (mine["grid"], again) == (launch["grid"], launch)
    (place / "learn" / ".progress.json").write_text('{"06_transpose": {"tries": 1, "marks": 0}}')
    explored("6", "--solution")
    assert written(place / "explore.html")[0]["title"] == "06_transpose: the solution"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["kernels.cu"],
            "nothing says how the kernel of kernels.cu is launched: give --kernel, --grid, --block and --args",
        ),
        (["kernels.cu", "--args", "zeros(8)", "-DVALUE=1"], "--kernel must choose one of shift, fill of kernels.cu"),
        (["kernels.cu", *FILL, "--lesson", "6"], "--lesson brings the launch and all its options"),
        (["kernels.cu", *FILL, "--size", "m=3"], "--size is for a ladder's rungs"),
        (["kernels.cu", *FILL, "--args", "zeros(8), 3"], "takes 1 argument"),
        (["kernels.cu", *FILL, "--block", "9999"], "block.x (=9999) must be between 1 and 1024"),
        (["kernels.cu", *FILL, "--timeout", "0"], "--timeout (=0.0) must be positive"),
        (["kernels.cu", *FILL, "--out", "no/page.html"], "no/page.html cannot be written: No such file or directory"),
        (["none.cu", *FILL], "there is no file none.cu"),
        (["matmul"], "which rung of matmul? Say its number"),
        (["matmul", "99"], "matmul has no rung 99"),
        (["matmul", "1", "--size", "m"], "--size (='m') must be NAME=VALUE"),
        (["matmul", "1", "--size", "q=1"], "no size is named q; there are: m, k, n"),
        (["matmul", "1", "--args", "3"], "--kernel, --grid, --args and the compiler's options are for FILE.cu"),
        (["matmul", "1", "--solution"], "--solution is for a lesson"),
        (["matmul", "1", "--lesson", "6"], "--lesson says how FILE.cu is launched"),
        (["97"], "97 is no file, no lesson"),
    ],
)
@pytest.mark.usefixtures("place")
def test_refusals(arguments: list[str], says: str) -> None:
    assert says in refused(*arguments)


def test_what_does_not_compile(place: Path) -> None:
    (place / "bad.cu").write_text("__global__ void f(float* y) { y[0] = z; }\n")
    assert "bad.cu:1" in refused("bad.cu", "--args", "zeros(8)", code=1)
