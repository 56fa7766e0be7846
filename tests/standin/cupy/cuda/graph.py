"""Graphs of the stand-in: what a stream was given while it was captured, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Graph:
    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] = []

    def launch(self, stream: Any = None) -> None:
        for step in self._steps:
            step()


def _capturing() -> Graph | None:
    """The graph that the current stream is captured into."""
    from . import get_current_stream

    found: Graph | None = get_current_stream()._graph
    return found


def _do(step: Callable[[], None]) -> None:
    """Run a step, or note it down where the current stream is captured."""
    graph = _capturing()
    if graph is None:
        step()
    else:
        graph._steps.append(step)


def _refuse_capture() -> None:
    """Of what waits for the GPU."""
    from .runtime import CUDARuntimeError

    if _capturing() is not None:
        raise CUDARuntimeError(900)
