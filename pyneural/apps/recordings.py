"""What was driven for a training: in memory, and in files from which an interrupted training goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from pyneural.io import load, save
from pyneural.tensor import Tensor

from .racing import Driver, Recording, record
from .training import Refused

FOLDER = "drives"
NAMES = ("road", "bars", "wanted")


class Pool:
    """Drives in rounds, each of which is driven once.

    Attributes:
        seen: everything so far.
    """

    def __init__(self, checkpoint: Path | None, frames: int) -> None:
        self.checkpoint, self.frames = checkpoint, frames
        self.folder = None if checkpoint is None else checkpoint.parent / FOLDER
        self.seen = Recording(*(np.empty(0) for _ in NAMES))
        self._rounds: list[Recording] = []
        if checkpoint is not None and not checkpoint.exists():
            self.forget()  # what is there is another training's

    def add(self, number: int, tracks: tuple[int, ...], driver: Driver | None, due: bool) -> None:
        """Round ``number``, unless it is there: from its file, or, if it is ``due``, driven and kept in one.

        Raises:
            Refused: its file is missing, and its driver has learnt since.
        """
        if number < len(self._rounds):
            return
        file = None if self.folder is None else self.folder / f"{number}.safetensors"
        if file is not None and file.exists():
            found = load(file, "cpu")
            made = Recording(*(found[name].numpy() for name in NAMES))
        elif due:
            made = Recording.joined([record(each, self.frames, driver) for each in tracks])
            if file is not None:
                file.parent.mkdir(exist_ok=True)
                save(file, {name: Tensor(getattr(made, name), device="cpu") for name in NAMES})
        else:
            raise Refused(f"train: {file} is missing, without which {self.checkpoint} cannot go on")
        self._rounds.append(made)
        self.seen = Recording.joined(self._rounds)

    def forget(self) -> None:
        """Remove the files."""
        if self.folder is not None and self.folder.is_dir():
            for file in self.folder.glob("*.safetensors"):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another rank may have been first
                self.folder.rmdir()
