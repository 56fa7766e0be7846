"""Write the drawings in the lessons' texts anew: ``python docs/drawings.py``.

A drawing is a block of code in a ``lesson.md`` that begins with ```` ```trace ```` and what is to be drawn: ``of=`` the
``solution``, the ``skeleton`` or one of the wrong answers, ``block=``, ``warp=``, ``rows=``, ``skip=`` and ``cost=no``
as in `pyneural.explore.drawing`, ``case=`` for one of the exercise's cases instead of the one that is counted. Its
lines are those of a run in the simulator.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pyneural import cuda
from pyneural.explore.drawing import drawing
from pyneural.learn.lesson import Lesson, lessons

_FENCE = re.compile(r"^```trace (.*)\n(?:.*\n)*?```$", re.MULTILINE)


def text(lesson: Lesson) -> str:
    """A lesson's file with its drawings as they are now."""
    written = file(lesson).read_text(encoding="utf-8")
    return _FENCE.sub(lambda match: "\n".join([f"```trace {match[1]}", *_drawn(lesson, match[1]), "```"]), written)


def file(lesson: Lesson) -> Path:
    """Where the text is."""
    return lesson.folder / "lesson.md"


def _drawn(lesson: Lesson, asked: str) -> list[str]:
    what = dict(each.split("=", 1) for each in asked.split())
    of, block, warp = what.pop("of"), int(what.pop("block", "0")), int(what.pop("warp", "0"))
    case, cost = what.pop("case", None), what.pop("cost", "yes") == "yes"
    numbers = {name: int(value) for name, value in what.items()}
    sources = {
        "solution": lesson.solution,
        "skeleton": lesson.skeleton,
        **{each.name: each.text for each in lesson.wrong},
    }
    exercise, rng = lesson.exercise, np.random.default_rng(0)
    chosen = exercise.measured(rng)[0] if case is None else exercise.cases(rng)[int(case)]
    kernel = cuda.compile(sources[of], "simulator")[chosen.kernel or exercise.kernel]
    traced = cuda.trace(kernel, blocks=[block])[chosen.grid, chosen.block, chosen.shared](*chosen.arguments.values())
    return drawing(traced, block, warp, cost=cost, **numbers)


if __name__ == "__main__":
    for each in lessons():
        file(each).write_text(text(each), encoding="utf-8")
