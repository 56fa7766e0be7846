"""Windows of images as columns of a matrix ("im2col"), and columns added back into images: ``unfold`` and ``fold``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..conv.contract import output_size

Array = Any
IntPair = int | tuple[int, int]

# Image shape, attributes.
_SHAPES: tuple[tuple[str, tuple[int, ...], dict[str, Any]], ...] = (
    ("3x3", (2, 2, 4, 5), {"kernel_size": 3}),
    ("padding", (1, 2, 3, 4), {"kernel_size": (3, 2), "padding": 1}),
    ("stride, padding", (1, 1, 7, 6), {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)}),
    ("dilation", (1, 2, 6, 5), {"kernel_size": 2, "dilation": (3, 2), "padding": (0, 2)}),
    ("gaps between windows", (1, 2, 7, 7), {"kernel_size": 2, "stride": 3}),
    ("padding wider than the kernel", (1, 1, 2, 3), {"kernel_size": 2, "padding": 3}),
    ("1x1", (2, 3, 3, 3), {"kernel_size": 1}),
    ("empty batch", (0, 2, 4, 4), {"kernel_size": 3}),
    ("parallel, odd", (2, 7, 17, 23), {"kernel_size": 3, "padding": 1}),
    ("parallel, stride 2", (3, 11, 16, 19), {"kernel_size": (3, 5), "stride": 2, "padding": 2}),
)


def _full(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"dilation": 1, "padding": 0, "stride": 1, **attributes}


def _unfold_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, attributes in _SHAPES:
        yield Sample((rng.standard_normal(shape).astype(dtype),), attributes, name)
    x = rng.standard_normal((1, 4, 5, 4)).astype(dtype).transpose(0, 3, 2, 1)[:, ::-2]
    yield Sample((x,), {"kernel_size": 2}, "channels last, strided")
    x = rng.standard_normal((1, 1, 4, 4)).astype(dtype)
    x[0, 0, 1, 1], x[0, 0, 3, 3] = np.nan, np.inf
    yield Sample((x,), {"kernel_size": 3, "padding": 1}, "nan, inf")


def _windows(
    operation: str, size: tuple[int, int], kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The kernel's size, and how many windows there are in each direction."""
    kernel = check.pair(operation, "kernel_size", kernel_size, 1)
    result = output_size(
        operation,
        size,
        kernel,
        check.pair(operation, "stride", stride, 1),
        check.pair(operation, "padding", padding, 0),
        check.pair(operation, "dilation", dilation, 1),
    )
    return kernel, result


def _unfold_wrong() -> Iterator[Wrong]:
    x = np.ones((1, 2, 4, 4))
    yield Wrong((x,), {"kernel_size": 5}, ValueError, r"unfold: kernel of size \(5, 5\).*\(4, 4\)")
    yield Wrong((x,), {"kernel_size": 2, "stride": 0}, ValueError, r"unfold: stride \(=0\) must be at least 1")
    yield Wrong((x[0, 0],), {"kernel_size": 2}, ValueError, "unfold: x must have 4 dimensions, not 2")
    yield Wrong((x.astype(int),), {"kernel_size": 2}, TypeError, "unfold: x .*int64")


@operation(
    samples=_unfold_samples,
    wrong=_unfold_wrong,
    error="exact",
    gradient=2,
    source="y[n, (c, r, s), (p, q)] = x[n, c, p*stride + r*dilation - padding, q*stride + s*dilation - padding]",
)
def unfold(x: Array, *, kernel_size: IntPair, dilation: IntPair = 1, padding: IntPair = 0, stride: IntPair = 1) -> Spec:
    """Every window of an image with a zero border as a column ("im2col"), as ``torch.nn.functional.unfold``.

    Args:
        x: (N, C, H, W), floating, any strides.
        kernel_size, dilation, padding, stride: one int or (vertical, horizontal), as of a convolution.

    Returns:
        (N, C * R * S, P * Q) with ``P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1``, Q likewise.

    Raises:
        TypeError: the dtype is not floating, or an attribute is not an int or a pair.
        ValueError: not 4 dimensions, an attribute out of range, or a kernel that spans more than the padded image.
    """
    check.floating("unfold", x=x)
    check.ndim("unfold", "x", x, 4)
    n, c, h, w = x.shape
    (r, s), (p, q) = _windows("unfold", (h, w), kernel_size, dilation, padding, stride)
    return Spec((n, c * r * s, p * q), x.dtype)


def _fold_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, attributes in _SHAPES:
        columns: Spec = unfold(np.broadcast_to(np.float32(0), shape), **attributes)
        x = rng.standard_normal(columns.shape).astype(dtype)
        yield Sample((x,), {"output_size": shape[2:], **attributes}, name)
    x = rng.standard_normal((9, 8, 2)).astype(dtype).transpose(2, 1, 0)[:, ::-1]
    yield Sample((x,), {"output_size": 4, "kernel_size": 2}, "strided")


def _fold_wrong() -> Iterator[Wrong]:
    x = np.ones((1, 8, 9))
    good = {"output_size": (4, 4), "kernel_size": 2}
    yield Wrong((x,), {**good, "output_size": (4, 5)}, ValueError, r"fold: x has 9 columns.*\(3, 4\).*12")
    yield Wrong((x,), {**good, "kernel_size": 3}, ValueError, r"fold: x has 8 rows.*kernel's size \(=\(3, 3\)\)")
    yield Wrong((x[0],), good, ValueError, "fold: x must have 3 dimensions, not 2")
    yield Wrong((x,), {**good, "padding": -1}, ValueError, r"fold: padding \(=-1\) must be at least 0")
    yield Wrong((x.astype(int),), good, TypeError, "fold: x .*int64")


@operation(
    samples=_fold_samples,
    wrong=_fold_wrong,
    gradient=2,
    source="y[n, c, h, w] = sum of x[n, (c, r, s), (p, q)] over h = p*stride + r*dilation - padding, w likewise",
)
def fold(
    x: Array,
    *,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Spec:
    """Columns added back to where `unfold` takes them from ("col2im"), as ``torch.nn.functional.fold``.

    Args:
        x: (N, C * R * S, P * Q), floating, any strides.
        output_size: (H, W) of the image.
        kernel_size, dilation, padding, stride: as of `unfold`.

    Returns:
        (N, C, H, W)

    Raises:
        TypeError: the dtype is not floating, or an attribute is not an int or a pair.
        ValueError: ``x`` has not the shape of unfold's result, or an attribute is out of range.
    """
    check.floating("fold", x=x)
    check.ndim("fold", "x", x, 3)
    n, rows, columns = x.shape
    size = check.pair("fold", "output_size", output_size, 1)
    kernel, (p, q) = _windows("fold", size, kernel_size, dilation, padding, stride)
    if rows % (kernel[0] * kernel[1]):
        raise ValueError(f"fold: x has {rows} rows, which the kernel's size (={kernel}) does not divide")
    if columns != p * q:
        raise ValueError(f"fold: x has {columns} columns, but ({p}, {q}) windows in an image of {size} are {p * q}")
    return Spec((n, rows // (kernel[0] * kernel[1]), *size), x.dtype)
