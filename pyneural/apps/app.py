"""What an application is: a module with these names, and nothing else to register."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pyneural.device import Device
from pyneural.nn import Module
from pyneural.optim import Optimizer

from .training import History, Settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

Scores = dict[str, float]
"""Numbers by the name of the metric: accuracy, auc."""


@dataclass(frozen=True)
class Answer:
    """What a trained network says about a user's input: for scripts, and in words."""

    facts: dict[str, Any]
    text: str


class App(Protocol):
    """A module of this package, ``pyneural/apps/<name>.py``: model, data, training, evaluation."""

    NAME: str
    EPOCHS: int
    BATCH_SIZE: int
    LEARNING_RATE: float
    METRIC: str
    """What `Progress.score` is."""
    BARS: Scores
    """Scores on held-out data that the median of three seeds reaches."""
    LOWER: tuple[str, ...]
    """The metrics that are better the lower they are."""
    INPUT: str
    """What `answer` takes."""

    def load_data(self, device: str | Device | None = None, dtype: Any = None) -> Any:
        """All of the data; MissingPackage where it is not installed."""

    def build(self, *, device: str | Device | None = None, dtype: Any = None) -> Module:
        """The network, with fresh parameters."""

    def train(self, model: Any, data: Any, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
        """Train in place. `Refused` for a number out of range and another training's checkpoint."""

    def score(self, model: Any, data: Any) -> Scores:
        """The network on the held-out part."""

    def baseline(self) -> Scores:
        """What others' software scores on the same held-out part, computed now."""

    def draw(self, path: Path, model: Any, data: Any) -> None:
        """One picture of how the network does on the held-out part."""

    def answer(self, model: Any, given: str, device: str | Device | None = None) -> Answer:
        """What the network says about a user's input; ValueError or OSError where it is no such input."""


def reached(app: App, metric: str, value: float, bar: float) -> bool:
    """Whether a metric's value is at least as good as ``bar``."""
    return value <= bar if metric in app.LOWER else value >= bar


def input_file(owner: str, given: str | os.PathLike[str]) -> Path:
    """``given`` as the path of a file; ValueError where there is none."""
    path = Path(given)
    if not path.is_file():
        raise ValueError(f"{owner}: there is no file {path}" if not path.exists() else f"{owner}: {path} is no file")
    return path
