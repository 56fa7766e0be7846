"""Fresh random inputs from a printed seed: `PYNEURAL_TEST_SEED=<seed> pytest ...` repeats a run."""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

# Before anything loads Numba: more than one thread even on one core, so that parallel kernels really
# share their work, and threads that sleep while they wait, because worker processes share the cores.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("NUMBA_NUM_THREADS", str(max(2, (os.cpu_count() or 1) // _WORKERS)))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

SEED = int(os.environ.setdefault("PYNEURAL_TEST_SEED", str(int.from_bytes(os.urandom(4), "little"))))


def docs_script(name: str) -> ModuleType:
    """``docs/<name>.py`` as a module."""
    path = Path(__file__).parents[1] / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = ("tests/kernels/test_contracts.py", "tests/pyneural/test_gradients.py")
"""The files whose tests are generated from the contracts."""


def pytest_report_header() -> str:
    return f"pyneural: PYNEURAL_TEST_SEED={SEED} repeats this run's random inputs"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were generated from how many contracts, and what PyTorch's own samples gave."""
    _op_db_summary(terminalreporter)
    kinds: Counter[str] = Counter()
    for outcome in ("passed", "failed", "skipped", "xfailed"):
        for report in terminalreporter.stats.get(outcome, ()):
            path, _, name = report.nodeid.partition("::")
            if path.endswith(GENERATED):
                kinds[name.partition("[")[0].removeprefix("test_").replace("_", " ")] += 1
    if kinds:
        from pyneural.kernels import BACKENDS, OPERATIONS

        parts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        terminalreporter.write_line(
            f"{kinds.total()} contract tests generated from {len(OPERATIONS)} operations "
            f"and {len(BACKENDS) - 1} backends: {parts}"
        )


def _op_db_summary(terminalreporter: pytest.TerminalReporter) -> None:
    asked, passed, refused = 0, 0, Counter[str]()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, found in report.user_properties:
                if name == "op_db":
                    asked, passed = asked + found["asked"], passed + found["passed"]
                    refused.update(found["refused"])
    if asked:
        reasons = "".join(f"; not supported: {count}, {why}" for why, count in refused.most_common())
        terminalreporter.write_line(f"PyTorch's op_db: {passed} of {asked} samples passed{reasons}")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of its own for each test, so that one test alone repeats as well."""
    return np.random.default_rng([SEED, zlib.crc32(request.node.nodeid.encode())])


@pytest.fixture(params=("reference", "cpu"))
def device(request: pytest.FixtureRequest) -> str:
    """Every device of this machine in turn."""
    return str(request.param)
