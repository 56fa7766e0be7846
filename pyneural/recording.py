"""Where what happens between kernels is told to the recording under way, of which `pyneural.compile` makes a plan.

Kernels are recorded where they are called. Random numbers, steps of optimizers and schedules, modules, gradients that
reach a leaf, and what no plan can repeat are told here, one comparison each while nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Observer(Protocol):
    """A recording, as those see it who tell it something.

    Attributes:
        suspended: what happens now is no part of it.
    """

    suspended: bool

    def drew(self, generator: Any, state: dict[str, int]) -> dict[str, int]:
        """``generator`` gave ``state`` to a random operation; what is returned is used in its place."""

    def act(self, owner: Any, action: Callable[..., Any], *arguments: Any) -> Any:
        """Do ``action(*arguments)`` of an optimizer or schedule, in Python each time, and return what it gives."""

    def called(self, module: Any) -> None:
        """A module computes."""

    def accumulates(self, leaf: Any) -> None:
        """A gradient reaches a leaf, which does not have it yet."""

    def walked(self, retained: bool) -> None:
        """A backward went through the graph."""

    def gives_up(self, reason: str) -> None:
        """Something happened that a plan cannot repeat."""


_observers: list[Observer] = []


def current() -> Observer | None:
    """The recording under way."""
    return _observers[-1] if _observers else None


def act(owner: Any, action: Callable[..., Any], *arguments: Any) -> Any:
    """``action(*arguments)`` of an optimizer or schedule, which a recording under way notes down."""
    observer = current()
    return action(*arguments) if observer is None else observer.act(owner, action, *arguments)


def gives_up(reason: str) -> None:
    """Tell the recording under way, if there is one, why no plan can be made of it."""
    if _observers:
        _observers[-1].gives_up(reason)


class paused:
    """Inside this ``with`` block nothing is recorded: what is computed is kept for calls to come."""

    def __enter__(self) -> None:
        self._observer = current()
        if self._observer is not None:
            self._before, self._observer.suspended = self._observer.suspended, True

    def __exit__(self, *exception: object) -> None:
        if self._observer is not None:
            self._observer.suspended = self._before


class observed:
    """Inside this ``with`` block ``observer`` is told."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def __enter__(self) -> None:
        _observers.append(self._observer)

    def __exit__(self, *exception: object) -> None:
        _observers.pop()
