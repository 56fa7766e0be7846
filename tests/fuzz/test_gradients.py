"""Random calls of the engine's functions: values and gradients are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyneural.kernels import OPERATIONS, Sample, dtypes
from tests.fuzz.calls import calls

pytest.importorskip("torch", reason="gradients are compared with PyTorch's")

from tests.fuzz.gradients import NAMES, verify_gradient


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_gradients(name: str) -> None:
    """For any shapes, strides and attributes."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(calls(name, (dtypes.float64,), specials=False), st.integers(0, 2**32 - 1))
    def one(sample: Sample, number: int) -> None:
        verify_gradient(OPERATIONS[name], sample, np.random.default_rng(number))

    one()
