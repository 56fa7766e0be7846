"""Verdicts kept in a file as they come, so that a run that was broken off goes on where it stopped."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from dataclasses import astuple
from pathlib import Path

from pyneural.kernels import OPERATIONS
from pyneural.kernels.jit import _sources

from .copies import GENERATED
from .mutation import Mutation

Found = tuple[str, str]  # the test that noticed, the commit whose files were made wrong

_ENGINE = ("autograd", "functional", "tensor.py", "device.py")
_KERNELS = ("contract", "reference", "numba_cpu")


class Record:
    """A file of JSON lines, one a mutation that was caught: what was wrong, in which files, who noticed, when.

    The files are those that the verdict can depend on: the mutated one's and its operations' families, what they
    import, the contracts' machinery, the engine, and the tests.
    """

    def __init__(self, file: Path, sources: Path, seed: int) -> None:
        self.file = file
        self._folder, self._seed = sources, seed
        self._lock = threading.Lock()
        self._same: dict[tuple[str, str], Found] = {}
        self._latest: dict[str, Found] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                wrong, files, test, commit = json.loads(line)
                self._same[wrong, files] = self._latest[wrong] = (test, commit)

    def get(self, mutation: Mutation) -> Found | None:
        """Who caught a mutation in the same files."""
        return self._same.get((_digest(*astuple(mutation)), self._files(mutation)))

    def latest(self, mutation: Mutation) -> Found | None:
        """Who caught a mutation last, whatever the files were then."""
        return self._latest.get(_digest(*astuple(mutation)))

    def add(self, mutation: Mutation, test: str, commit: str) -> None:
        """Keep that ``test`` caught a mutation in the files of ``commit``."""
        line = json.dumps([_digest(*astuple(mutation)), self._files(mutation), test, commit])
        with self._lock, self.file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def _files(self, mutation: Mutation) -> str:
        """A digest of the files that a verdict can depend on, and of the seed."""
        families = {OPERATIONS[name].family for name in mutation.operations}
        files = {each for each in (self._folder / "kernels").glob("*.py") if not each.name.startswith("cuda")}
        files |= {self._folder / name for name in GENERATED}
        for start in (mutation.file, *(f"kernels/{each}/{name}.py" for each in families for name in _KERNELS)):
            files |= _sources(self._folder / start)
        for name in _ENGINE:
            place = self._folder / "pyneural" / name
            files |= set(place.rglob("*.py")) if place.is_dir() else {place}
        return _digest(self._seed, *(f"{each.relative_to(self._folder)} {_hash(each)}" for each in sorted(files)))


@functools.cache
def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:32]
