"""Lessons as they lie in their folders.

`lessons/NN_name/` holds `lesson.md` (its first line is the title), `solution.cu`, `exercise.py`, `hints.md` (three,
each under a heading) and `wrong/*.cu`. The skeleton is the solution without the lines between `// >>>` and `// <<<`,
or `skeleton.cu` where there is one: a kernel to mend.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from .exercise import Exercise

LESSONS = Path(__file__).parent / "lessons"
BEGIN, END = "// >>>", "// <<<"
"""The marks around what is the student's."""
_KEPT = "//: "


class UnknownLesson(Exception):
    """No lesson has this number or name."""


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer and the remarks that it gets, each with what to look at; `...` stands for anything."""

    name: str
    text: str
    says: list[tuple[str, str]]


@dataclass(frozen=True)
class Lesson:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def number(self) -> int:
        return int(self.name.partition("_")[0])

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].removeprefix("# ")

    @property
    def text(self) -> str:
        """What is to be read; how a drawing was made (`docs/drawings.py`) is left out."""
        return re.sub(r"(?m)^```trace .*$", "```", self._read("lesson.md"))

    @property
    def solution(self) -> str:
        return self._read("solution.cu")

    @property
    def mends(self) -> bool:
        """Whether what the student begins with is a kernel with faults, and not one with a gap."""
        return (self.folder / "skeleton.cu").is_file()

    @property
    def skeleton(self) -> str:
        return self._read("skeleton.cu") if self.mends else skeleton(self.solution)

    @property
    def hints(self) -> list[str]:
        """From a nudge to nearly the answer."""
        return [part.strip() for part in re.split(r"(?m)^## .*$", self._read("hints.md"))[1:]]

    @property
    def wrong(self) -> list[Wrong]:
        answers = []
        for path in sorted((self.folder / "wrong").glob("*.cu")):
            text = path.read_text(encoding="utf-8")
            answers.append(Wrong(path.stem, text, re.findall(r"(?m)^// says: (.*)\n// look: (.*)$", text)))
        return answers

    @functools.cached_property
    def exercise(self) -> Exercise:
        path = self.folder / "exercise.py"
        spec = importlib.util.spec_from_file_location(f"pyneural_lesson_{self.name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        exercise = module.EXERCISE
        if not isinstance(exercise, Exercise):
            raise TypeError(f"{path}: EXERCISE must be an Exercise, got {type(exercise).__name__}")
        return exercise

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def skeleton(solution: str) -> str:
    """The solution without its marked lines; of these, those that begin with `//: ` stand in for the others."""
    kept: list[str] = []
    marked = False
    for number, line in enumerate(solution.split("\n"), 1):
        mark = line.strip()
        if mark.startswith(BEGIN):
            if marked:
                raise ValueError(f"line {number}: {BEGIN} within {BEGIN}")
            marked = True
            kept.append(line)
        elif mark.startswith(END):
            if not marked:
                raise ValueError(f"line {number}: {END} without {BEGIN}")
            marked = False
            kept.append(line)
        elif not marked:
            kept.append(line)
        elif mark.startswith(_KEPT):
            kept.append(line.replace(_KEPT, "", 1))
    if marked:
        raise ValueError(f"{BEGIN} is never closed")
    return "\n".join(kept)


def lessons() -> list[Lesson]:
    """All lessons in their order."""
    return [Lesson(folder) for folder in sorted(LESSONS.iterdir()) if (folder / "lesson.md").is_file()]


def find(wanted: str) -> Lesson:
    """The lesson of this number (`3`, `03`) or name. Raises UnknownLesson."""
    for lesson in lessons():
        if wanted == lesson.name or (wanted.isdecimal() and int(wanted) == lesson.number):
            return lesson
    raise UnknownLesson(f"there is no lesson {wanted!r}; there are: {', '.join(each.name for each in lessons())}")
