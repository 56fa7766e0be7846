"""Contracts of padding, by a constant or by the array itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal

Array = Any

MODES = ("constant", "reflect", "replicate", "circular")


_CASES: tuple[tuple[tuple[int, ...], str, tuple[int, ...]], ...] = (
    ((5,), "reflect", (4, 3)),
    ((1, 1), "replicate", (1, 2)),
    ((0, 3), "reflect", (1, 1)),
    ((2, 5), "replicate", (7, 1)),
    ((3, 4), "circular", (4, 2)),
    ((2, 3, 4), "reflect", (1, -2, 2, 1)),
    ((2, 3, 4), "replicate", (2, -1, -1, 3)),
    ((2, 4, 4), "circular", (-1, 2, 2, -1)),
    ((2, 2, 3, 3), "reflect", (1, 2, 0, 1, 1, 0)),
    ((3, 11, 31, 29), "replicate", (1, 3, 2, 2)),
    ((11, 29, 61), "circular", (2, 1, 3, 4)),
)


def _pad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((5,), (1, 2)),
        ((), ()),
        ((3, 4), (0, 0, 2, 1)),
        ((3, 4), (-1, -2)),
        ((2, 3, 4), (1, -2, -1, 3)),
        ((2, 3, 4, 2), (0, 1, 1, 0, 0, 2, 2, 1)),
        ((0, 3), (1, 1, 2, 0)),
        ((3, 4), (-2, -2)),
        ((2, 1), (0, 0, 1, -3)),
        ((11, 29, 61), (2, 1, 3, 4)),
    )
    for shape, pad in cases:
        yield Sample((normal(rng, shape, dtype),), {"pad": pad}, f"{shape} by {pad}")
    for shape, mode, pad in _CASES:
        yield Sample((normal(rng, shape, dtype),), {"pad": pad, "mode": mode}, f"{shape} by {pad}, {mode}")
    x = normal(rng, (8, 6), dtype)
    yield Sample((x.T,), {"pad": (1, 2, 2, 0), "mode": "reflect"}, "transposed, reflect")
    yield Sample((x.T,), {"pad": (1, 2, -1, 0), "value": 0}, "transposed")
    yield Sample((x[::-2, 1::3],), {"pad": (1, 1), "value": 1}, "strided, ones")
    if dtypes.is_floating(dtype):
        yield Sample((np.repeat(x, 5, 0),), {"pad": (1, 2), "value": float("-inf")}, "infinity")


def _wrong_pad() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"pad": (1, 2, 3)}, ValueError, r"pad \(=\(1, 2, 3\)\) must hold pairs")
    yield Wrong((x,), {"pad": (1,) * 6}, ValueError, r"holds 6 numbers, too many for 2 dimensions")
    yield Wrong(
        (x,), {"pad": (-2, -2)}, ValueError, r"pad \(=\(-2, -2\)\) leaves size -1 of dimension 1 of shape \(2, 3\)"
    )
    yield Wrong((x,), {"pad": (1, 0.5)}, TypeError, r"pad \(=\(1, 0.5\)\) must be a tuple of ints")
    yield Wrong((x,), {"pad": (1, 1), "mode": "same"}, ValueError, r"mode \(='same'\) must be one of constant, reflect")
    yield Wrong(
        (x,), {"pad": (3, 0), "mode": "reflect"}, ValueError, r"\(=3, 0\) .* dimension 1 .* \(2, 3\) .* reflect"
    )
    yield Wrong((x,), {"pad": (4, 0), "mode": "circular"}, ValueError, r"\(=4, 0\) .* dimension 1 .* circular")
    yield Wrong((x[:, :0],), {"pad": (1, 0), "mode": "replicate"}, ValueError, r"\(=1, 0\) .* \(2, 0\) .* replicate")
    yield Wrong((x.astype(int),), {"pad": (1, 1), "value": 0.5}, ValueError, r"value \(=0.5\) .* int64")


@operation(
    samples=_pad_samples,
    wrong=_wrong_pad,
    dtypes=dtypes.ALL,
    error="exact",
    gradient=2,
    source="torch.nn.functional.pad",
)
def pad(x: Array, *, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Spec:
    """Add elements before and after; a negative amount crops.

    What is added is ``value`` ("constant"), the array mirrored at its first and last element
    ("reflect"), these elements themselves ("replicate"), or the array's other end ("circular", after
    cropping).

    Args:
        x: any shape and dtype.
        pad: (before, after) of the last dimension, then of the one before it, and so on.
        mode: "constant", "reflect", "replicate" or "circular".
        value: what to fill with; a whole number in range where ``x`` holds integers or bools.

    Raises:
        TypeError: if ``pad`` is no tuple of ints.
        ValueError: if ``pad`` has an odd length or more pairs than ``x`` has dimensions, a size would be
            negative, ``mode`` is another, there are too few elements to take from, or ``value`` is none
            of x's dtype.
    """
    shape = padded_shape("pad", x.shape, pad, mode)
    if value != 0 and mode == "constant" and not dtypes.is_floating(x.dtype):
        low, high = (0, 1) if x.dtype == dtypes.bool_ else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        if not (math.isfinite(value) and value == int(value) and low <= value <= high):
            raise ValueError(f"pad: value (={value}) is no number of dtype {x.dtype}")
    return Spec(shape, x.dtype)


def padded_shape(operation: str, shape: tuple[int, ...], pad: Any, mode: str) -> tuple[int, ...]:
    """The shape of ``shape`` padded, after checking ``pad`` and ``mode``."""
    if not isinstance(pad, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in pad):
        raise TypeError(f"{operation}: pad (={pad!r}) must be a tuple of ints")
    if mode not in MODES:
        raise ValueError(f"{operation}: mode (={mode!r}) must be one of {', '.join(MODES)}")
    if len(pad) % 2:
        raise ValueError(f"{operation}: pad (={pad}) must hold pairs, before and after each dimension")
    sizes = list(shape)
    if len(pad) > 2 * len(shape):
        raise ValueError(f"{operation}: pad (={pad}) holds {len(pad)} numbers, too many for {len(shape)} dimensions")
    for position in range(len(pad) // 2):
        dim = len(shape) - 1 - position
        before, after = int(pad[2 * position]), int(pad[2 * position + 1])
        sizes[dim] += before + after
        if sizes[dim] < 0:
            raise ValueError(
                f"{operation}: pad (={pad}) leaves size {sizes[dim]} of dimension {dim} of shape {tuple(shape)}"
            )
        if mode != "constant" and (before or after):
            kept = shape[dim] + min(before, 0) + min(after, 0)
            most = {"reflect": shape[dim] - 1, "circular": kept}.get(mode, max(before, after) if shape[dim] else 0)
            if kept < 0 or max(before, after, 0) > max(most, 0):
                raise ValueError(
                    f"{operation}: pad (={before}, {after}) of dimension {dim} of shape {tuple(shape)} asks for more "
                    f"elements than there are for mode {mode}"
                )
    return tuple(sizes)


def _backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, mode, pad in _CASES:
        grad = normal(rng, padded_shape("pad", shape, pad, mode), dtype)
        yield Sample((grad,), {"pad": pad, "mode": mode, "input_shape": shape}, f"{shape} by {pad}, {mode}")
    grad = normal(rng, (8, 6), dtype)
    yield Sample((grad.T,), {"pad": (1, 2), "mode": "reflect", "input_shape": (6, 5)}, "transposed")
    yield Sample((grad[::-1, ::2],), {"pad": (1, 1), "mode": "circular", "input_shape": (8, 1)}, "strided")


def _wrong_backward() -> Iterator[Wrong]:
    grad = np.zeros((2, 5), np.float32)
    given = {"pad": (1, 1), "mode": "reflect", "input_shape": (2, 3)}
    yield Wrong((grad[:, 1:],), given, ValueError, r"grad must have shape \(2, 5\), not \(2, 4\)")
    yield Wrong((grad,), {**given, "mode": "constant"}, ValueError, r"mode \(='constant'\) has no such gradient")
    yield Wrong((grad,), {**given, "pad": (3, 0)}, ValueError, r"pad \(=3, 0\)")
    yield Wrong((grad,), {**given, "input_shape": (2, -3)}, ValueError, r"input_shape \(=\(2, -3\)\)")
    yield Wrong((grad.astype(int),), given, TypeError, "grad must have a floating dtype, not int64")


@operation(samples=_backward_samples, wrong=_wrong_backward, source="the gradient of pad")
def pad_backward(grad: Array, *, pad: tuple[int, ...], mode: str, input_shape: tuple[int, ...]) -> Spec:
    """The gradient of `pad` in all modes but "constant": what an element was repeated to, added up in a fixed order.

    Args:
        grad: floating, of the padded shape.
        pad, mode: as for `pad`; of "constant" the gradient is a negative padding.
        input_shape: the shape before padding.

    Raises:
        TypeError: if ``grad`` is not floating, or ``pad`` no tuple of ints.
        ValueError: as `pad`, or if ``grad`` has another shape or ``input_shape`` a negative size.
    """
    check.floating("pad_backward", grad=grad)
    if not isinstance(input_shape, tuple) or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in input_shape):
        raise ValueError(f"pad_backward: input_shape (={input_shape!r}) must be a tuple of sizes, none negative")
    if mode == "constant":
        raise ValueError(f"pad_backward: mode (={mode!r}) has no such gradient")
    check.shape("pad_backward", "grad", grad, padded_shape("pad_backward", input_shape, pad, mode))
    return Spec(input_shape, grad.dtype)
