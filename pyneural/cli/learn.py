"""``pyneural learn``: lessons in CUDA, checked by the simulator."""

from __future__ import annotations

import contextlib
import json as json_module
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import Failure, Misuse, console, note, reported

if TYPE_CHECKING:
    from pyneural.learn.judge import Verdict
    from pyneural.learn.language import Language
    from pyneural.learn.lesson import Lesson
    from pyneural.learn.progress import Folder

app = typer.Typer(no_args_is_help=True, help="Learn CUDA without a GPU: exercises that are checked and explained.")

Number = Annotated[str, typer.Argument(metavar="NN", help="Number of the lesson.")]
Place = Annotated[Path, typer.Option("--folder", help="Where your solutions are.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of inputs and schedules; new ones without it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Python = Annotated[
    bool, typer.Option("--python", help="In Python, for Numba; else CUDA C++, or what your file is written in.")
]
HERE = Path("learn")
POLL = 0.3
"""Seconds between two looks at a file that is watched."""


@app.command("list")
def list_(folder: Place = HERE, python: Python = False, json: Json = False) -> None:
    """The lessons, and how far you are."""
    from rich.table import Table

    from pyneural.learn.judge import FULL
    from pyneural.learn.lesson import lessons
    from pyneural.learn.progress import Folder, Progress

    with reported():
        progress = Folder(folder).progress()
        rows = [(each, progress.get(each.key, Progress())) for each in lessons(_language(python))]
        if json:
            typer.echo(json_module.dumps([{"lesson": one.key, "title": one.title, **vars(p)} for one, p in rows]))
            return
        table = Table()
        for column in ("lesson", "title", "tries", "marks"):
            table.add_column(column)
        for lesson, one in rows:
            table.add_row(lesson.key, lesson.title, str(one.tries), f"{one.marks} of {FULL}" if one.tries else "")
        console.print(table)


@app.command()
def start(number: Number, folder: Place = HERE, python: Python = False) -> None:
    """Put a lesson's text and its skeleton into your folder."""
    from pyneural.learn.progress import AlreadyStarted

    with reported():
        lesson, place = _chosen(number, folder, python, begun=False)
        try:
            file = place.start(lesson)
        except AlreadyStarted as error:
            raise Misuse(str(error)) from None
        note(lesson.text)
        text = file.with_name(f"{lesson.key}.md")
        note(f"Write your code in {file}, then: pyneural learn check {lesson.asked}   (this text is {text})")


@app.command()
def check(number: Number, folder: Place = HERE, seed: Seed = None, python: Python = False, json: Json = False) -> None:
    """Compile, run, check and count your solution; exit code 1 unless it has full marks."""
    from pyneural.learn.judge import FULL

    with reported():
        lesson, place = _chosen(number, folder, python)
        verdict = _checked(lesson, place, seed)
        if json:
            typer.echo(json_module.dumps({**verdict.as_dict(), "marks": verdict.marks}, indent=2))
        else:
            _show(verdict)
        if verdict.marks < FULL:
            raise typer.Exit(1)
        if not json:
            _next(lesson)


@app.command()
def watch(number: Number, folder: Place = HERE, seed: Seed = None, python: Python = False) -> None:
    """Check your solution each time you save it, until Ctrl-C."""
    with reported():
        lesson, place = _chosen(number, folder, python)
        _begun(lesson, place)
        with contextlib.suppress(KeyboardInterrupt):
            for _ in saves(place.file(lesson)):
                _show(_checked(lesson, place, seed))


def saves(file: Path, poll: float = POLL) -> Iterator[int]:
    """Yields at once, and whenever the file has changed."""
    last = None
    while True:
        # An editor may save by removing the file first.
        with contextlib.suppress(FileNotFoundError):
            now = file.stat().st_mtime_ns
            if now != last:
                last = now
                yield now
        time.sleep(poll)


@app.command()
def hint(
    number: Number,
    level: Annotated[int, typer.Option("--level", min=1, max=3, help="1 is a nudge, 3 nearly the answer.")] = 1,
    folder: Place = HERE,
    python: Python = False,
) -> None:
    """Help with a lesson."""
    with reported():
        lesson, _ = _chosen(number, folder, python)
        note(lesson.hints[level - 1])


@app.command()
def solution(number: Number, folder: Place = HERE, python: Python = False) -> None:
    """The reference solution, after you have tried yourself."""
    with reported():
        lesson, place = _chosen(number, folder, python)
        if lesson.key not in place.progress():
            raise Misuse(f"try it first: pyneural learn check {lesson.asked} --folder {folder}")
        note(lesson.solution)


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With a folder for each student.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="File for the table; standard output without it.")] = None,
    seed: Seed = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="For each check.")] = 30.0,
) -> None:
    """Check FOLDER/STUDENT/NN_name.cu and .py of all students, with limits on time and memory, into a table."""
    from pyneural.learn.grading import grade as graded
    from pyneural.learn.grading import write

    with reported():
        if not folder.is_dir():
            raise Misuse(f"there is no folder {folder}")
        rows = graded(folder, _seed(seed), seconds=seconds)
        if csv is None:
            count = write(rows, sys.stdout)
        else:
            with csv.open("w", encoding="utf-8", newline="") as file:
                count = write(rows, file)
        if not count:
            raise Failure(f"{folder} has no STUDENT/NN_name.cu or .py")


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="For the files NN_name.ipynb.")] = Path("notebooks"),
    python: Python = False,
) -> None:
    """The lessons as Jupyter notebooks: a cell is checked when it is run."""
    from pyneural.learn import notebooks

    with reported():
        try:
            files = notebooks.write(folder, _language(python))
        except OSError as error:
            raise Misuse(str(error)) from None
        note(f"wrote {len(files)} notebooks to {folder}")


def _seed(seed: int | None) -> int:
    return secrets.randbits(30) if seed is None else seed


def _language(python: bool) -> Language:
    from pyneural.learn.language import CUDA, PYTHON

    return PYTHON if python else CUDA


def _chosen(number: str, folder: Path, python: bool, *, begun: bool = True) -> tuple[Lesson, Folder]:
    """The lesson in the language asked for, or in that of the only file that there is."""
    from pyneural.learn.language import PYTHON
    from pyneural.learn.lesson import UnknownLesson, find
    from pyneural.learn.progress import Folder

    try:
        lesson, place = find(number, _language(python)), Folder(folder)
        if begun and not python and not place.file(lesson).is_file():
            with contextlib.suppress(UnknownLesson):
                other = find(number, PYTHON)
                lesson = other if place.file(other).is_file() else lesson
        return lesson, place
    except UnknownLesson as error:
        raise Misuse(str(error)) from None


def _begun(lesson: Lesson, place: Folder) -> None:
    if not place.file(lesson).is_file():
        raise Misuse(f"there is no {place.file(lesson)}; begin with: pyneural learn start {lesson.asked}")


def _checked(lesson: Lesson, place: Folder, seed: int | None) -> Verdict:
    from pyneural.learn import runner

    _begun(lesson, place)
    verdict = runner.check(lesson, place.file(lesson), _seed(seed))
    place.note(verdict)
    return verdict


def _next(lesson: Lesson) -> None:
    from pyneural.learn.lesson import lessons

    later = [each for each in lessons(lesson.language) if each.number > lesson.number]
    if later:
        note(f"next: pyneural learn start {later[0].asked}   ({later[0].title})")


def _show(verdict: Verdict) -> None:
    from pyneural.learn import show

    for line in show.lines(verdict):
        note(line)
