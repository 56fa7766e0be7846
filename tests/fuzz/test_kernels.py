"""Random calls from the contracts' parameter space on the CPU kernels; ``python -m tests.fuzz`` makes more of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from pyneural.kernels import OPERATIONS, Sample
from tests.fuzz.calls import CASES, calls, verify


def test_every_operation_is_drawn() -> None:
    assert set(CASES) == set(OPERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_kernels(name: str) -> None:
    """Whatever is drawn is as exact as the contract demands, in any dtype and strides."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(calls(name))
    def one(sample: Sample) -> None:
        verify(OPERATIONS[name], sample)

    one()
