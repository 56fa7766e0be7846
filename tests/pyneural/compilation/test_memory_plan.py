"""Where arrays lie: never two at one place at one time, and in not much more than is needed at once."""

from __future__ import annotations

import numpy as np

from pyneural.compilation.memory_plan import Life, layout
from pyneural.kernels.memory import ALIGNMENT


def _most_at_once(lives: list[Life]) -> int:
    steps = max((each.last for each in lives), default=-1) + 1
    sizes = [-(-each.nbytes // ALIGNMENT) * ALIGNMENT for each in lives]
    return max(
        (sum(size for size, each in zip(sizes, lives, strict=True) if each.first <= step <= each.last)
         for step in range(steps)), default=0
    )  # fmt: skip


def test_random_lives(rng: np.random.Generator) -> None:
    for _ in range(60):
        lives = []
        for _ in range(int(rng.integers(0, 60))):
            first = int(rng.integers(0, 50))
            lives.append(Life(int(rng.integers(1, 5000)), first, first + int(rng.integers(0, 12))))
        offsets, total = layout(lives)
        assert len(offsets) == len(lives)
        for number, (offset, life) in enumerate(zip(offsets, lives, strict=True)):
            assert offset % ALIGNMENT == 0
            assert 0 <= offset <= total - life.nbytes
            for other_offset, other in zip(offsets[:number], lives[:number], strict=True):
                if life.first <= other.last and other.first <= life.last:
                    assert offset + life.nbytes <= other_offset or other_offset + other.nbytes <= offset
        least = _most_at_once(lives)
        assert least <= total <= 1.5 * least


def test_a_chain_needs_two_places() -> None:
    """Each array is read by the step that makes the next one."""
    lives = [Life(1024, step, step + 1) for step in range(20)]
    assert layout(lives)[1] == 2048


def test_nothing() -> None:
    assert layout([]) == ([], 0)
