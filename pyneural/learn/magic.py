"""`%%lesson` for Jupyter and IPython: a cell is checked as a lesson's solution. `%load_ext pyneural.learn.magic`.

%%lesson 6                the cell goes to learn/06_transpose.cu and is checked
%%lesson 6 --python       the same for Numba: the cell goes to learn/06_transpose.py
%%lesson 6 --folder mine  the same in another folder; --seed repeats a check's inputs and schedules
%lesson 6 --hint 2        help, from 1, a nudge, to 3, nearly the answer
%lesson 6 --solution      the reference solution, once there has been a check
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
from pathlib import Path
from typing import Any

from pyneural.cuda.magic import Parser, Usage

from . import runner, show
from .language import CUDA, PYTHON
from .lesson import UnknownLesson, find
from .progress import Folder

Shell = Any
"""IPython's InteractiveShell, which need not be installed."""


def _parser() -> Parser:
    parser = Parser(prog="lesson", add_help=False)
    add = parser.add_argument
    add("number", help="of the lesson")
    add("--python", action="store_true", help="in Python, for Numba; else CUDA C++")
    add("--folder", type=Path, default=Path("learn"), help="where your solutions are")
    add("--seed", type=int, default=None, help="of inputs and schedules; new ones without it")
    add("--hint", type=int, choices=(1, 2, 3), default=None, help="1 is a nudge, 3 nearly the answer")
    add("--solution", action="store_true", help="the reference solution, after a check")
    return parser


def answer(line: str, cell: str | None = None) -> str:
    """What the magic prints."""
    try:
        chosen = _parser().parse_args(shlex.split(line))
        lesson, place = find(chosen.number, PYTHON if chosen.python else CUDA), Folder(chosen.folder)
        if cell is not None:
            if chosen.hint is not None or chosen.solution:
                raise Usage("a cell is checked; %lesson with one percent sign gives hints and the solution")
            place.path.mkdir(parents=True, exist_ok=True)
            place.file(lesson).write_text(cell, encoding="utf-8")
            seed = secrets.randbits(30) if chosen.seed is None else chosen.seed
            verdict = runner.check(lesson, place.file(lesson), seed)
            place.note(verdict)
            return "\n".join(show.lines(verdict))
        if chosen.solution:
            if lesson.key not in place.progress():
                raise Usage(f"try it first: a cell that begins with %%lesson {chosen.number}")
            return lesson.solution
        if chosen.hint is None:
            raise Usage("--hint 1, 2 or 3, or --solution; a cell that begins with %%lesson is checked")
        hint: str = lesson.hints[chosen.hint - 1]
        return hint
    except (Usage, UnknownLesson, ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def load_ipython_extension(shell: Shell) -> None:
    """Called by `%load_ext pyneural.learn.magic`."""

    def lesson(line: str, cell: str | None = None) -> None:
        print(answer(line, cell))

    lesson.__doc__ = __doc__
    shell.register_magic_function(lesson, magic_kind="line_cell", magic_name="lesson")


def unload_ipython_extension(shell: Shell) -> None:
    """Called by `%unload_ext pyneural.learn.magic`."""
    for kind in ("line", "cell"):
        with contextlib.suppress(KeyError):
            del shell.magics_manager.magics[kind]["lesson"]
