"""2-D convolution and its gradients as Numba kernels."""

from __future__ import annotations

from typing import Any

from . import numba_products as _products
from .contract import as_pair as _pair

Array = Any
Pair = Any  # an int or two


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Array,
) -> None:
    steps = _pair(stride), _pair(padding), _pair(dilation)
    _products.forward(x, weight, bias, activation, out, *steps, groups)


def conv2d_dgrad(
    grad: Array,
    weight: Array,
    *,
    input_size: tuple[int, int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    out: Array,
) -> None:
    _products.dgrad(grad, weight, out, _pair(stride), _pair(padding), _pair(dilation), groups)


def conv2d_wgrad(
    grad: Array,
    x: Array,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    out: Array,
) -> None:
    _products.wgrad(grad, x, out, _pair(stride), _pair(padding), _pair(dilation), groups)
