"""Random numbers: counter-based, so that a seed gives the same bits on every device.

Every random operation takes the next offset of a `Generator`; its numbers are a pure function of
(seed, offset, position in the result), by Philox 4x32-10 (Salmon et al. 2011,
https://doi.org/10.1145/2063384.2063405). The whole state of a generator is two integers.
"""

from __future__ import annotations

from typing import Any

from . import recording

_MASK = (1 << 64) - 1


class Generator:
    """A stream of random numbers.

    Args:
        seed: any integer; its low 64 bits are used.

    Attributes:
        seed: as given, reduced to 64 bits.
        offset: how many random operations it has served.
    """

    __slots__ = ("offset", "seed")

    def __init__(self, seed: int = 0) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from ``seed``."""
        recording.gives_up("a random generator is seeded")
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed: seed must be an int, not {type(seed).__name__}")
        self.seed = seed.__index__() & _MASK
        self.offset = 0
        return self

    def next(self) -> dict[str, int]:
        """The ``seed`` and ``offset`` of the next random operation."""
        offset = self.offset
        self.offset = (offset + 1) & _MASK
        state = {"seed": self.seed, "offset": offset}
        observer = recording.current()
        return state if observer is None else observer.drew(self, state)

    def state_dict(self) -> dict[str, int]:
        """The state as two integers."""
        return {"seed": self.seed, "offset": self.offset}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that `state_dict` gave."""
        recording.gives_up("a random generator is set back")
        seed, offset = int(state["seed"]), int(state["offset"])
        if not (0 <= seed <= _MASK and 0 <= offset <= _MASK):
            raise ValueError(f"load_state_dict: seed (={seed}) and offset (={offset}) must be in [0, 2**64)")
        self.seed, self.offset = seed, offset

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, offset={self.offset})"


default_generator = Generator(0)
"""What random operations use when they are given no generator."""


def manual_seed(seed: int) -> Generator:
    """Restart the default generator from ``seed``; returns it."""
    return default_generator.manual_seed(seed)
