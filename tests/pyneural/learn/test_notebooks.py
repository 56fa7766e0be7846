"""The lessons as notebooks: valid, run by a real kernel, their cells checked as files are."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pyneural.cli import app
from pyneural.learn import magic, notebooks, show
from pyneural.learn.exercise import Remark
from pyneural.learn.judge import FULL, Verdict
from pyneural.learn.language import PYTHON
from pyneural.learn.lesson import Lesson, every, lessons

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")

LESSONS = lessons()
ALL = every()


def _run(notebook: dict[str, Any], folder: Path) -> list[str]:
    """What each cell with code prints, run by Jupyter's Python kernel in a folder."""
    made = nbformat.from_dict(notebook)
    nbclient.NotebookClient(made, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return [
        "".join(output["text"] for output in cell["outputs"] if output["output_type"] == "stream")
        for cell in made["cells"]
        if cell["cell_type"] == "code"
    ]


def _solved(lesson: Lesson) -> dict[str, Any]:
    """With the solution in the skeleton's place, and a cell that asks for it again."""
    made = copy.deepcopy(notebooks.notebook(lesson))
    (cell,) = [each for each in made["cells"] if each["source"].startswith("%%lesson")]
    cell["source"] = f"%%lesson {lesson.asked}\n{lesson.solution}"
    asked = {**copy.deepcopy(cell), "id": "again", "source": f"%lesson {lesson.asked} --solution"}
    return {**made, "cells": [*made["cells"], asked]}


@pytest.mark.parametrize("lesson", ALL, ids=lambda each: each.key)
def test_it_is_a_notebook(lesson: Lesson):
    made = notebooks.notebook(lesson)
    nbformat.validate(nbformat.from_dict(made))
    sources = [cell["source"] for cell in made["cells"]]
    assert sources[0] == lesson.text.strip()
    assert f"%%lesson {lesson.asked}\n{lesson.skeleton.rstrip()}" in sources
    assert lesson.hints[2].strip() in sources[4]
    assert not any(lesson.solution.strip() in each for each in sources)


@pytest.mark.parametrize(
    "lesson",
    [pytest.param(each, id=each.key, marks=[pytest.mark.simulator] * (each.number > 1)) for each in ALL],
)
def test_it_runs(lesson: Lesson, tmp_path: Path):
    """As it is, and with the solution; the student's file is that of the command line."""
    said = _run(notebooks.notebook(lesson), tmp_path)
    assert said[0] == ""
    assert f"0 of {FULL} marks" in said[1]
    said = _run(_solved(lesson), tmp_path)
    assert f"{FULL} of {FULL} marks" in said[1]
    assert said[2].strip() == lesson.solution.strip()
    assert (tmp_path / "learn" / lesson.file).read_text() == lesson.solution


def test_a_mistake_is_told_with_its_line(tmp_path: Path):
    lesson = LESSONS[1]
    wrong = lesson.wrong[0]
    said = magic.answer(f"{lesson.number} --folder {tmp_path} --seed 3", wrong.text)
    assert "line " in said
    assert f"of {FULL} marks" in said
    assert f"{FULL} of {FULL} marks" not in said


def test_what_a_verdict_says():
    wrong = Verdict("one", [Remark("it is wrong", "the guard", 3), Remark("and slow")], clean=True)
    assert show.lines(wrong) == [
        "line 3: it is wrong", "    look at: the guard", "and slow",
        "correct  no", "clean    yes", "frugal   not asked yet", f"0 of {FULL} marks",
    ]  # fmt: skip
    wasteful = Verdict("one", [], correct=True, clean=True, traffic=0.5)
    assert show.lines(wasteful)[2:] == ["frugal   no", "50% of the bytes moved had to be moved", f"8 of {FULL} marks"]


def test_hints_and_refusals(tmp_path: Path):
    assert magic.answer("2 --hint 3") == LESSONS[1].hints[2]
    for line, cell, message in (
        ("2 --solution", None, "try it first"),
        ("2", None, "--hint 1, 2 or 3, or --solution"),
        ("2 --hint 7", None, "invalid choice: 7"),
        ("2 --hint 1", "int x;", "a cell is checked"),
        ("77", "int x;", "77"),
        ("", "int x;", "the following arguments are required: number"),
        ('"2', None, "No closing quotation"),
    ):
        said = magic.answer(f"{line} --folder {tmp_path}" if line.startswith("2 ") else line, cell)
        assert message in said
        assert "Error: " in said or "Usage: " in said or "UnknownLesson: " in said
    assert not list(tmp_path.iterdir())


def test_the_command_writes_all_and_overwrites_none(tmp_path: Path):
    folder = tmp_path / "notebooks"
    done = CliRunner().invoke(app, ["learn", "notebooks", str(folder)])
    assert done.exit_code == 0, done.output
    assert sorted(each.name for each in folder.iterdir()) == [f"{each.name}.ipynb" for each in LESSONS]
    (folder / f"{LESSONS[3].name}.ipynb").unlink()
    mine = folder / f"{LESSONS[5].name}.ipynb"
    mine.write_text(json.dumps({"mine": True}))
    done = CliRunner().invoke(app, ["learn", "notebooks", str(folder)])
    assert done.exit_code == 2
    assert "is there already" in done.output
    assert json.loads(mine.read_text()) == {"mine": True}
    assert not (folder / f"{LESSONS[3].name}.ipynb").exists()


def test_the_command_in_python(tmp_path: Path):
    done = CliRunner().invoke(app, ["learn", "notebooks", str(tmp_path), "--python"])
    assert done.exit_code == 0, done.output
    assert sorted(each.name for each in tmp_path.iterdir()) == [f"{each.name}.ipynb" for each in lessons(PYTHON)]
    assert "%%lesson 1 --python" in (tmp_path / "01_threads.ipynb").read_text()
