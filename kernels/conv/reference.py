"""NumPy references of the convolution: one strided slice of the padded input per kernel tap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check


def _taps(
    kernel: tuple[int, int], result: tuple[int, int], stride: Any, dilation: Any
) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """Each tap (r, s) with the slices of the padded input that meet it, one element per result."""
    stride, dilation = check.pair("conv2d", "stride", stride, 1), check.pair("conv2d", "dilation", dilation, 1)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            starts = (r * dilation[0], s * dilation[1])
            yield (
                r,
                s,
                (
                    slice(starts[0], starts[0] + stride[0] * (result[0] - 1) + 1, stride[0]),
                    slice(starts[1], starts[1] + stride[1] * (result[1] - 1) + 1, stride[1]),
                ),
            )


def _padded(x: np.ndarray, padding: Any) -> np.ndarray:
    ph, pw = check.pair("conv2d", "padding", padding, 0)
    return np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
) -> np.ndarray:
    n, _, h, w = x.shape
    k, per_group, *kernel = weight.shape
    (sh, sw), (ph, pw) = check.pair("conv2d", "stride", stride, 1), check.pair("conv2d", "padding", padding, 0)
    dh, dw = check.pair("conv2d", "dilation", dilation, 1)
    p = (h + 2 * ph - dh * (kernel[0] - 1) - 1) // sh + 1
    q = (w + 2 * pw - dw * (kernel[1] - 1) - 1) // sw + 1
    padded = _padded(x, padding).reshape(n, groups, per_group, h + 2 * ph, w + 2 * pw)
    filters = weight.reshape(groups, k // groups, per_group, *kernel)
    y = np.zeros((n, groups, k // groups, p, q), x.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        for r, s, (rows, columns) in _taps((kernel[0], kernel[1]), (p, q), stride, dilation):
            y += np.einsum("ngcpq,gkc->ngkpq", padded[..., rows, columns], filters[..., r, s])
        y = y.reshape(n, k, p, q)
        if bias is not None:
            y += bias[:, None, None]
    return np.maximum(y, 0) if activation == "relu" else y


def conv2d_dgrad(
    grad: np.ndarray,
    weight: np.ndarray,
    *,
    input_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> np.ndarray:
    n, k, p, q = grad.shape
    _, per_group, *kernel = weight.shape
    h, w = check.pair("conv2d_dgrad", "input_size", input_size, 0)
    ph, pw = check.pair("conv2d_dgrad", "padding", padding, 0)
    grouped = grad.reshape(n, groups, k // groups, p, q)
    filters = weight.reshape(groups, k // groups, per_group, *kernel)
    padded = np.zeros((n, groups, per_group, h + 2 * ph, w + 2 * pw), grad.dtype)
    for r, s, (rows, columns) in _taps((kernel[0], kernel[1]), (p, q), stride, dilation):
        padded[..., rows, columns] += np.einsum("ngkpq,gkc->ngcpq", grouped, filters[..., r, s])
    return padded[..., ph : ph + h, pw : pw + w].reshape(n, groups * per_group, h, w)


def conv2d_wgrad(
    grad: np.ndarray,
    x: np.ndarray,
    *,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> np.ndarray:
    n, k, p, q = grad.shape
    c = x.shape[1]
    kernel = check.pair("conv2d_wgrad", "kernel_size", kernel_size, 1)
    padded = _padded(x, padding)
    padded = padded.reshape(n, groups, c // groups, *padded.shape[2:])
    grouped = grad.reshape(n, groups, k // groups, p, q)
    dweight = np.zeros((groups, k // groups, c // groups, *kernel), x.dtype)
    for r, s, (rows, columns) in _taps(kernel, (p, q), stride, dilation):
        dweight[..., r, s] = np.einsum("ngkpq,ngcpq->gkc", grouped, padded[..., rows, columns])
    return dweight.reshape(k, c // groups, *kernel)
