"""NumPy references of the 3-D convolution: one strided block of the padded input per kernel tap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from .contract import Three, as_triple


def _taps(kernel: Three, result: tuple[int, ...], stride: Any, dilation: Any) -> Iterator[tuple[Any, Any]]:
    """Each tap's place in the weight, and the block of the padded input that meets it, one element per result."""
    steps, spacing = as_triple(stride), as_triple(dilation)
    for t, r, s in product(*(range(n) for n in kernel)):
        starts = [at * d for at, d in zip((t, r, s), spacing, strict=True)]
        block = (slice(a, a + step * (n - 1) + 1, step) for a, step, n in zip(starts, steps, result, strict=True))
        yield (..., t, r, s), (..., *block)


def _padded(x: np.ndarray, padding: Any, groups: int) -> np.ndarray:
    """``x`` with its border, channels split into groups."""
    wide = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in as_triple(padding))))
    return wide.reshape(x.shape[0], groups, x.shape[1] // groups, *wide.shape[2:])


def conv3d(
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
    k, per_group, *kernel = weight.shape
    padded = _padded(x, padding, groups)
    numbers = zip(padded.shape[3:], kernel, as_triple(stride), as_triple(dilation), strict=True)
    result = tuple((n - d * (size - 1) - 1) // s + 1 for n, size, s, d in numbers)
    filters = weight.reshape(groups, k // groups, per_group, *kernel)
    y = np.zeros((x.shape[0], groups, k // groups, *result), x.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        for tap, block in _taps(as_triple(tuple(kernel)), result, stride, dilation):
            y += np.einsum("ngcopq,gkc->ngkopq", padded[block], filters[tap])
        y = y.reshape(x.shape[0], k, *result)
        if bias is not None:
            y += bias[:, None, None, None]
    return np.maximum(y, 0) if activation == "relu" else y


def conv3d_dgrad(
    grad: np.ndarray,
    weight: np.ndarray,
    *,
    input_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> np.ndarray:
    n, k, *result = grad.shape
    _, per_group, *kernel = weight.shape
    size, pads = as_triple(input_size), as_triple(padding)
    grouped = grad.reshape(n, groups, k // groups, *result)
    filters = weight.reshape(groups, k // groups, per_group, *kernel)
    padded = np.zeros((n, groups, per_group, *(a + 2 * p for a, p in zip(size, pads, strict=True))), grad.dtype)
    for tap, block in _taps(as_triple(tuple(kernel)), tuple(result), stride, dilation):
        padded[block] += np.einsum("ngkopq,gkc->ngcopq", grouped, filters[tap])
    inside: Any = (..., *(slice(p, p + a) for a, p in zip(size, pads, strict=True)))
    dx: np.ndarray = padded[inside].reshape(n, groups * per_group, *size)
    return dx


def conv3d_wgrad(
    grad: np.ndarray,
    x: np.ndarray,
    *,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> np.ndarray:
    n, k, *result = grad.shape
    per_group = x.shape[1] // groups
    kernel = as_triple(kernel_size)
    padded = _padded(x, padding, groups)
    grouped = grad.reshape(n, groups, k // groups, *result)
    dweight = np.zeros((groups, k // groups, per_group, *kernel), x.dtype)
    for tap, block in _taps(kernel, tuple(result), stride, dilation):
        dweight[tap] = np.einsum("ngkopq,ngcopq->gkc", grouped, padded[block])
    return dweight.reshape(k, per_group, *kernel)
