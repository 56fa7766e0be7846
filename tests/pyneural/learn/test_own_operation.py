"""Lesson 22 beyond its cases: kernels that pass them all and are of no use in a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyneural import cuda
from pyneural.learn.lesson import find

pytestmark = [pytest.mark.simulator, pytest.mark.xdist_group("22_own_operation")]

LESSON = find("22")
IDLE = ("{ forward(x, y, n); }", "{ if (threadIdx.x < n) y[blockIdx.x * blockDim.x + threadIdx.x] = 0; }")


def test_a_loss_that_does_not_fall_is_said(tmp_path: Path, rng: np.random.Generator):
    """The gradients are those of the double kernels, which are right; what trains is the other pair."""
    exercise = LESSON.exercise
    assert exercise.also is not None
    names = (exercise.kernel, *exercise.more)
    file = tmp_path / "idle.cu"
    file.write_text(LESSON.solution.replace(*IDLE, 1), encoding="utf-8")
    module = cuda.compile(file, "simulator")
    (remark,) = exercise.also({name: module[name] for name in names}, rng)
    assert remark.says.startswith("the loss of a network with this activation goes from ")
    assert remark.says.endswith(" in 60 steps")
    module = cuda.compile(LESSON.folder / "solution.cu", "simulator")
    assert exercise.also({name: module[name] for name in names}, rng) == []
