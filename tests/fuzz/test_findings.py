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
    # The reference took NumPy's square root, which is NaN where the power is infinite.
    "power of minus infinity": ("pow", (np.array([-np.inf, -0.0, 4.0]), np.array(0.5)), {}),
    # 1 + tanh(u) lost the digits of a small result.
    "left tail of linear's gelu": (
        "linear",
        (np.array([0.28802370010835177]), np.array([[-0.9685593990281414]]), np.array([-2.588674455967102])),
        {"activation": "gelu_tanh"},
    ),
    # NumPy writes in the order of the indices' memory: the last of several values was not the last one written.
    "written twice through transposed indices": (
        "index_put",
        (np.zeros((1, 2)), np.arange(3.0)),
        {"key": (np.zeros(3, int), np.array([[0, 1], [1, 0], [0, 0]]).T)},
    ),
    # The reference cropped from the wrong end where more was to go than there is.
    "cropped away and grown again": ("pad", (np.ones((2, 1)),), {"pad": (0, 0, 1, -3)}),
    # Sums one element after the other erred more than sums of sums.
    "mean of equal numbers": ("adaptive_avg_pool2d", (np.full((1, 1, 65, 1), 0.8216181435011584),), {"output_size": 1}),
    # The reference's product overflows on the way, ours does not.
    "product of large and small": ("prod", (np.repeat([1e3, 1e-3], 40).astype(np.float32),), {"dim": None}),
    # The slope is below float32's range, and 0 there: times an infinite gradient it is NaN.
    "infinite gradient left of gelu": (
        "gelu_backward",
        (np.array([np.inf], np.float32), np.array([-16.0], np.float32)),
        {"approximate": "tanh"},
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_no_longer_fails(name: str) -> None:
    operation, args, kwargs = FINDINGS[name]
    verify(OPERATIONS[operation], Sample(args, kwargs))
