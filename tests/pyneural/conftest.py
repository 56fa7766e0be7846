"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pyneural


@pytest.fixture
def reference_device() -> Iterator[None]:
    """The default device is "reference" inside the test: nothing is compiled for what no kernel decides."""
    before = pyneural.get_default_device()
    pyneural.set_default_device("reference")
    yield
    pyneural.set_default_device(before)
