"""Mistakes that no lesson lists: the answer names the line and the cause that a teacher wrote down beforehand."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import toolchain
from pyneural.learn import python_tree, rules, warnings
from pyneural.learn.exercise import POISON, Case
from pyneural.learn.judge import FULL
from pyneural.learn.language import CUDA, PYTHON
from pyneural.learn.lesson import Lesson, every, lessons
from pyneural.learn.python_text import PythonSource
from pyneural.learn.repair import repair
from pyneural.learn.text import Source
from tests.pyneural.learn.unseen import unseen

MISTAKES = unseen.mistakes()
FIRST = {CUDA: 3, PYTHON: 1}
"""Lessons whose mistakes are checked in every run; those after them belong to `make test-simulator`."""
GNU = pytest.mark.xfail(not toolchain.compiler().gnu, reason="clang does not warn of the last round of a loop")


def _each() -> list[Any]:
    return [
        pytest.param(
            mistake,
            id=mistake.id,
            marks=[
                pytest.mark.xdist_group(f"unseen-{mistake.id}"),
                *([] if mistake.lesson.number <= FIRST[mistake.lesson.language] else [pytest.mark.simulator]),
                *([GNU] if mistake.id == "12_one_register_too_many" else []),
            ],
        )
        for mistake in MISTAKES
    ]


@pytest.mark.parametrize("mistake", _each())
def test_line_and_cause_are_named(mistake: Any, rng: np.random.Generator) -> None:
    """What is not named stays in a folder of its own, so that the page does not say more or less than is so."""
    verdict = unseen.check(mistake, int(rng.integers(1 << 30)))
    assert verdict.marks < FULL
    assert verdict.remarks
    answers = [(str(each), each.look) for each in verdict.remarks]
    assert any(mistake.says(each) for each in verdict.remarks) == mistake.named, answers


def test_mistakes_are_new() -> None:
    """At least twenty that are named, each from what a student may write, and none of them in a lesson's list."""
    for language, covered in ((CUDA, 15), (PYTHON, 13)):
        of_it = [each for each in MISTAKES if each.lesson.language is language]
        assert len([each for each in of_it if each.named]) >= 20
        assert len({each.lesson.number for each in of_it}) >= covered
    for mistake in MISTAKES:
        mark = mistake.lesson.language.comment
        code = _code(mistake.path.read_text(encoding="utf-8"), mark)
        assert code != _code(mistake.lesson.solution, mark)
        assert all(code != _code(wrong.text, mark) for wrong in mistake.lesson.wrong), mistake.id


def _code(text: str, mark: str) -> str:
    bare = re.sub(rf"{mark}[^\n]*", "", text)
    if mark == PYTHON.comment:  # where a statement is indented to counts
        return "\n".join(line.rstrip() for line in bare.split("\n") if line.strip())
    return re.sub(r"\s+", "", bare)


@pytest.mark.parametrize("lesson", [pytest.param(each, id=each.key) for each in every()])
def test_no_rule_speaks_of_a_solution(lesson: Lesson, rng: np.random.Generator) -> None:
    cases = lesson.exercise.cases(rng)
    if lesson.language is CUDA:
        assert not list(rules.remarks(Source(lesson.solution), cases))
    else:
        assert not list(rules.remarks(PythonSource(lesson.solution), cases))
        assert not list(python_tree.remarks(lesson.solution, cases, bool(lesson.exercise.doubles)))


@pytest.mark.simulator
@pytest.mark.parametrize("lesson", [pytest.param(each, id=each.name) for each in lessons()])
def test_the_compiler_does_not_warn_of_a_solution(lesson: Lesson) -> None:
    module = cuda.compile(lesson.folder / "solution.cu", "simulator")
    assert not list(warnings.remarks(module, Source(lesson.solution)))


@pytest.mark.simulator
def test_only_warnings_that_mean_a_mistake_are_told(tmp_path: Path) -> None:
    file = tmp_path / "one.cu"
    file.write_text(
        "__global__ void k(const float* x, int* y, float* z, int n) {\n"
        "  int i = threadIdx.x, count = 0;\n"
        "  float sum = 0;\n"
        "  for (int i = 0; i < n; i += 2) sum += x[i];\n"
        "  int bin = x[i] * 64;\n"
        "  count += x[i];\n"
        "  if (n) { float sum = 0; sum += 1; z[1] = sum; }\n"
        "  n - 1;\n"
        "  y[i] = bin + count;\n"
        "  z[0] = sum;\n"
        "}\n"
    )
    found = list(warnings.remarks(cuda.compile(file, "simulator"), Source(file.read_text())))
    assert sorted(each.line for each in found) == [6, 7, 8], found
    said = {each.line: f"{each.says}; {each.look}" for each in found}
    assert "the type of `count`, on line 2" in said[6]
    assert "a second `sum` begins here and hides the one of line 3" in said[7]
    assert "changes nothing" in said[8]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "int n = 4 * sizeof(int);\ny[i] = x[i * sizeof(float)];\ny[i] = *(x + i * sizeof(float));",
            {2: "bytes", 3: "bytes"},
        ),
        ("int i = t * sizeof(int);\ny[i + 1] = 0;", {1: "bytes"}),
        ("cudaMemcpy(x, y, n * sizeof(float), kind);", {}),
        ("int i = threadIdx.y * blockDim.y + blockIdx.y;", {1: "threadIdx.y * blockDim.y + blockIdx.y"}),
        ("int i = threadIdx.y * blockDim.x + threadIdx.x;", {}),
        ("int i = threadIdx.x * blockDim.x + blockIdx.x * n;", {}),
        (
            "for (;;) __shfl_xor_sync(m, v, 1);\n__shfl_xor_sync(m, v, 1);\nv = __shfl_xor_sync(m, v, 1);",
            {1: "", 2: ""},
        ),
        ("v += __shfl_sync((1u << lane), v, 0);\nv = __shfl_sync((1u << 16) - 1, v, 0);", {1: "one lane"}),
        ("c[i] = atomicAdd(&c[i], 1);\nold = atomicAdd(&c[i], 1);\nd[i] = atomicAdd(&c[i], 1);", {1: "before"}),
        ("y = 1 / 2 * x;\ny = 1 / 2.0f;\ny = n1 / 2;\ny = 4 / 2;\ny = 0.1 / 2; // 1 / 2", {1: "`1 / 2`"}),
    ],
)
def test_rules_of_lines(text: str, says: dict[int, str]) -> None:
    found = {each.line: each.says for each in rules.remarks(Source(text), [])}
    assert found.keys() == says.keys()
    assert all(says[line] in found[line] for line in says), found


def test_where_a_value_comes_from() -> None:
    source = Source(
        "__global__ void k(int* y, int n) {\n"
        "  int a = blockIdx.x, b = 2 * (a + 1), c = threadIdx.x;  // c = n\n"
        "  if (b <= n) return; /* if (c)\n"
        "  c = 5 */\n"
        "  y[b + c] = y[c] == b;\n"
        "}"
    )
    assert source.setting("b", 5) == ("b", 2, "2 * (a + 1)")
    assert source.setting("c", 5) == ("c", 2, "threadIdx.x")
    assert source.setting("c", 1) is None
    assert source.indices(5) == [("y", "b + c"), ("y", "c")]
    assert source.depends("b + c", 5, "blockIdx")
    assert not source.depends("c", 5, "blockIdx")
    assert source.guard(5) == (3, "b <= n", True)
    assert source.guard(2) is None
    assert source.stores("y") == 5


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("right", "wrong", "line", "token"),
    [("i < n", "i <= n", 6, "<="), ("part[t - 1]", "part[t - n]", 5, "n"), ("= 2 * part", "= 3 * part", 0, "")],
)
def test_a_change_that_mends_is_found(right: str, wrong: str, line: int, token: str) -> None:
    """Where one is enough; the product has no place whose name is wrong, and nothing is claimed."""
    text = (
        "__global__ void k(const int* x, int* y, int n, int one) {\n"
        "  __shared__ int part[64];\n"
        "  int t = threadIdx.x, i = threadIdx.x;\n"
        "  part[t] = x[t]; __syncthreads();\n"
        "  int before = t ? part[t - one] : 0;\n"
        "  if (i < n) y[i] = 2 * part[t] + before;\n"
        "}"
    ).replace("part[t - 1]", "part[t - one]")
    right = right.replace("- 1]", "- one]")
    assert text.count(right) == 1
    x = np.arange(3, 67, dtype=np.int32)
    n = 40
    y = np.full(64, POISON, np.int32)
    y[:n] = 2 * x[:n] + np.concatenate([[0], x[: n - 1]])
    case = Case("", {"x": x, "y": np.full(64, POISON, np.int32), "n": n, "one": 1}, {"y": y}, 1, 64)

    def good(case: Case, kernel: cuda.Kernel) -> bool:
        arguments = {name: copy.copy(value) for name, value in case.arguments.items()}
        report = cuda.sanitize(kernel, timeout=1.0)[case.grid, case.block](*arguments.values())
        return report.ok and np.array_equal(arguments["y"], case.expected["y"])

    found = repair(text.replace(right, wrong), "k", [case], good)
    assert (found is None) == (not line)
    if found:
        assert line in found.lines
        assert f"`{token}`" in found.look


@pytest.mark.simulator
@pytest.mark.xfail(not toolchain.compiler().gnu, reason="clang has other warnings", strict=True)
def test_page_is_fresh() -> None:
    answers = [(mistake, unseen.check(mistake, unseen.SEED)) for mistake in MISTAKES]
    assert unseen.PAGE.read_text(encoding="utf-8") == unseen.page(answers), (
        "docs/unseen.md is stale: python tests/pyneural/learn/unseen/unseen.py"
    )
