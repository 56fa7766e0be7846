"""What surrounds the lessons: skeletons, the judge's words, processes with limits, grading, the command line."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyneural import cuda
from pyneural.cli import app
from pyneural.cli.learn import saves
from pyneural.learn import grading, runner
from pyneural.learn.exercise import Case, Remark
from pyneural.learn.judge import FULL, Verdict, judge
from pyneural.learn.lesson import Lesson, UnknownLesson, find, skeleton

LESSON = find("1")
OPENING = "__global__ void scale(float a, const float* x, float* y) {\n"
INDEX = "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"

ENDLESS = OPENING + INDEX + "  while (i >= 0) y[i & 31] = a;\n}\n"
EXITS = "#include <cstdlib>\nstatic int early = (std::exit(0), 1);\n" + OPENING + "  y[0] = early;\n}\n"
KILLS_ITSELF = "#include <csignal>\nstatic int early = raise(SIGKILL);\n" + OPENING + "  y[0] = early;\n}\n"
NEVER_LOADS = (
    "static int forever() { for (volatile int i = 0;; i = 1) {} }\nstatic int x_ = forever();\n" + OPENING + "}\n"
)
HUGE = "#include <vector>\nstatic std::vector<char> huge(1ull << 36);\n" + OPENING + "  y[0] = a;\n}\n"


def _check(text: str, tmp_path: Path, rng: np.random.Generator, seconds: float = 30.0) -> Verdict:
    file = tmp_path / f"{LESSON.name}.cu"
    file.write_text(text)
    return runner.check(LESSON, file, int(rng.integers(1 << 30)), seconds=seconds)


def test_skeleton_leaves_the_marked_lines_out():
    assert skeleton("a\n// >>> do\nb\n  //: c\n// <<<\nd") == "a\n// >>> do\n  c\n// <<<\nd"
    for text, message in (
        ("// >>>\na", "never closed"),
        ("// <<<", "line 1: // <<< without"),
        ("// >>>\n// >>>\n// <<<", "line 2: // >>> within"),
    ):
        with pytest.raises(ValueError, match=message):
            skeleton(text)


def test_lessons_are_found_by_number_and_name():
    assert find("01") == find("1") == find("01_threads")
    with pytest.raises(UnknownLesson, match="no lesson '99'; there are: 01_threads"):
        find("99")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (OPENING + "  y[0] = a +;\n}\n", "line 2: does not compile: error:"),
        ("__global__ void other(float* y) { y[0] = 1; }\n", "has no kernel 'scale'; it has: other"),
        ("__global__ void scale(float* y) { y[0] = 1; }\n", "scale: "),
        (OPENING + INDEX + "  y[i + 1] = a * x[i];\n}\n", "line 3: out_of_bounds: thread 31 of block 0 writes"),
        (OPENING + INDEX + "  if (i % 2) y[i] = a * x[i];\n}\n", "line 3: y[0] is never written"),
        (OPENING + INDEX + "  y[i] = a * x[i] + x[i] / x[i] / 0.0f;\n}\n", "line 3: y[0] is inf, not"),
    ],
    ids=["syntax", "name", "parameters", "bounds", "unwritten", "infinite"],
)
def test_judge_names_the_place(text: str, says: str, tmp_path: Path, rng: np.random.Generator):
    file = tmp_path / "one.cu"
    file.write_text(text)
    verdict = judge(LESSON, file, int(rng.integers(1 << 30)))
    assert verdict.marks == 0
    assert says in str(verdict.remarks[0])


TWO = """
__global__ void scale(float a, const float* x, float* y) { y[blockIdx.x * blockDim.x + threadIdx.x] = 0; }
__global__ void other(float a, const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = a * x[i];
}
"""


def _of_two(**changes: Any) -> Lesson:
    """Lesson 1, whose launches are those of the kernel `other`."""
    exercise = replace(LESSON.exercise, more=("other",), **changes)

    def other(rng: np.random.Generator) -> list[Case]:
        return [replace(case, kernel="other") for case in LESSON.exercise.cases(rng)]

    def measured(rng: np.random.Generator) -> tuple[Case, int]:
        case, least = LESSON.exercise.measured(rng)
        return replace(case, kernel="other"), least

    lesson = Lesson(LESSON.folder)
    lesson.__dict__["exercise"] = replace(exercise, cases=other, measured=measured)
    return lesson


def test_a_case_names_its_kernel(tmp_path: Path, rng: np.random.Generator):
    file = tmp_path / "two.cu"
    file.write_text(TWO)
    seed = int(rng.integers(1 << 30))
    assert judge(_of_two(), file, seed).marks == FULL
    assert judge(LESSON, file, seed).marks == 0
    file.write_text(TWO.replace("other", "another"))
    (remark,) = judge(_of_two(), file, seed).remarks
    assert "has no kernel 'other'" in remark.says
    assert remark.look == "the name of the kernel, which must be other"


def test_what_else_is_asked_of_kernels(tmp_path: Path, rng: np.random.Generator):
    """Once they are right and clean, and a remark means that they are not right."""
    asked: list[list[str]] = []

    def also(kernels: Mapping[str, cuda.Kernel], rng: np.random.Generator) -> list[Remark]:
        asked.append(list(kernels))
        return answer

    file = tmp_path / "two.cu"
    seed = int(rng.integers(1 << 30))
    for text, answer, marks in (
        (TWO, [], FULL),
        (TWO, [Remark("no")], 0),
        (TWO.replace("a * x[i]", "a"), [], 0),
        (TWO.replace("y[i]", "y[i] = y[i + gridDim.x * blockDim.x] = y[i]"), [], 6),
    ):
        file.write_text(text)
        verdict = judge(_of_two(also=also), file, seed)
        assert verdict.marks == marks, verdict.remarks
        assert verdict.remarks[: len(answer)] == answer
    assert asked == 2 * [["scale", "other"]]


def test_order_that_nobody_promised_is_seen(tmp_path: Path, rng: np.random.Generator):
    """Right in order only: each thread waits for a value that another block leaves behind."""
    file = tmp_path / "one.cu"
    step = "  if (x[i] != x[i] || atomicAdd(&seen, 1) % (gridDim.x * blockDim.x) == i) y[i] = a * x[i];\n"
    file.write_text("__device__ int seen;\n" + OPENING + INDEX + step + "}\n")
    verdict = judge(LESSON, file, int(rng.integers(1 << 30)))
    assert not verdict.correct
    assert "depends on an order that nobody promised" in verdict.remarks[-1].says


def test_solution_passes_in_its_own_process(tmp_path: Path, rng: np.random.Generator):
    verdict = _check(LESSON.solution, tmp_path, rng)
    assert not verdict.remarks
    assert verdict.marks == FULL


def test_the_simulator_is_there_before_the_seconds_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rng: np.random.Generator
):
    """Compiled before, where there is none yet; and that there is no compiler is for the check itself to say."""
    happened: list[str] = []
    real = runner.subprocess.Popen

    def library() -> Path:
        happened.append("library")
        raise cuda.CompilerNotFoundError("none here")

    def process(*arguments: Any, **options: Any) -> Any:
        happened.append("process")
        return real(*arguments, **options)

    monkeypatch.setattr(runner.toolchain, "runtime_library", library)
    monkeypatch.setattr(runner.subprocess, "Popen", process)
    monkeypatch.setenv("CXX", "no_such_compiler")
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path / "cache"))
    verdict = _check(LESSON.solution, tmp_path, rng)
    assert happened == ["library", "process"]
    assert "needs a C++ compiler: CXX='no_such_compiler' does not run" in str(verdict.remarks[0])


@pytest.mark.parametrize(
    ("text", "says", "seconds"),
    [
        (ENDLESS, "hang", 30.0),
        (EXITS, "the program ended before the check did (exit code 0)", 30.0),
        (KILLS_ITSELF, "the program was ended by SIGKILL", 30.0),
        (NEVER_LOADS, "the check did not end within 8 seconds", 8.0),
        (HUGE, "SIGABRT: ", 30.0),
    ],
    ids=["endless", "exits", "killed", "never_loads", "huge"],
)
def test_hostile_code_ends_the_check_only(
    text: str, says: str, seconds: float, tmp_path: Path, rng: np.random.Generator
):
    verdict = _check(text, tmp_path, rng, seconds)
    assert verdict.marks == 0
    assert any(says in str(each) for each in verdict.remarks), verdict.remarks


def test_grades_go_on_after_hostile_code(tmp_path: Path, rng: np.random.Generator):
    for student, text in (("=ann", LESSON.solution), ("bob", KILLS_ITSELF), ("cid", LESSON.solution)):
        (tmp_path / student).mkdir()
        (tmp_path / student / f"{LESSON.name}.cu").write_text(text)
    (tmp_path / "dee").symlink_to(tmp_path / "cid")
    (tmp_path / "bob" / "notes.txt").write_text("no lesson")
    place = io.StringIO()
    assert grading.write(grading.grade(tmp_path, int(rng.integers(1 << 30))), place) == 3
    rows = list(csv.DictReader(place.getvalue().splitlines()))
    assert [(row["student"], row["marks"]) for row in rows] == [("'=ann", "10"), ("bob", "0"), ("cid", "10")]
    assert "SIGKILL" in rows[1]["says"]
    assert rows[1]["traffic"] == ""
    assert rows[0]["traffic"] == "1.000"


def _run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["learn", *(str(each) for each in arguments)])


def test_a_lesson_from_start_to_solution(tmp_path: Path):
    folder = ("--folder", tmp_path / "mine")
    file = tmp_path / "mine" / f"{LESSON.name}.cu"
    assert _run("check", 1, *folder).exit_code == 2, "nothing is begun yet"
    assert _run("start", 1, *folder).exit_code == 0
    assert file.read_text() == LESSON.skeleton
    assert file.with_suffix(".md").read_text() == LESSON.text
    assert _run("solution", 1, *folder).exit_code == 2, "only after a try"
    file.write_text(LESSON.wrong[0].text)
    assert _run("start", 1, *folder).exit_code == 2
    assert file.read_text() == LESSON.wrong[0].text, "work is never overwritten"
    failed = _run("check", 1, *folder, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.output)["marks"] == 0
    shown = _run("solution", 1, *folder)
    assert shown.exit_code == 0
    assert shown.output.strip() == LESSON.solution.strip()
    file.write_text(LESSON.solution)
    passed = _run("check", 1, *folder, "--seed", 5)
    assert passed.exit_code == 0
    assert "10 of 10 marks" in passed.output
    row = json.loads(_run("list", *folder, "--json").output)[0]
    assert row == {"lesson": LESSON.name, "title": LESSON.title, "tries": 2, "marks": 10}
    assert LESSON.title in _run("list", *folder).output


def test_hints_are_graded():
    given = [_run("hint", 1, "--level", level).output.strip() for level in (1, 2, 3)]
    assert given == LESSON.hints
    assert _run("hint", 1).output.strip() == LESSON.hints[0]
    assert _run("hint", 99).exit_code == 2


def test_grade_wants_a_folder_with_students(tmp_path: Path):
    assert _run("grade", tmp_path / "none").exit_code == 2
    assert _run("grade", tmp_path).exit_code == 1


def test_watch_sees_each_save(tmp_path: Path):
    file = tmp_path / "one.cu"
    file.write_text("1")
    seen = saves(file, poll=0.0)
    first = next(seen)
    os.utime(file, ns=(first + 1, first + 1))
    assert next(seen) == first + 1
