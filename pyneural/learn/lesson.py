"""Lessons as they lie in their folders.

`lessons/NN_name/` holds `lesson.md` (its first line is the title), `solution.cu`, `exercise.py`, `hints.md` (three,
each under a heading) and `wrong/*.cu`. The skeleton is the solution without the lines between `// >>>` and `// <<<`,
or `skeleton.cu` where there is one: a kernel to mend. In Python it is `solution.py` and `wrong/*.py`, with
`hints_python.md`, and `python.md` behind the text.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from .exercise import Exercise
from .language import CUDA, LANGUAGES, PYTHON, Language, in_python, told_in

LESSONS = Path(__file__).parent / "lessons"


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
    language: Language = CUDA

    @property
    def key(self) -> str:
        """The name, and for another language than CUDA C++ its suffix: what a student's progress is noted under."""
        return self.name if self.language is CUDA else f"{self.name}{self.language.suffix}"

    @property
    def file(self) -> str:
        """What a student's file is called."""
        return f"{self.name}{self.language.suffix}"

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def number(self) -> int:
        return int(self.name.partition("_")[0])

    @property
    def asked(self) -> str:
        """How the command line and the notebooks' magic are told of it."""
        return f"{self.number} --python" if self.language is PYTHON else str(self.number)

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0].removeprefix("# ")

    @property
    def text(self) -> str:
        """What is to be read; how a drawing was made (`docs/drawings.py`) is left out."""
        text = told_in(self.language, re.sub(r"(?m)^```trace .*$", "```", self._read("lesson.md")))
        if self.language is CUDA:
            return text
        more = self.folder / "python.md"
        return in_python(text) + (f"\n{more.read_text(encoding='utf-8')}" if more.is_file() else "")

    @property
    def solution(self) -> str:
        return self._read(f"solution{self.language.suffix}")

    @property
    def mends(self) -> bool:
        """Whether what the student begins with is a kernel with faults, and not one with a gap."""
        return (self.folder / f"skeleton{self.language.suffix}").is_file()

    @property
    def skeleton(self) -> str:
        if self.mends:
            return self._read(f"skeleton{self.language.suffix}")
        return skeleton(self.solution, self.language)

    @property
    def hints(self) -> list[str]:
        """From a nudge to nearly the answer."""
        name = "hints.md" if self.language is CUDA else "hints_python.md"
        return [part.strip() for part in re.split(r"(?m)^## .*$", self._read(name))[1:]]

    @property
    def wrong(self) -> list[Wrong]:
        answers = []
        mark = self.language.comment
        for path in sorted((self.folder / "wrong").glob(f"*{self.language.suffix}")):
            text = path.read_text(encoding="utf-8")
            says = re.findall(rf"(?m)^{mark} says: (.*)\n{mark} look: (.*)$", text)
            answers.append(Wrong(path.stem, text, says))
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


def skeleton(solution: str, language: Language = CUDA) -> str:
    """The solution without its marked lines; of these, those that begin with `//: ` stand in for the others."""
    begin, end = language.begin, language.end
    kept: list[str] = []
    marked = False
    for number, line in enumerate(solution.split("\n"), 1):
        mark = line.strip()
        if mark.startswith(begin):
            if marked:
                raise ValueError(f"line {number}: {begin} within {begin}")
            marked = True
            kept.append(line)
        elif mark.startswith(end):
            if not marked:
                raise ValueError(f"line {number}: {end} without {begin}")
            marked = False
            kept.append(line)
        elif not marked:
            kept.append(line)
        elif mark.startswith(language.kept):
            kept.append(line.replace(language.kept, "", 1))
    if marked:
        raise ValueError(f"{begin} is never closed")
    return "\n".join(kept)


def lessons(language: Language = CUDA) -> list[Lesson]:
    """All lessons of a language in their order."""
    folders = sorted(LESSONS.iterdir())
    return [Lesson(each, language) for each in folders if (each / f"solution{language.suffix}").is_file()]


def find(wanted: str, language: Language = CUDA) -> Lesson:
    """The lesson of this number (`3`, `03`), name or key. Raises UnknownLesson."""
    if wanted.endswith(PYTHON.suffix):
        wanted, language = wanted.removesuffix(PYTHON.suffix), PYTHON
    for lesson in lessons(language):
        if wanted == lesson.name or (wanted.isdecimal() and int(wanted) == lesson.number):
            return lesson
    if language is not CUDA and (why := _lacks(wanted)):
        raise UnknownLesson(why)
    there = ", ".join(each.name for each in lessons(language))
    kind = "" if language is CUDA else f" in {language.name}"
    raise UnknownLesson(f"there is no lesson {wanted!r}{kind}; there are: {there}")


def _lacks(wanted: str) -> str:
    """Why the lesson of this number or name is in CUDA C++ only; empty where there is none."""
    with contextlib.suppress(UnknownLesson):
        lesson = find(wanted)
        return f"lesson {lesson.number} is in {CUDA.name} only, for {lesson.exercise.cuda_only}"
    return ""


def every() -> list[Lesson]:
    """All lessons in all languages."""
    return [lesson for language in LANGUAGES for lesson in lessons(language)]
