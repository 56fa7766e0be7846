"""Every lesson: its solution gets full marks, its skeleton fails, each of its wrong answers gets its own feedback."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.learn import python
from pyneural.learn.judge import FULL, Verdict, judge
from pyneural.learn.language import CUDA, PYTHON, Language
from pyneural.learn.lesson import Lesson, Wrong, every, lessons
from tests.conftest import docs_script

LESSONS = every()
FIRST = 3
"""Lessons whose sources are compiled in every run; those after them belong to `make test-simulator`."""


def _marks(lesson: Lesson) -> list[pytest.MarkDecorator]:
    marks = [pytest.mark.xdist_group(lesson.key)]
    return marks if lesson.number <= FIRST else [*marks, pytest.mark.simulator]


EACH = [pytest.param(each, id=each.key) for each in LESSONS]
COMPILED = [pytest.param(each, id=each.key, marks=_marks(each)) for each in LESSONS]
WRONG = [
    pytest.param(lesson, wrong, id=f"{lesson.key}-{wrong.name}", marks=_marks(lesson))
    for lesson in LESSONS
    for wrong in lesson.wrong
]


def _judged(lesson: Lesson, text: str, tmp_path: Path, rng: np.random.Generator) -> Verdict:
    file = tmp_path / lesson.file
    file.write_text(text, encoding="utf-8")
    return judge(lesson, file, int(rng.integers(1 << 30)))


@pytest.mark.parametrize("lesson", COMPILED)
def test_solution_has_full_marks(lesson: Lesson, tmp_path: Path, rng: np.random.Generator):
    verdict = _judged(lesson, lesson.solution, tmp_path, rng)
    assert not verdict.remarks
    assert verdict.marks == FULL
    assert verdict.traffic is not None
    assert lesson.exercise.share <= verdict.traffic <= 1.0


@pytest.mark.parametrize("lesson", COMPILED)
def test_skeleton_fails(lesson: Lesson, tmp_path: Path, rng: np.random.Generator):
    """As it is, and where a declaration keeps it from being known for the skeleton: it compiles, and is wrong."""
    untouched = _judged(lesson, lesson.skeleton, tmp_path, rng)
    assert untouched.marks == 0
    if lesson.mends:
        assert untouched.remarks, "it is a whole kernel, and what is wrong with it is said"
    else:
        assert [each.says for each in untouched.remarks] == ["nothing is written between the marks yet"]
    more = "__device__ int one_more;" if lesson.language is CUDA else "one_more = 0"
    verdict = _judged(lesson, f"{lesson.skeleton}\n{more}\n", tmp_path, rng)
    assert verdict.marks < FULL
    assert verdict.remarks
    assert not any("does not compile" in each.says for each in verdict.remarks)


@pytest.mark.parametrize("lesson", [each for each in COMPILED if each.values[0].mends])
def test_what_is_to_mend_is_right_in_order(lesson: Lesson, tmp_path: Path, rng: np.random.Generator):
    """As its text promises: one who only looks at results would not find the race."""
    file = tmp_path / lesson.file
    file.write_text(lesson.skeleton, encoding="utf-8")
    compiled = cuda.compile(file, "simulator") if lesson.language is CUDA else python.Kernels(file, lesson.exercise)
    kernel = compiled[lesson.exercise.kernel]
    for case in lesson.exercise.cases(rng):
        arguments = {name: copy.copy(value) for name, value in case.arguments.items()}
        kernel[case.grid, case.block, case.shared](*arguments.values())
        assert all(np.array_equal(arguments[name], expected) for name, expected in case.expected.items()), case.label
    assert {each.says.split(":")[0] for each in judge(lesson, file, 0).remarks[:2]} == {"race"}


@pytest.mark.parametrize("lesson", [each for each in COMPILED if "```python" in each.values[0].text])
def test_python_of_the_text_runs(lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From the folder above `learn`, where the solution lies, as one program."""
    (tmp_path / "learn").mkdir()
    (tmp_path / "learn" / lesson.file).write_text(lesson.solution, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    program = "\n".join(re.findall(r"(?ms)^```python\n(.*?)^```$", lesson.text))
    exec(compile(program, "lesson.md", "exec"), {"__name__": "lesson"})


def _matches(pattern: str, text: str) -> bool:
    return bool(re.fullmatch(".*".join(re.escape(part) for part in pattern.split("...")), text))


@pytest.mark.parametrize(("lesson", "wrong"), WRONG)
def test_wrong_answer_gets_its_feedback(lesson: Lesson, wrong: Wrong, tmp_path: Path, rng: np.random.Generator):
    verdict = _judged(lesson, wrong.text, tmp_path, rng)
    assert verdict.marks < FULL
    found = [(str(each), each.look) for each in verdict.remarks]
    assert len(found) == len(wrong.says), found
    for (says, look), (said, looked) in zip(wrong.says, found, strict=True):
        assert _matches(says, said), found
        assert _matches(look, looked), found


@pytest.mark.parametrize("lesson", EACH)
def test_lesson_is_whole(lesson: Lesson):
    assert lesson.text.startswith("# ")
    assert "**The task.**" in lesson.text
    assert len(lesson.hints) == 3
    assert all(lesson.hints)
    assert len(lesson.wrong) >= 2
    assert all(each.says for each in lesson.wrong)
    assert all(each.text.count(f"{lesson.language.comment} says:") == len(each.says) for each in lesson.wrong)
    assert len({_without_lines(each) for each in lesson.wrong}) == len(lesson.wrong), "each has feedback of its own"
    assert lesson.skeleton != lesson.solution
    mark = lesson.language.comment
    assert _outside(lesson.skeleton, mark) == _outside(lesson.solution, mark)
    for each in lesson.wrong:
        assert _outside(each.text, mark) == _outside(lesson.solution, mark), "only what a student writes may differ"


def _without_lines(wrong: Wrong) -> str:
    return re.sub(r"line \d+: ", "", str(wrong.says))


def _outside(text: str, mark: str) -> str:
    """What stands outside of the marks, without white space and comments."""
    kept = re.sub(rf"{mark} >>>.*?{mark} <<<", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", "", re.sub(rf"{mark}[^\n]*", "", kept))


@pytest.mark.parametrize("language", [CUDA, PYTHON], ids=lambda each: each.name)
def test_numbers_are_unique(language: Language):
    found = lessons(language)
    assert [each.number for each in found] == sorted({each.number for each in found})
    assert len(found) >= 10


@pytest.mark.parametrize("lesson", [each for each in EACH if each.values[0].language is PYTHON])
def test_text_in_python_has_no_names_of_cuda_cpp(lesson: Lesson):
    """But for those of a picture's columns."""
    told = re.sub(r"(?ms)^```.*?^```$", "", "\n".join([lesson.text, *lesson.hints, lesson.solution, lesson.skeleton]))
    assert not re.search(r"__\w+|atomic[A-Z]|(?<![\w.])(?:thread|block)Idx\.|<<<.*>>>|\bint \w+ =", told)
    assert "**In Python.**" in lesson.text


def test_inputs_are_new_in_each_check(rng: np.random.Generator):
    """A solution cannot know them."""
    for lesson in LESSONS:
        first, second = lesson.exercise.cases(rng), lesson.exercise.cases(rng)
        assert any(_differ(a.expected, b.expected) for a, b in zip(first, second, strict=True)), lesson.name
        assert len(first) >= 3, lesson.name


def _differ(a: Any, b: Any) -> bool:
    return any(not np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("lesson", [each for each in COMPILED if each.values[0].language is CUDA])
def test_drawings_are_those_of_a_run(lesson: Lesson):
    drawings = docs_script("drawings")
    written = (lesson.folder / "lesson.md").read_text(encoding="utf-8")
    assert "```trace of=" in written
    assert "```trace" not in lesson.text
    assert written == drawings.text(lesson), "python docs/drawings.py"
