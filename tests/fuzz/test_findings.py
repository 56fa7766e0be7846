"""Calls that failed when they were first drawn, shrunk; they stay as they were found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample
from tests.fuzz.calls import verify

FINDINGS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    # The first element of an array was looked up before anything asked whether it has one.
    "strided beside empty": ("div", (np.ones((2, 7, 2, 1)).transpose(0, 2, 1, 3), np.ones((2, 2, 7, 0))), {}),
    # A gradient outside of the bounds was multiplied by 0 instead of replaced by it.
    "NaN outside the bounds": ("clamp_backward", (np.array(np.nan), np.array(-np.inf)), {"min": np.inf}),
    # So was one that is infinite.
    "infinity left of hardswish": ("hardswish_backward", (np.array([np.inf]), np.array([-np.inf])), {}),
    "infinity beside hardsigmoid": ("hardsigmoid_backward", (np.array(np.inf), np.array(np.nan)), {}),
    # The reference multiplied the gradient of every class by 0 or 1.
    "NaN at the target": (
        "nll_loss_backward",
        (np.array(np.nan), np.array(1), np.array(0.5)),
        {"input_shape": (2,), "reduction": "mean"},
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_no_longer_fails(name: str) -> None:
    operation, args, kwargs = FINDINGS[name]
    verify(OPERATIONS[operation], Sample(args, kwargs))
