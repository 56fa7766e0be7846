"""Copies of the package, as it is installed, in which single files can be made wrong; and tests run in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from .mutation import Mutation

ROOT = Path(__file__).parents[2]
GENERATED = ("tests/kernels/test_contracts.py", "tests/pyneural/test_gradients.py")
NEEDED = (
    "kernels",
    "pyneural",
    "csrc/__init__.py",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/pyneural/conftest.py",
    *GENERATED,
)
TIMEOUT = 600  # seconds for the tests of one mutation

# Loads once what every run of the tests would load first, none of it ours, and runs them in a child process each.
_SERVER = """
import json, os, signal, sys
import ml_dtypes, numba, numpy, pytest, scipy.special
for line in sys.stdin:
    arguments, log, seconds = json.loads(line)
    child = os.fork()
    if not child:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        signal.alarm(seconds)
        code = 99
        try:
            code = int(pytest.main(arguments))
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# A wrong version that fails so does not compute anything wrong, it does not compute.
_NO_RESULT = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError", "AttributeError")
_UNCOMPILED = ("numba.core.errors.", "numba.core.typeinfer.", "llvmlite.")


@dataclass(frozen=True)
class Outcome:
    """What tests said: how many passed, and the first that did not, why, and whether in its own assertions."""

    passed: int
    test: str = ""
    reason: str = ""
    judged: bool = False

    @property
    def failed(self) -> bool:
        return bool(self.test or self.reason)


def export(target: Path, commit: str | None) -> None:
    """The needed files of the working tree, or of a commit, in the layout of the repository."""
    if commit is not None:
        packed = subprocess.run(["git", "archive", commit, *NEEDED], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(target, filter="data")
        return
    for name in NEEDED:
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy)


def revision(commit: str | None) -> str:
    """The commit whose files were mutated, and whether the working tree had changes beside it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    if commit is not None:
        return git("rev-parse", "--short", commit)
    changed = git("status", "--porcelain", "--", "kernels", "pyneural", "tests/kernels", "tests/pyneural")
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if changed else "")


def seed_cache(target: Path) -> None:
    """The user's compiled kernels, so that what a mutation leaves alone is not compiled again."""
    from pyneural.kernels.jit import cache_folder

    folder = target / "numba"
    if not cache_folder().is_dir():
        folder.mkdir(parents=True)
        return
    try:  # Numba replaces its files and never writes into them, so that they may be shared
        shutil.copytree(cache_folder(), folder, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.copytree(cache_folder(), folder, dirs_exist_ok=True)


class Copy:
    """``pyneural`` with ``pyneural/kernels`` in it, ``tests`` beside, a cache of kernels shared with other copies.

    Needs `os.fork`: Linux or macOS.
    """

    def __init__(self, source: Path, folder: Path, cache: Path, seed: int) -> None:
        self.folder = folder
        self._server: subprocess.Popen[str] | None = None
        shutil.copytree(source, folder)
        for name in ("kernels", "csrc"):
            (folder / name).rename(folder / "pyneural" / name)
        # A changed file of the same size and second would go unnoticed by the usual check of its byte code.
        compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(folder)]
        subprocess.run([sys.executable, *compile_all], check=True)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        self.environment |= {
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYNEURAL_CACHE_DIR": str(cache),
            "PYNEURAL_TEST_SEED": str(seed),
            "NUMBA_NUM_THREADS": "2",
        }

    def path(self, file: str) -> Path:
        """Where a file of the repository lies in the copy."""
        return self.folder / ("pyneural/" + file if file.startswith(("kernels/", "csrc/")) else file)

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """The mistake in its file, inside the ``with`` block; raises `Gone`."""
        path = self.path(mutation.file)
        text = path.read_text(encoding="utf-8")
        path.write_text(mutation.apply(text), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")

    def collect(self) -> list[str]:
        """The node ids of all generated tests; the tests' server is started."""
        where = [sys.executable, "-c", "import pyneural.kernels; print(pyneural.kernels.__file__)"]
        loaded = subprocess.run(where, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        _, log = self._pytest(["--collect-only", "-q", *GENERATED], TIMEOUT)
        tests = [line for line in log.splitlines() if "::" in line]
        if not tests or not Path(loaded.stdout.strip()).is_relative_to(self.folder):
            raise RuntimeError(f"mutations: the copy does not load: {log}{loaded.stderr}")
        return tests

    def run(self, tests: Sequence[str], *, all_of_them: bool = False) -> Outcome:
        """Run tests in this order, up to the first that fails unless ``all_of_them``."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        limit = 0 if all_of_them else TIMEOUT
        options = ["-q", "--tb=line", *(() if all_of_them else ("-x",)), f"--junitxml={report}"]
        code, log = self._pytest([*options, *tests], limit)
        if code == -signal.SIGALRM:
            return Outcome(0, reason=f"no end after {limit} s")
        if not report.exists():
            return Outcome(0, reason=f"pytest ended with {code}: {log[-300:]}")
        return _outcome(report)

    def close(self) -> None:
        """End the tests' server."""
        if self._server is not None:
            self._server.communicate()
            self._server = None

    def _pytest(self, arguments: list[str], seconds: int) -> tuple[int, str]:
        """The exit status of pytest and what it printed."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-c", _SERVER],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        log = self.folder / "log.txt"
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([["-p", "no:cacheprovider", *arguments], str(log), seconds]) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:
            raise RuntimeError("mutations: the process that runs the tests ended")
        return int(answer), log.read_text(encoding="utf-8", errors="replace")


def _outcome(report: Path) -> Outcome:
    passed = 0
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        for kind in ("error", "failure"):
            found = case.find(kind)
            if found is not None:
                message = found.get("message", "")
                crashed = kind == "error" or message.startswith((*_NO_RESULT, *_UNCOMPILED))
                return Outcome(passed, name, message.partition("\n")[0], not crashed)
        passed += case.find("skipped") is None
    return Outcome(passed)
