"""3-D convolution on the CPU: the kernels of the 2-D one, which take volumes as well."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..conv.dispatch import correlate, weight_gradient
from ..conv.plan import backward_phases, forward_phases
from .contract import as_triple

Array = np.ndarray[Any, Any]


def conv3d(
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
    kernel = as_triple(weight.shape[2:])
    phases = forward_phases(kernel, as_triple(stride), as_triple(padding), as_triple(dilation))
    correlate(x, weight, bias, activation == "relu", groups, phases, True, out)


def conv3d_dgrad(
    grad: Array, weight: Array, *, input_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    kernel = as_triple(weight.shape[2:])
    phases = backward_phases(kernel, as_triple(stride), as_triple(padding), as_triple(dilation))
    correlate(grad, weight, None, False, groups, phases, False, out)


def conv3d_wgrad(
    grad: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    kernel = as_triple(kernel_size)
    phases = forward_phases(kernel, as_triple(stride), as_triple(padding), as_triple(dilation))
    weight_gradient(grad, x, groups, phases, out)
