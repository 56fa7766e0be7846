"""Fresh random inputs from a printed seed: `PYNEURAL_TEST_SEED=<seed> pytest ...` repeats a run."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest

SEED = int(os.environ.setdefault("PYNEURAL_TEST_SEED", str(int.from_bytes(os.urandom(4), "little"))))


def pytest_report_header() -> str:
    return f"pyneural: PYNEURAL_TEST_SEED={SEED} repeats this run's random inputs"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator of its own for each test, so that one test alone repeats as well."""
    return np.random.default_rng([SEED, zlib.crc32(request.node.nodeid.encode())])
