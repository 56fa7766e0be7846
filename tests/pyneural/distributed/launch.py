"""Start real MPI processes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SEED

ROOT = Path(__file__).parents[3]
RANKS = Path(__file__).parent / "ranks"
SHARED = Path("/dev/shm")


def launcher() -> str | None:
    """The ``mpiexec`` beside this Python, else the one on the path."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def require_mpi() -> str:
    """The launcher; skips the test where it or mpi4py is missing."""
    found = launcher()
    if importlib.util.find_spec("mpi4py") is None or found is None:
        pytest.skip('MPI is not installed: pip install "pyneural[distributed]"')
    return found


def environment() -> dict[str, str]:
    """One thread a rank: they share the cores. What a launcher around pytest may have set does not count."""
    foreign = ("PMI_", "OMPI_", "SLURM_", "PYNEURAL_GUARD", "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    threads = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, **threads, "PYNEURAL_TEST_SEED": str(SEED), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def command(ranks: int, script: str, *arguments: str) -> list[str]:
    """``mpiexec`` of a script of `RANKS`, watched by sentinels."""
    program = [sys.executable, "-m", "pyneural.distributed", str(RANKS / script), *arguments]
    return [require_mpi(), "-n", str(ranks), *program]


def run(ranks: int, script: str, *arguments: str, seconds: float = 120.0) -> str:
    """What the script's ranks print; fails unless all end well within the time, then with where each of them stands."""
    job = subprocess.Popen(
        command(ranks, script, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment(), "PYTHONFAULTHANDLER": "1"},
    )
    try:
        printed = job.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        _abort([str(RANKS / script), *arguments])
        printed = f"not ended within {seconds:g} seconds\n{job.communicate()[0]}"
    assert job.returncode == 0, printed
    return printed


def _abort(arguments: list[str]) -> None:
    """Signal a program's processes to print their stacks and die; the launcher puts each in a session of its own."""
    ending = "\0".join([*arguments, ""]).encode()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = each.read_bytes()
            if line.endswith(ending) and b"mpiexec" not in line.partition(b"\0")[0]:
                os.kill(int(each.parent.name), signal.SIGABRT)


@contextlib.contextmanager
def swept() -> Iterator[None]:
    """Remove the shared memory that MPICH's ranks leave behind where they are killed inside."""
    before = set(SHARED.glob("mpich_shm_*"))
    try:
        yield
    finally:
        used = "".join(_maps(each) for each in Path("/proc").glob("[0-9]*/maps"))
        for each in set(SHARED.glob("mpich_shm_*")) - before:
            if str(each) not in used:
                each.unlink(missing_ok=True)


def _maps(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
