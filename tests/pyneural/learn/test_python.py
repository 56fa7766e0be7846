"""Lessons in Python: the judge's words, the command line, files that do harm, and what rules read in a source."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyneural.cli import app
from pyneural.learn import grading, python_rules, python_tree, runner
from pyneural.learn.judge import FULL, judge
from pyneural.learn.language import CUDA, PYTHON, in_python, told_in
from pyneural.learn.lesson import UnknownLesson, every, find, lessons, skeleton
from pyneural.learn.python_text import PythonSource

LESSON = find("1.py")
HEAD = "from numba import cuda\n\n@cuda.jit\ndef scale(a, x, y):\n    i = cuda.grid(1)\n"


def test_lessons_are_found_in_both_languages() -> None:
    assert find("01_threads.py") == LESSON != find("1")
    assert LESSON.key == LESSON.file == "01_threads.py"
    assert find("1").language is CUDA
    with pytest.raises(UnknownLesson, match="no lesson '99' in Python; there are: 01_threads"):
        find("99.py")
    assert skeleton("a\n# >>> do\nb\n#: c\n# <<<\nd", LESSON.language) == "a\n# >>> do\nc\n# <<<\nd"


def test_a_lesson_that_numba_cannot_have_says_why() -> None:
    missing = {each.number for each in lessons()} - {each.number for each in lessons(PYTHON)}
    assert missing == {18, 19}
    for number, what in ((18, "asynchronous copies (cp.async)"), (19, "tensor cores (mma)")):
        with pytest.raises(UnknownLesson, match=f"lesson {number} is in CUDA C\\+\\+ only, for Numba has no ") as found:
            find(f"{number}.py")
        assert what in str(found.value)
        started = _run("start", number, "--python")
        assert started.exit_code == 2
        assert what in " ".join(started.output.split())
    assert all(bool(each.exercise.cuda_only) == (each.number in missing) for each in lessons())


def test_a_text_tells_each_language_its_own() -> None:
    text = "a\n<!-- CUDA C++ -->\nb\n<!-- Python -->\nc\n<!-- both -->\nd\n"
    assert told_in(CUDA, text) == "a\nb\nd\n"
    assert told_in(PYTHON, text) == "a\nc\nd\n"
    assert told_in(CUDA, "a\n") == "a\n"
    assert not [each.key for each in every() if "<!--" in each.text]


@pytest.mark.parametrize(
    ("text", "says", "look"),
    [
        (HEAD + "    y[i] = a * x[i\n", "line 6: does not compile: error: '[' was never closed", "this line"),
        (HEAD + "    y[i] = a * z[i]\n", "line 6: does not compile: error: the name z is not defined", "spelling"),
        (HEAD + "    y[i / 1] = a\n", "line 6: does not compile: error: an index must be whole numbers", "`//`"),
        (HEAD + "    y[i] = x[i:]\n", "line 6: does not compile", ""),
        (HEAD + "    y[i] = a * x\n", "line 6: does not compile: error: mul does not take", "with elements, and not"),
        (HEAD + "    cuda.syncthread()\n", "line 6: does not compile: error: module 'numba.cuda' has no", "spelling"),
        (HEAD.replace("scale", "other") + "    y[i] = a\n", "has no kernel 'scale'; it has: other", "name of the"),
        (HEAD.replace("@cuda.jit\n", "") + "    y[i] = a\n", "line 3: does not compile: error: scale is a plain", ""),
        (HEAD.replace("@cuda.jit", "@cuda.jit('void(f8, f4[:], f4[:])')") + "    y[i] = a\n", "without types", ""),
        (HEAD.replace("a, x, y", "x, y") + "    y[i] = x[i]\n", "scale has 2 parameters, and the launch gives", ""),
        ("import nothing_of_this_name\n" + HEAD, "line 1: does not compile: error: ModuleNotFoundError", ""),
        (HEAD + "    y[i + 1] = a * x[i]\n", "line 6: out_of_bounds: thread 31 of block 0 writes global", "guards"),
        (HEAD + "    if i % 2:\n        y[i] = a * x[i]\n", "line 7: y[0] is never written", "`i = cuda.grid(1)`"),
        (HEAD + "    y[i] = a * x[i - 1]\n", "line 6: an index is negative here for thread 0", "above"),
        (HEAD + "    y[i] == a * x[i]\n", "line 6: this changes nothing", "an assignment"),
        (HEAD + "    assert x[i] > 9\n    y[i] = a\n", "line 6: assertion_failed: thread 0 of block 0", ""),
    ],
    ids=["syntax", "undefined", "fraction", "slice", "array", "attribute", "name", "no jit", "types", "parameters",
         "import", "bounds", "unwritten", "negative", "compared", "assert"],
)  # fmt: skip
def test_judge_names_the_place(text: str, says: str, look: str, tmp_path: Path, rng: np.random.Generator) -> None:
    file = tmp_path / "one.py"
    file.write_text(text)
    verdict = judge(LESSON, file, int(rng.integers(1 << 30)))
    assert verdict.marks == 0
    assert says in str(verdict.remarks[0]), verdict.remarks
    assert any(look in each.look for each in verdict.remarks), verdict.remarks


@pytest.mark.parametrize(
    ("number", "right", "wrong", "look"),
    [
        (10, "t >= distance", "t > distance", "the comparison `>` on this line"),
        pytest.param(
            12, "ty * EACH + r, j", "tx * EACH + r, j", "the name `tx` on this line", marks=pytest.mark.simulator
        ),
        pytest.param(8, "(lane, width, 32)", "(lane, width, 31)", "which element each", marks=pytest.mark.simulator),
    ],
)
def test_a_change_that_mends_is_found(
    number: int, right: str, wrong: str, look: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    """On its line; where none is enough, nothing is claimed."""
    lesson = find(f"{number}.py")
    text = lesson.solution
    assert text.count(right) == 1
    file = tmp_path / lesson.file
    file.write_text(text.replace(right, wrong))
    verdict = judge(lesson, file, int(rng.integers(1 << 30)))
    assert not verdict.correct
    assert any(look in each.look for each in verdict.remarks), verdict.remarks
    if "on this line" in look:
        assert text[: text.index(right)].count("\n") + 1 in [each.line for each in verdict.remarks]


def _run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["learn", *(str(each) for each in arguments)])


def test_a_lesson_from_start_to_solution(tmp_path: Path) -> None:
    """The language of later commands is that of the file, unless both are there."""
    folder = ("--folder", tmp_path)
    file = tmp_path / LESSON.file
    unbegun = _run("check", 1, "--python", *folder)
    assert unbegun.exit_code == 2
    assert "begin with: pyneural learn start 1 --python" in " ".join(unbegun.output.split())
    assert _run("start", 1, "--python", *folder).exit_code == 0
    assert file.read_text() == LESSON.skeleton
    assert (tmp_path / "01_threads.py.md").read_text() == LESSON.text
    assert "nothing is written" in _run("check", 1, *folder).output
    file.write_text(LESSON.solution)
    passed = _run("check", 1, *folder, "--seed", 5)
    assert passed.exit_code == 0, passed.output
    assert "10 of 10 marks" in passed.output
    assert _run("solution", 1, *folder).output.strip() == LESSON.solution.strip()
    assert _run("hint", 1, *folder).output.strip() == LESSON.hints[0]
    row = json.loads(_run("list", "--python", *folder, "--json").output)[0]
    assert row == {"lesson": "01_threads.py", "title": LESSON.title, "tries": 2, "marks": 10}
    assert json.loads(_run("list", *folder, "--json").output)[0]["tries"] == 0
    assert _run("start", 1, *folder).exit_code == 0
    assert _run("check", 1, *folder).exit_code == 1, "both are there: this is the one in CUDA C++"
    assert _run("check", 1, *folder, "--python").exit_code == 0


def test_grades_go_on_after_what_does_harm(tmp_path: Path, rng: np.random.Generator) -> None:
    ends = "import os\nos._exit(3)\n"
    endless = HEAD + "    while i >= 0:\n        y[i & 31] = a\n"
    for student, text in (("ann", LESSON.solution), ("bob", ends), ("cid", endless)):
        (tmp_path / student).mkdir()
        (tmp_path / student / LESSON.file).write_text(text)
    (tmp_path / "ann" / "01_threads.cu").write_text(find("1").solution)
    place = io.StringIO()
    assert grading.write(grading.grade(tmp_path, int(rng.integers(1 << 30))), place) == 4
    rows = list(csv.DictReader(place.getvalue().splitlines()))
    assert [(row["student"], row["lesson"], row["marks"]) for row in rows] == [
        ("ann", "01_threads", "10"), ("ann", "01_threads.py", "10"), ("bob", "01_threads.py", "0"),
        ("cid", "01_threads.py", "0"),
    ]  # fmt: skip
    assert "exit code 3" in rows[2]["says"]
    assert "hang" in rows[3]["says"]


def test_numba_s_own_simulator_does_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    file = tmp_path / LESSON.file
    file.write_text(LESSON.solution)
    assert runner.check(LESSON, file, int(rng.integers(1 << 30))).marks == FULL


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("`threadIdx.x` of `blockDim.y`", "`cuda.threadIdx.x` of `cuda.blockDim.y`"),
        ("cuda.threadIdx.x, other.threadIdx.x", "cuda.threadIdx.x, other.threadIdx.x"),
        ("no __syncwarp() or __syncthreads() between", "no cuda.syncwarp() or cuda.syncthreads() between"),
        ("`atomicAdd(&counts[v], 1)` and atomicMax", "`cuda.atomic.add(counts, v, 1)` and cuda.atomic.max"),
        ("`atomicAdd(&mine[x[i]], 1)`", "`cuda.atomic.add(mine, x[i], 1)`"),
        ("__shfl_down_sync(mask, v, d), k<<<2, 3>>>(x)", "cuda.shfl_down_sync(mask, v, d), k[2, 3](x)"),
        ("`y[c][r] = x[r][c]`", "`y[c, r] = x[r, c]`"),
        ("a\n```\nthreadIdx.x   0 1\n```\nthreadIdx.x", "a\n```\nthreadIdx.x   0 1\n```\ncuda.threadIdx.x"),
    ],
)
def test_words_of_cuda_cpp_become_numba_s(text: str, python: str) -> None:
    assert in_python(text) == python


def test_where_a_value_comes_from() -> None:
    source = PythonSource(
        '"""A kernel.\nc = 1\n"""\n'
        "@cuda.jit(device=True)\n"
        "def helped(v):\n"
        "    return v\n"
        "@cuda.jit\n"
        "def k(y, n):\n"
        "    a, b = cuda.blockIdx.x, 2 * (n + 1)  # a = n\n"
        "    row, column = cuda.grid(2)\n"
        "    for i in range(a, n, 2):\n"
        "        if b <= n or i:\n"
        "            return\n"
        "        y[b + i, 0] += helped(i)\n"
        "    cuda.atomic.add(y, (row, 0), 1)\n"
        "    z = cuda.shared.array(0, int32)\n"
    )
    assert source.setting("a", 12) == ("a", 9, "cuda.blockIdx.x")
    assert source.setting("b", 12) == ("b", 9, "2 * (n + 1)")
    assert source.setting("row", 12) == ("row, column", 10, "cuda.grid(2)")
    assert source.setting("i", 14) == ("i", 11, "range(a, n, 2)")
    assert source.setting("c", 14) is None
    assert source.indices(14) == [("y", "b + i, 0")]
    assert source.depends("b + i", 14, "blockIdx")
    assert source.depends("column", 14, "threadIdx")
    assert not source.depends("b", 14, "blockIdx")
    assert source.guard(14) == (12, "b <= n or i", True)
    assert source.guard(9) is None
    assert source.loop(14) == 11
    assert (source.function(6), source.function(14), source.calls("helped")) == ("helped", "", [14])
    assert (source.stores("y"), source.dynamic()) == (15, {"z"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("i = cuda.threadIdx.y * cuda.blockDim.y + cuda.blockIdx.y", "lays the threads of a block far apart"),
        ("i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x", ""),
        ("v += cuda.shfl_sync(1 << lane, v, 0)", "names one lane only"),
        ("v += cuda.shfl_sync(0xFFFF, v, 0)", ""),
        ("c[i] = cuda.atomic.add(c, i, 1)", "what was there before"),
        ("old = cuda.atomic.add(c, i, 1)", ""),
        ("cuda.syncthreads", "is not called here"),
        ("cuda.syncthreads()", ""),
        ("cuda.shfl_xor_sync(m, v, 1)", "nothing takes the value of cuda.shfl_xor_sync"),
        ("n - 1", "changes nothing"),
    ],
)
def test_rules_of_lines(line: str, says: str) -> None:
    found = [text for text, _ in python_rules.of_line(line)] + [each.says for each in python_tree.remarks(line)]
    assert (says in found[0] and len(found) == 1) if says else not found, found
