"""Lesson 22 beyond its cases: kernels that pass them all and are of no use in a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pyneural import cuda
from pyneural.learn import python
from pyneural.learn.language import CUDA, PYTHON, Language
from pyneural.learn.lesson import Lesson, find

pytestmark = [pytest.mark.simulator, pytest.mark.xdist_group("22_own_operation")]

IDLE = {
    CUDA: ("{ forward(x, y, n); }", "{ if (threadIdx.x < n) y[blockIdx.x * blockDim.x + threadIdx.x] = 0; }"),
    PYTHON: ("/ 2)\n", "/ 2) if cuda.gridsize(1) == 128 else 0\n"),  # right in one block, as gradcheck has it
}


@pytest.mark.parametrize("language", IDLE, ids=lambda each: each.name)
def test_a_loss_that_does_not_fall_is_said(language: Language, tmp_path: Path, rng: np.random.Generator):
    """The gradients are right; what trains is of another type, or of other sizes."""
    lesson = find("22", language)
    exercise = lesson.exercise
    assert exercise.also is not None
    assert IDLE[language][0] in lesson.solution
    file = tmp_path / lesson.file
    file.write_text(lesson.solution.replace(*IDLE[language], 1), encoding="utf-8")
    (remark,) = exercise.also(_kernels(lesson, file), rng)
    assert remark.says.startswith("the loss of a network with this activation goes from ")
    assert remark.says.endswith(" in 60 steps")
    file.write_text(lesson.solution, encoding="utf-8")
    assert exercise.also(_kernels(lesson, file), rng) == []


def _kernels(lesson: Lesson, file: Path) -> Mapping[str, cuda.Kernel]:
    exercise = lesson.exercise
    compiled = cuda.compile(file, "simulator") if lesson.language is CUDA else python.Kernels(file, exercise)
    return {name: compiled[name] for name in (exercise.kernel, *exercise.more)}
