"""Contracts of 2-D pooling: maximum (with indices), average, adaptive average, and their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation

Array = Any
Pair = Any  # an int or two ints


def output_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Windows along a dimension of ``n`` elements. With ``ceil_mode`` the last one may hang over the
    end, but it must start within the input or the padding before it."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= n + padding else count


def windows(
    sizes: tuple[int, ...], kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool = False
) -> tuple[tuple[int, int], ...]:
    """(vertical, horizontal) of: the image, the windows' number, a window's elements, stride, padding, dilation.

    For arguments that a contract has checked.
    """
    taps = check.pair("pool", "kernel_size", kernel_size, 1)
    strides = taps if stride is None else check.pair("pool", "stride", stride, 1)
    pads, dilations = check.pair("pool", "padding", padding, 0), check.pair("pool", "dilation", dilation, 1)
    height, width = sizes
    axes = zip((height, width), taps, strides, pads, dilations, strict=True)
    high, wide = (output_size(*axis, ceil_mode) for axis in axes)
    return (height, width), (high, wide), taps, strides, pads, dilations


def _geometry(
    name: str, size: tuple[int, int], kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[int, int]:
    """The checked output size (height, width)."""
    kernel = check.pair(name, "kernel_size", kernel_size, 1)
    strides = kernel if stride is None else check.pair(name, "stride", stride, 1)
    pads = check.pair(name, "padding", padding, 0)
    dilations = check.pair(name, "dilation", dilation, 1)
    out = []
    for n, k, s, p, d in zip(size, kernel, strides, pads, dilations, strict=True):
        if 2 * p > k:
            raise ValueError(f"{name}: padding (={padding}) must be at most half of kernel_size (={kernel_size})")
        count = output_size(n, k, s, p, d, ceil_mode)
        # A dilated window that starts in the padding may step over a small input.
        steps_over = d > 1 and any(start % d >= n or -start > (k - 1) * d for start in range(-p, 0, s))
        if n == 0 or count < 1 or steps_over:
            raise ValueError(
                f"{name}: a window of kernel_size (={kernel_size}) and dilation (={dilation}) does not fit "
                f"into an input of size {size} with padding (={padding})"
            )
        out.append(count)
    return out[0], out[1]


def _image(name: str, parameter: str, x: Array) -> None:
    check.floating(name, **{parameter: x})
    check.ndim(name, parameter, x, 4)


_GEOMETRIES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 4, 6), {"kernel_size": 2}),
    ((1, 1, 1, 1), {"kernel_size": 1}),
    ((1, 2, 7, 5), {"kernel_size": 2}),
    ((2, 1, 8, 9), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ((2, 2, 7, 6), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
    ((1, 2, 7, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ((1, 2, 5, 7), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ((0, 3, 4, 4), {"kernel_size": 2}),
    ((2, 0, 4, 4), {"kernel_size": 2}),
    ((3, 7, 34, 31), {"kernel_size": 2}),
    ((2, 3, 64, 66), {"kernel_size": 2, "stride": 2}),
    ((5, 3, 37, 33), {"kernel_size": 3, "stride": 2, "padding": 1}),
)


def _special(dtype: np.dtype[Any], rng: np.random.Generator) -> Array:
    x = rng.standard_normal((2, 2, 8, 8)).astype(dtype)
    x[0, 0, 1, 1], x[0, 1, 2, 2:5], x[1, 0, 3, 3], x[1, 1, :4, :4] = np.nan, np.nan, np.inf, -np.inf
    return x


def _max_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, attributes in _GEOMETRIES:
        yield Sample((rng.standard_normal(shape).astype(dtype),), attributes, f"{shape} {attributes}")
    x = rng.standard_normal((1, 2, 9, 10)).astype(dtype)
    yield Sample((x,), {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2}, "dilated")
    yield Sample((x.transpose(0, 1, 3, 2),), {"kernel_size": 2}, "transposed")
    yield Sample((x[:, ::-1, 1::2, ::3],), {"kernel_size": 2}, "strided")
    yield Sample((rng.integers(0, 3, (1, 2, 10, 12)).astype(dtype),), {"kernel_size": 2}, "ties")
    yield Sample((rng.integers(0, 2, (2, 2, 9, 9)).astype(dtype),), {"kernel_size": 3, "stride": 2}, "more ties")
    for attributes in ({"kernel_size": 2}, {"kernel_size": 3, "padding": 1}):
        yield Sample((_special(dtype, rng),), attributes, f"special values {attributes}")


def _wrong_geometry(**attributes: Any) -> Iterator[Wrong]:
    x = np.zeros((1, 2, 5, 5), np.float32)
    yield Wrong((x[0],), {"kernel_size": 2, **attributes}, ValueError, r"4 dimensions, not 3 \(shape \(2, 5, 5\)\)")
    yield Wrong((x,), {"kernel_size": 0, **attributes}, ValueError, r"kernel_size \(=0\) must be at least 1")
    yield Wrong((x,), {"kernel_size": 6, **attributes}, ValueError, r"kernel_size \(=6\) .* size \(5, 5\)")
    yield Wrong(
        (x,), {"kernel_size": 2, "padding": 2, **attributes}, ValueError, r"padding \(=2\) .* half of .* \(=2\)"
    )
    yield Wrong(
        (x,), {"kernel_size": (2, 2, 2), **attributes}, TypeError, r"kernel_size \(=\(2, 2, 2\)\) must be an int"
    )
    yield Wrong((x.astype(np.int64),), {"kernel_size": 2, **attributes}, TypeError, "floating dtype, not int64")


def _wrong_max() -> Iterator[Wrong]:
    yield from _wrong_geometry()
    # Its rows are -1 and 2 of an image of two: padding would win.
    over = {"kernel_size": 2, "padding": (1, 0), "dilation": (3, 1)}
    yield Wrong((np.ones((1, 1, 2, 9), np.float32),), over, ValueError, r"dilation \(=\(3, 1\)\) .* size \(2, 9\)")


@operation(samples=_max_samples, wrong=_wrong_max, error="exact", gradient=2, source="torch.nn.functional.max_pool2d")
def max_pool2d(
    x: Array, *, kernel_size: Pair, stride: Pair = None, padding: Pair = 0, dilation: Pair = 1, ceil_mode: bool = False
) -> tuple[Spec, Spec]:
    """The largest element of each window, and where it is.

    Padding never wins. Of equal elements the first is taken; of NaNs, which win, the last.

    Args:
        x: floating, (N, C, H, W).
        kernel_size, stride, padding, dilation: an int or a pair; ``stride=None`` means ``kernel_size``.
        ceil_mode: let the last window hang over the end.

    Returns:
        values (N, C, H', W') of x's dtype, and int64 indices into the flattened (H, W) plane.

    Raises:
        TypeError: if ``x`` is not floating or an attribute is no int or pair.
        ValueError: if ``x`` is not 4-D, a size out of range, ``padding`` more than half a window, or no
            window fits.
    """
    _image("max_pool2d", "x", x)
    n, c, h, w = x.shape
    shape = (n, c, *_geometry("max_pool2d", (h, w), kernel_size, stride, padding, dilation, ceil_mode))
    return Spec(shape, x.dtype), Spec(shape, dtypes.int64)


def _check_indices(name: str, indices: Array, plane: int) -> None:
    if indices.dtype != dtypes.int64:
        raise TypeError(f"{name}: indices must have dtype int64, not {indices.dtype}")
    if isinstance(indices, np.ndarray) and indices.size:
        low, high = int(indices.min()), int(indices.max())
        if low < 0 or high >= plane:
            bad = low if low < 0 else high
            raise IndexError(f"{name}: index {bad} is out of range for a plane of {plane} elements")


def _plane_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[tuple[Array, Array, tuple[int, int]]]:
    """Images, indices into their planes, and plane sizes."""
    cases = ((2, 3, 4, 6, 2, 3), (1, 1, 1, 1, 1, 1), (2, 2, 3, 3, 7, 5), (0, 2, 4, 4, 2, 2), (2, 0, 4, 4, 2, 2))
    for n, c, h, w, oh, ow in (*cases, (5, 4, 31, 33, 32, 32)):
        image = rng.standard_normal((n, c, h, w)).astype(dtype)
        yield image, rng.integers(0, h * w, (n, c, oh, ow)), (h, w)
    image = rng.standard_normal((2, 4, 5, 3)).astype(dtype)
    yield image.transpose(0, 1, 3, 2)[:, ::2], rng.integers(0, 15, (3, 2, 4, 2)).transpose(3, 1, 2, 0), (3, 5)


def _max_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for _, indices, size in _plane_samples(rng, dtype):
        grad = rng.standard_normal(indices.shape).astype(dtype)
        yield Sample((grad, indices), {"input_size": size}, f"{indices.shape} to {size}")
    grad = rng.standard_normal((2, 3, 4, 2)).astype(dtype).transpose(0, 3, 2, 1)
    indices = np.argsort(rng.random((2, 2, 12)), axis=2).reshape(2, 2, 4, 3)
    yield Sample((grad, indices), {"input_size": (4, 5)}, "transposed, distinct")


def _wrong_max_backward() -> Iterator[Wrong]:
    grad, indices = np.zeros((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.int64)
    size = {"input_size": (4, 4)}
    yield Wrong((grad, indices + 16), size, IndexError, "index 16 is out of range for a plane of 16 elements")
    yield Wrong((grad, indices - 1), size, IndexError, "index -1 is out of range")
    yield Wrong((grad, indices[:, :1]), size, ValueError, r"\(1, 2, 2, 2\) but indices has shape \(1, 1, 2, 2\)")
    yield Wrong((grad, indices.astype(np.int32)), size, TypeError, "indices must have dtype int64, not int32")
    yield Wrong((grad, indices), {"input_size": (4, -1)}, ValueError, r"input_size \(=\(4, -1\)\)")


@operation(samples=_max_backward_samples, wrong=_wrong_max_backward, source="torch.nn.functional.max_pool2d")
def max_pool2d_backward(grad: Array, indices: Array, *, input_size: tuple[int, int]) -> Spec:
    """The gradient of `max_pool2d`: zeros with ``grad`` added at ``indices``, in a fixed order.

    Args:
        grad: floating, (N, C, H', W').
        indices: int64, of grad's shape, into the flattened (H, W) plane.
        input_size: (H, W).

    Returns:
        (N, C, H, W) of grad's dtype.

    Raises:
        TypeError: if ``grad`` is not floating or ``indices`` not int64.
        ValueError: if the shapes differ, are not 4-D, or ``input_size`` is negative.
        IndexError: if an index is outside the plane (checked for NumPy arrays).
    """
    _image("max_pool2d_backward", "grad", grad)
    check.same_shape("max_pool2d_backward", grad=grad, indices=indices)
    h, w = check.pair("max_pool2d_backward", "input_size", input_size, 0)
    _check_indices("max_pool2d_backward", indices, h * w)
    return Spec((*grad.shape[:2], h, w), grad.dtype)


def _gather_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for image, indices, _ in _plane_samples(rng, dtype):
        yield Sample((image, indices), {}, f"{image.shape} at {indices.shape}")


def _wrong_gather() -> Iterator[Wrong]:
    x, indices = np.zeros((1, 2, 4, 4), np.float32), np.zeros((1, 2, 2, 2), np.int64)
    yield Wrong((x, indices + 16), {}, IndexError, "index 16 is out of range for a plane of 16 elements")
    yield Wrong((x, indices[:, :1]), {}, ValueError, r"x has shape \(1, 2, 4, 4\) but indices has shape \(1, 1, 2, 2\)")
    yield Wrong((x, indices[0]), {}, ValueError, "indices must have 4 dimensions, not 3")
    yield Wrong((x, indices.astype(np.int32)), {}, TypeError, "indices must have dtype int64, not int32")


@operation(samples=_gather_samples, wrong=_wrong_gather, error="exact", source="the derivative of max_pool2d_backward")
def max_pool2d_gather(x: Array, indices: Array) -> Spec:
    """The elements of each plane of ``x`` at ``indices``.

    Args:
        x: floating, (N, C, H, W).
        indices: int64, (N, C, H', W'), into the flattened (H, W) plane.

    Returns:
        (N, C, H', W') of x's dtype.

    Raises:
        TypeError: if ``x`` is not floating or ``indices`` not int64.
        ValueError: if one is not 4-D, or N or C differ.
        IndexError: if an index is outside the plane (checked for NumPy arrays).
    """
    _image("max_pool2d_gather", "x", x)
    check.ndim("max_pool2d_gather", "indices", indices, 4)
    if x.shape[:2] != indices.shape[:2]:
        raise ValueError(
            f"max_pool2d_gather: x has shape {tuple(x.shape)} but indices has shape {tuple(indices.shape)}: "
            "the first two sizes must agree"
        )
    _check_indices("max_pool2d_gather", indices, x.shape[2] * x.shape[3])
    return Spec(indices.shape, x.dtype)


_AVERAGES: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    *_GEOMETRIES,
    ((1, 2, 6, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ((1, 2, 6, 7), {"kernel_size": (2, 3), "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
    ((1, 1, 6, 6), {"kernel_size": 2, "divisor_override": 3}),
)


def _average_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, attributes in _AVERAGES:
        yield Sample((rng.standard_normal(shape).astype(dtype),), attributes, f"{shape} {attributes}")
    x = rng.standard_normal((1, 2, 9, 10)).astype(dtype)
    yield Sample((x.transpose(0, 1, 3, 2),), {"kernel_size": 2}, "transposed")
    yield Sample((x[:, ::-1, 1::2, ::3],), {"kernel_size": 2}, "strided")
    yield Sample((_special(dtype, rng),), {"kernel_size": 2}, "special values")


def _wrong_average() -> Iterator[Wrong]:
    yield from _wrong_geometry()
    x = np.zeros((1, 2, 5, 5), np.float32)
    yield Wrong(
        (x,), {"kernel_size": 2, "divisor_override": 0}, ValueError, r"divisor_override \(=0\) must not be zero"
    )


def _divisor(name: str, divisor_override: int | None) -> None:
    if divisor_override is not None and divisor_override == 0:
        raise ValueError(f"{name}: divisor_override (={divisor_override}) must not be zero")


@operation(samples=_average_samples, wrong=_wrong_average, gradient=2, source="torch.nn.functional.avg_pool2d")
def avg_pool2d(
    x: Array,
    *,
    kernel_size: Pair,
    stride: Pair = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Spec:
    """The mean of each window.

    A window's sum is divided by ``divisor_override`` if given, else by its number of elements: within
    input and padding with ``count_include_pad``, within the input without.

    Args:
        x: floating, (N, C, H, W).
        kernel_size, stride, padding, ceil_mode: as for `max_pool2d`.
        count_include_pad: count padding as zeros.
        divisor_override: another divisor, not zero.

    Returns:
        (N, C, H', W') of x's dtype.

    Raises:
        TypeError, ValueError: as for `max_pool2d`; ValueError if ``divisor_override`` is zero.
    """
    _image("avg_pool2d", "x", x)
    _divisor("avg_pool2d", divisor_override)
    n, c, h, w = x.shape
    return Spec((n, c, *_geometry("avg_pool2d", (h, w), kernel_size, stride, padding, 1, ceil_mode)), x.dtype)


def _average_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    defaults = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    for shape, attributes in _AVERAGES:
        full = {"input_size": shape[2:], **defaults, **attributes}
        size = _geometry(
            "avg_pool2d", full["input_size"], full["kernel_size"], full["stride"], full["padding"], 1, full["ceil_mode"]
        )
        yield Sample((rng.standard_normal((*shape[:2], *size)).astype(dtype),), full, f"{shape} {attributes}")
    grad = rng.standard_normal((2, 3, 3, 1)).astype(dtype).transpose(0, 3, 2, 1)
    yield Sample((grad[:, :, ::-1],), {"input_size": (6, 7), "kernel_size": 2, **defaults}, "transposed")


def _wrong_average_backward() -> Iterator[Wrong]:
    defaults = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    grad = np.zeros((1, 2, 2, 2), np.float32)
    size = {"kernel_size": 2, "input_size": (6, 6), **defaults}
    yield Wrong((grad,), size, ValueError, r"grad must have shape \(1, 2, 3, 3\), not \(1, 2, 2, 2\)")
    yield Wrong((grad,), {**size, "input_size": 0.5}, TypeError, r"input_size \(=0.5\)")
    yield Wrong((grad,), {**size, "kernel_size": 9}, ValueError, r"kernel_size \(=9\)")
    yield Wrong((grad.astype(int),), size, TypeError, "grad must have a floating dtype, not int64")


@operation(samples=_average_backward_samples, wrong=_wrong_average_backward, source="torch.nn.functional.avg_pool2d")
def avg_pool2d_backward(
    grad: Array,
    *,
    input_size: tuple[int, int],
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Spec:
    """The gradient of `avg_pool2d`: each window's gradient over its divisor, added to its elements.

    Args:
        grad: floating, (N, C, H', W').
        input_size: (H, W) of `avg_pool2d`'s input; the other attributes as there.

    Returns:
        (N, C, H, W) of grad's dtype.

    Raises:
        TypeError, ValueError: as for `avg_pool2d`; ValueError if ``grad`` has not its output's size.
    """
    name = "avg_pool2d_backward"
    _image(name, "grad", grad)
    _divisor(name, divisor_override)
    h, w = check.pair(name, "input_size", input_size, 0)
    size = _geometry(name, (h, w), kernel_size, stride, padding, 1, ceil_mode)
    check.shape(name, "grad", grad, (*grad.shape[:2], *size))
    return Spec((*grad.shape[:2], h, w), grad.dtype)


_ADAPTIVE: tuple[tuple[tuple[int, ...], Pair], ...] = (
    ((2, 3, 4, 6), 2),
    ((1, 2, 7, 5), (3, 2)),
    ((2, 2, 5, 3), (1, 1)),
    ((1, 1, 3, 4), (5, 7)),
    ((1, 2, 4, 4), (4, 3)),
    ((0, 3, 4, 4), 2),
    ((2, 3, 4, 4), (0, 2)),
    ((3, 7, 34, 31), (7, 6)),
    ((2, 3, 64, 66), 1),
)


def _adaptive_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, size in _ADAPTIVE:
        yield Sample((rng.standard_normal(shape).astype(dtype),), {"output_size": size}, f"{shape} to {size}")
    x = rng.standard_normal((1, 2, 9, 10)).astype(dtype)
    yield Sample((x.transpose(0, 1, 3, 2),), {"output_size": 4}, "transposed")
    yield Sample((x[:, ::-1, 1::2, ::3],), {"output_size": (2, 3)}, "strided")
    yield Sample((_special(dtype, rng),), {"output_size": 3}, "special values")


def _wrong_adaptive() -> Iterator[Wrong]:
    x = np.zeros((1, 2, 5, 5), np.float32)
    yield Wrong((x[0],), {"output_size": 2}, ValueError, r"x must have 4 dimensions, not 3 \(shape \(2, 5, 5\)\)")
    yield Wrong((x,), {"output_size": (2, -1)}, ValueError, r"output_size \(=\(2, -1\)\) must be at least 0")
    yield Wrong((x,), {"output_size": (2, None)}, TypeError, r"output_size \(=\(2, None\)\) must be an int or two ints")
    yield Wrong((x[:, :, :0],), {"output_size": 2}, ValueError, r"x of size \(0, 5\) has nothing to average")
    yield Wrong((x.astype(int),), {"output_size": 2}, TypeError, "x must have a floating dtype, not int64")


@operation(
    samples=_adaptive_samples, wrong=_wrong_adaptive, gradient=2, source="torch.nn.functional.adaptive_avg_pool2d"
)
def adaptive_avg_pool2d(x: Array, *, output_size: Pair) -> Spec:
    """The mean of each of ``output_size`` windows that together cover the image.

    Window i of n covers the elements from ``floor(i * size / n)`` to before ``ceil((i + 1) * size / n)``.

    Args:
        x: floating, (N, C, H, W).
        output_size: (H', W'), or an int for both.

    Returns:
        (N, C, H', W') of x's dtype.

    Raises:
        TypeError: if ``x`` is not floating or ``output_size`` no int or pair.
        ValueError: if ``x`` is not 4-D or its images are empty, or a size is negative.
    """
    _image("adaptive_avg_pool2d", "x", x)
    size = check.pair("adaptive_avg_pool2d", "output_size", output_size, 0)
    n, c, h, w = x.shape
    if h == 0 or w == 0:
        raise ValueError(f"adaptive_avg_pool2d: x of size {(h, w)} has nothing to average")
    return Spec((n, c, *size), x.dtype)


def _adaptive_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, size in _ADAPTIVE:
        h, w = (size, size) if isinstance(size, int) else size
        grad = rng.standard_normal((*shape[:2], h, w)).astype(dtype)
        yield Sample((grad,), {"input_size": shape[2:]}, f"{shape} to {size}")
    grad = rng.standard_normal((2, 3, 3, 4)).astype(dtype).transpose(0, 3, 2, 1)
    yield Sample((grad[:, :, ::-1],), {"input_size": (7, 5)}, "transposed")


def _wrong_adaptive_backward() -> Iterator[Wrong]:
    grad = np.zeros((1, 2, 2, 2), np.float32)
    yield Wrong((grad,), {"input_size": (0, 5)}, ValueError, r"input_size \(=\(0, 5\)\) must be at least 1")
    yield Wrong((grad[0],), {"input_size": 5}, ValueError, "grad must have 4 dimensions, not 3")
    yield Wrong((grad.astype(int),), {"input_size": 5}, TypeError, "grad must have a floating dtype, not int64")


@operation(
    samples=_adaptive_backward_samples,
    wrong=_wrong_adaptive_backward,
    source="torch.nn.functional.adaptive_avg_pool2d",
)
def adaptive_avg_pool2d_backward(grad: Array, *, input_size: tuple[int, int]) -> Spec:
    """The gradient of `adaptive_avg_pool2d`: each window's gradient over its size, added to its elements.

    Args:
        grad: floating, (N, C, H', W').
        input_size: (H, W), not empty.

    Returns:
        (N, C, H, W) of grad's dtype.

    Raises:
        TypeError: if ``grad`` is not floating or ``input_size`` no pair of ints.
        ValueError: if ``grad`` is not 4-D or ``input_size`` is empty.
    """
    _image("adaptive_avg_pool2d_backward", "grad", grad)
    return Spec((*grad.shape[:2], *check.pair("adaptive_avg_pool2d_backward", "input_size", input_size, 1)), grad.dtype)
