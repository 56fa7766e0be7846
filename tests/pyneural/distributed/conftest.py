"""Fixtures of the tests of several ranks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyneural import distributed
from pyneural.distributed import group as groups

from .launch import swept


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> distributed.ProcessGroup:
    """A group of this process."""
    for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(groups, "_group", [])
    return distributed.init()


@pytest.fixture(autouse=True, scope="module")
def _sweeping() -> Iterator[None]:
    with swept():
        yield
