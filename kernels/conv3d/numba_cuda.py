"""3-D convolution and its gradients as Numba kernels."""

from __future__ import annotations

from typing import Any

from ..conv import numba_products as _products
from .contract import as_triple as _triple

Array = Any
Triple = Any  # an int or three


def conv3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Triple = 1,
    padding: Triple = 0,
    dilation: Triple = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Array,
) -> None:
    steps = _triple(stride), _triple(padding), _triple(dilation)
    _products.forward(x, weight, bias, activation, out, *steps, groups)


def conv3d_dgrad(
    grad: Array,
    weight: Array,
    *,
    input_size: tuple[int, int, int],
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    groups: int,
    out: Array,
) -> None:
    _products.dgrad(grad, weight, out, _triple(stride), _triple(padding), _triple(dilation), groups)


def conv3d_wgrad(
    grad: Array,
    x: Array,
    *,
    kernel_size: Triple,
    stride: Triple,
    padding: Triple,
    dilation: Triple,
    groups: int,
    out: Array,
) -> None:
    _products.wgrad(grad, x, out, _triple(stride), _triple(padding), _triple(dilation), groups)
