"""Padding in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes

Array = Any

_NUMPY: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Array, *, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Array:
    if mode != "constant":
        return x[np.ix_(*_sources(x.shape, pad, mode))]
    before, after = [0] * x.ndim, [0] * x.ndim
    for position in range(len(pad) // 2):
        before[x.ndim - 1 - position], after[x.ndim - 1 - position] = pad[2 * position], pad[2 * position + 1]
    kept = [slice(max(-b, 0), max(n + min(a, 0), 0)) for n, b, a in zip(x.shape, before, after, strict=True)]
    cropped = x[tuple(kept)]
    if 0 in cropped.shape:  # a dimension may be cropped away wholly and then grow again
        return np.full([n + b + a for n, b, a in zip(x.shape, before, after, strict=True)], value, x.dtype)
    amounts = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    return np.pad(cropped, amounts, constant_values=value) if amounts else cropped.copy()


def pad_backward(grad: Array, *, pad: tuple[int, ...], mode: str, input_shape: tuple[int, ...]) -> Array:
    result = np.zeros(input_shape, dtypes.accumulator(grad.dtype))
    np.add.at(result, np.ix_(*_sources(input_shape, pad, mode)), grad.astype(result.dtype))
    return result.astype(grad.dtype)


def _sources(shape: tuple[int, ...], pad: tuple[int, ...], mode: str) -> list[Array]:
    """For each dimension the input's coordinate of each of the result's."""
    sources = [np.arange(n) for n in shape]
    for position in range(len(pad) // 2):
        dim, before, after = len(shape) - 1 - position, pad[2 * position], pad[2 * position + 1]
        n = shape[dim]
        if mode == "circular":  # what is cropped away takes no part
            sources[dim] = sources[dim][max(-before, 0) : n - max(-after, 0)]
            before, after = max(before, 0), max(after, 0)
        wide = np.pad(sources[dim], (max(before, 0), max(after, 0)), mode=_NUMPY[mode]) if n else sources[dim]
        sources[dim] = wide[max(-before, 0) : max(wide.size - max(-after, 0), 0)]
    return sources
