"""A teacher's table: every solution of every student, each checked in a process of its own."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from . import runner
from .judge import Verdict
from .lesson import Lesson, every

COLUMNS = ("student", "lesson", "marks", "correct", "clean", "frugal", "traffic", "says")


def submissions(folder: Path) -> Iterator[tuple[str, Lesson, Path]]:
    """`FOLDER/STUDENT/NN_name.cu` and `.py`, in order. A link could lead to another student's file and is none."""
    for student in sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()):
        for lesson in every():
            file = student / lesson.file
            if file.is_file() and not file.is_symlink():
                yield student.name, lesson, file


def grade(folder: Path, seed: int, *, seconds: float = runner.SECONDS) -> Iterator[tuple[str, Verdict]]:
    """(student, verdict) of each; all get the same inputs."""
    for student, lesson, file in submissions(folder):
        yield student, runner.check(lesson, file, seed, seconds=seconds)


def write(rows: Iterator[tuple[str, Verdict]], place: TextIO) -> int:
    """The table as CSV, each row as soon as it is known; returns how many there are."""
    table = csv.writer(place, lineterminator="\n")
    table.writerow(COLUMNS)
    count = 0
    for student, verdict in rows:
        says = " | ".join(str(remark) for remark in verdict.remarks)
        yes_no = [int(each) for each in (verdict.correct, verdict.clean, verdict.frugal)]
        traffic = "" if verdict.traffic is None else f"{verdict.traffic:.3f}"
        table.writerow([_plain(student), verdict.lesson, verdict.marks, *yes_no, traffic, _plain(says)])
        place.flush()
        count += 1
    return count


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
