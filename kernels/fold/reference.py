"""NumPy references of unfold and fold: one strided slice of the padded image per kernel tap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check


def _taps(kernel: tuple[int, int], windows: tuple[int, int], dilation: Any, stride: Any) -> Iterator[Any]:
    """Each tap (r, s) with the slices of the padded image that hold its element of every window."""
    steps, spacing = check.pair("unfold", "stride", stride, 1), check.pair("unfold", "dilation", dilation, 1)
    for r in range(kernel[0]):
        for s in range(kernel[1]):
            starts = (r * spacing[0], s * spacing[1])
            yield (
                (r, s),
                tuple(slice(a, a + d * (n - 1) + 1, d) for a, d, n in zip(starts, steps, windows, strict=True)),
            )


def _windows(size: tuple[int, int], kernel: tuple[int, int], dilation: Any, padding: Any, stride: Any) -> Any:
    attributes = (check.pair("unfold", "", each, 0) for each in (dilation, padding, stride))
    numbers = zip(size, kernel, *attributes, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in numbers)


def unfold(x: np.ndarray, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> np.ndarray:
    n, c, h, w = x.shape
    kernel, (ph, pw) = check.pair("unfold", "kernel_size", kernel_size, 1), check.pair("unfold", "padding", padding, 0)
    windows = _windows((h, w), kernel, dilation, padding, stride)
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    y = np.empty((n, c, *kernel, *windows), x.dtype)
    for (r, s), (rows, columns) in _taps(kernel, windows, dilation, stride):
        y[:, :, r, s] = padded[:, :, rows, columns]
    return y.reshape(n, c * kernel[0] * kernel[1], windows[0] * windows[1])


def fold(
    x: np.ndarray, *, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> np.ndarray:
    h, w = check.pair("fold", "output_size", output_size, 1)
    kernel, (ph, pw) = check.pair("fold", "kernel_size", kernel_size, 1), check.pair("fold", "padding", padding, 0)
    windows = _windows((h, w), kernel, dilation, padding, stride)
    n, channels = x.shape[0], x.shape[1] // (kernel[0] * kernel[1])
    columns_of = x.reshape(n, channels, *kernel, *windows)
    padded = np.zeros((n, channels, h + 2 * ph, w + 2 * pw), x.dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        for (r, s), (rows, columns) in _taps(kernel, windows, dilation, stride):
            padded[:, :, rows, columns] += columns_of[:, :, r, s]
    return padded[:, :, ph : ph + h, pw : pw + w]
