"""2-D convolution on the CPU: images in front of `dispatch`, as volumes of depth 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from .contract import as_pair
from .dispatch import correlate, weight_gradient
from .plan import backward_phases, forward_phases

Array = np.ndarray[Any, Any]


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Array,
) -> None:
    kernel = (1, *weight.shape[2:])
    phases = forward_phases(kernel, (1, *as_pair(stride)), (0, *as_pair(padding)), (1, *as_pair(dilation)))
    correlate(x, weight, bias, activation == "relu", groups, phases, True, out)


def conv2d_dgrad(
    grad: Array, weight: Array, *, input_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    kernel = (1, *weight.shape[2:])
    phases = backward_phases(kernel, (1, *as_pair(stride)), (0, *as_pair(padding)), (1, *as_pair(dilation)))
    correlate(grad, weight, None, False, groups, phases, False, out)


def conv2d_wgrad(
    grad: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    kernel = (1, *as_pair(kernel_size))
    phases = forward_phases(kernel, (1, *as_pair(stride)), (0, *as_pair(padding)), (1, *as_pair(dilation)))
    weight_gradient(grad, x, groups, phases, out)
