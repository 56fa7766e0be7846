"""A student's folder: one `.cu` or `.py` file for each lesson begun, and what its checks gave."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .judge import Verdict
from .lesson import Lesson

_NOTES = ".progress.json"


class AlreadyStarted(Exception):
    """The student's file is there and must not be overwritten."""


@dataclass
class Progress:
    """Checks made of a lesson, and the most marks that one gave."""

    tries: int = 0
    marks: int = 0


class Folder:
    """Where a student works."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, lesson: Lesson) -> Path:
        return self.path / lesson.file

    def start(self, lesson: Lesson) -> Path:
        """Writes the skeleton and the lesson's text. Raises AlreadyStarted."""
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.file(lesson)
        try:
            with file.open("x", encoding="utf-8") as place:
                place.write(lesson.skeleton)
        except FileExistsError:
            raise AlreadyStarted(f"{file} is there already; move it away to begin anew") from None
        file.with_name(f"{lesson.key}.md").write_text(lesson.text, encoding="utf-8")
        return file

    def progress(self) -> dict[str, Progress]:
        """By the keys of lessons."""
        notes = self.path / _NOTES
        if not notes.is_file():
            return {}
        return {name: Progress(**values) for name, values in json.loads(notes.read_text(encoding="utf-8")).items()}

    def note(self, verdict: Verdict) -> None:
        """One more try of a lesson."""
        all_ = self.progress()
        one = all_.setdefault(verdict.lesson, Progress())
        one.tries += 1
        one.marks = max(one.marks, verdict.marks)
        made = self.path / f"{_NOTES}.new"
        made.write_text(json.dumps({name: vars(each) for name, each in all_.items()}, indent=1), encoding="utf-8")
        os.replace(made, self.path / _NOTES)
