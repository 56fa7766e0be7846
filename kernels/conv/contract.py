"""2-D convolution (cross-correlation, as in all of deep learning) and its two gradients, each a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..dtypes import is_floating

Array = Any

ACTIVATIONS = (None, "relu")
"""What `conv2d` can apply to its result before storing it."""


def as_pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """An attribute that a contract has accepted, as two ints."""
    return (int(value[0]), int(value[-1])) if isinstance(value, (tuple, list)) else (int(value), int(value))


def _pair(operation: str, name: str, value: Any, minimum: int) -> tuple[int, int]:
    if type(value) is int and value >= minimum:  # the common cases without a call
        return value, value
    if type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int and min(value) >= minimum:
        return value
    return check.pair(operation, name, value, minimum)


def output_size(
    operation: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Height and width of the result; ValueError where the padded input is smaller than the kernel."""
    spans = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    padded = (size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    if kernel[0] < 1 or kernel[1] < 1:
        raise ValueError(f"{operation}: the kernel's size (={kernel}) must be at least 1")
    if padded[0] < spans[0] or padded[1] < spans[1]:
        raise ValueError(
            f"{operation}: kernel of size {kernel} with dilation {dilation} spans {spans}, "
            f"more than the padded input's {padded}"
        )
    return (padded[0] - spans[0]) // stride[0] + 1, (padded[1] - spans[1]) // stride[1] + 1


def check_groups(operation: str, groups: Any, channels: int, per_group: int, outs: int) -> None:
    """TypeError or ValueError where channels do not divide into groups as the weight has them."""
    if type(groups) is not int:
        raise TypeError(f"{operation}: groups (={groups!r}) must be an int")
    if groups < 1:
        raise ValueError(f"{operation}: groups (={groups}) must be at least 1")
    if channels % groups:
        raise ValueError(f"{operation}: in_channels (={channels}) must be divisible by groups (={groups})")
    if outs % groups:
        raise ValueError(f"{operation}: out_channels (={outs}) must be divisible by groups (={groups})")
    if channels != per_group * groups:
        raise ValueError(
            f"{operation}: weight takes {per_group} channels a group, x has {channels // groups} "
            f"(in_channels {channels} in {groups} groups)"
        )


def same_floating(operation: str, **arrays: Array | None) -> None:
    """TypeError unless all arrays that are given have one floating dtype."""
    first: Any = next(iter(arrays.values()))
    if not is_floating(first.dtype) or not all(a is None or a.dtype == first.dtype for a in arrays.values()):
        check.floating(operation, **arrays)
        check.same_dtype(operation, **arrays)


TILED = {"forward": 16.0, "dgrad": 16.0, "wgrad": 6.0}
"""Times the error of a plain sum that Winograd's F(4x4, 3x3) may have: 12 and 5 at most were seen, of 16 to 512
channels, dense and sparse gradients, images of one scale and of very different ones (test_winograd_cpu.py)."""

FEWEST_TILED = 8
"""Channels to sum of which such tiles may be made, on any device: of fewer, the transforms cost more than they save."""


def times_plain(kind: str, taps: Any, channels: int, attributes: dict[str, Any]) -> float:
    """How often the plain error is allowed: of 3x3 filters at stride 1 as `TILED` says, of others twice."""
    dense = all(set(np.ravel(attributes.get(each, 1))) == {1} for each in ("stride", "dilation", "groups"))
    flat = tuple(np.broadcast_to(taps, max(2, np.size(taps)))) in ((3, 3), (1, 3, 3))
    return TILED[kind] if dense and flat and channels >= FEWEST_TILED else 2.0


# Shapes that every one of the three kernels must get right: (x, weight, attributes).
_SHAPES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("3x3", (2, 2, 5, 4), (3, 2, 3, 3), {}),
    ("padding", (1, 9, 4, 30), (2, 9, 3, 3), {"padding": 1}),
    ("stride, padding", (1, 1, 7, 6), (2, 1, 3, 2), {"stride": (2, 3), "padding": (1, 0)}),
    ("groups", (1, 4, 4, 17), (18, 2, 2, 2), {"groups": 2}),
    ("dilation", (1, 2, 7, 6), (2, 2, 3, 2), {"dilation": (2, 3), "padding": 1}),
    ("depthwise", (1, 3, 5, 5), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
    ("depthwise, multiplier, stride", (1, 2, 6, 5), (4, 1, 3, 3), {"groups": 2, "stride": 2, "padding": 1}),
    ("1x1", (2, 3, 3, 3), (4, 3, 1, 1), {}),
    ("1x1, stride, padding", (1, 2, 5, 5), (2, 2, 1, 1), {"stride": 2, "padding": 1}),
    ("everything", (1, 4, 6, 7), (4, 2, 2, 3), {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
    ("padding wider than the kernel", (1, 1, 2, 3), (2, 1, 2, 2), {"padding": 3}),
    ("empty batch", (0, 2, 4, 4), (3, 2, 3, 3), {}),
    ("parallel, odd channels", (3, 67, 13, 11), (35, 67, 3, 3), {"padding": 1}),
    ("parallel, stride 2", (2, 33, 16, 19), (31, 33, 3, 3), {"stride": 2, "padding": 1}),
    ("parallel depthwise", (2, 32, 17, 23), (32, 1, 3, 3), {"groups": 32, "padding": 1}),
    ("depthwise, whole vectors", (2, 3, 4, 16), (3, 1, 3, 3), {"groups": 3, "padding": 1}),
    ("parallel 1x1", (3, 37, 9, 9), (40, 37, 1, 1), {}),
    ("small images, several at once", (9, 7, 5, 4), (19, 7, 3, 3), {"padding": 1}),
    ("many rows", (2, 5, 40, 37), (9, 5, 3, 3), {"padding": 1}),
    ("groups of many channels", (2, 12, 6, 7), (34, 6, 3, 3), {"padding": 1, "groups": 2}),
)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


def _conv2d_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for index, (name, x_shape, weight_shape, attributes) in enumerate(_SHAPES):
        x, weight = _normal(rng, x_shape, dtype), _normal(rng, weight_shape, dtype)
        if index % 2:
            yield Sample((x, weight, _normal(rng, weight_shape[:1], dtype)), attributes, f"{name}, bias")
        else:
            yield Sample((x, weight), attributes, name)
    bias = _normal(rng, (3,), dtype)
    x, weight = _normal(rng, (2, 2, 4, 4), dtype), _normal(rng, (3, 2, 3, 3), dtype)
    yield Sample((x, weight, bias), {"padding": 1, "activation": "relu"}, "bias, relu")
    x = _normal(rng, (2, 5, 4, 3), dtype).transpose(0, 3, 1, 2)
    weight = _normal(rng, (3, 3, 3, 4), dtype).transpose(3, 2, 1, 0)[:, :, ::-1]
    yield Sample((x, weight, _normal(rng, (8,), dtype)[::-2]), {}, "channels last, strided")
    x = _normal(rng, (1, 2, 6, 39), dtype)
    x[0, 0, 1, 1], x[0, 1, 5, 38] = np.nan, np.inf
    yield Sample((x, _normal(rng, (11, 2, 3, 3), dtype)), {"activation": "relu"}, "nan, inf")
    x, weight, bias = (_normal(rng, each, dtype) for each in ((2, 16, 14, 11), (8, 16, 3, 3), (8,)))
    yield Sample((x, weight, bias), {"padding": 1, "activation": "relu"}, "many channels, bias, relu")
    x = x.copy()
    x[0, 3, 5, 5], x[1, 7, 0, 0] = np.nan, np.inf
    yield Sample((x, weight), {"padding": 1, "activation": "relu"}, "many channels, nan, inf")


def _conv2d_wrong() -> Iterator[Wrong]:
    x, weight = np.ones((1, 3, 5, 5)), np.ones((4, 3, 3, 3))
    yield Wrong((x, weight), {"groups": 2}, ValueError, r"in_channels \(=3\) must be divisible by groups \(=2\)")
    yield Wrong((x, np.ones((4, 2, 3, 3))), {}, ValueError, r"conv2d: weight takes 2 channels a group, x has 3")
    yield Wrong((x, np.ones((4, 3, 7, 3))), {}, ValueError, r"conv2d: kernel of size \(7, 3\).*\(5, 5\)")
    yield Wrong((x, weight), {"stride": 0}, ValueError, r"conv2d: stride \(=0\) must be at least 1")
    yield Wrong((x[0], weight), {}, ValueError, r"conv2d: x must have 4 dimensions, not 3 .*\(3, 5, 5\)")
    yield Wrong((x, weight, np.ones(3)), {}, ValueError, r"conv2d: bias must have shape \(4,\), not \(3,\)")
    yield Wrong((x, weight), {"activation": "tanh"}, ValueError, r"conv2d: activation \(='tanh'\)")
    yield Wrong((x, weight.astype(np.float32)), {}, TypeError, "conv2d: .*float64.*float32")


@operation(
    samples=_conv2d_samples,
    wrong=_conv2d_wrong,
    ulps=8.0,  # one term after the other: rounding errors grow with taps times channels
    times=lambda x, weight, *_, **attributes: times_plain("forward", weight.shape[2:], x.shape[1], attributes),
    gradient=2,
    source="y[n,k,p,q] = b[k] + sum_crs x[n, c, p*stride + r*dilation - padding, ...] w[k,c,r,s]",
)
def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Spec:
    """2-D cross-correlation with a zero border, as ``torch.nn.functional.conv2d``.

    Args:
        x: (N, C, H, W), floating, any strides.
        weight: (K, C/groups, R, S), the same dtype.
        bias: (K,), the same dtype, or None.
        stride, padding, dilation: one int or (vertical, horizontal).
        groups: channels are split into so many groups that are convolved apart.
        activation: None or "relu", applied before the result is stored.

    Returns:
        (N, K, P, Q) with ``P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1``, Q likewise.

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or a pair.
        ValueError: shapes that do not fit, channels not divisible by ``groups``, an attribute out of
            range, or a kernel that spans more than the padded input.
    """
    same_floating("conv2d", x=x, weight=weight, bias=bias)
    if len(x.shape) != 4 or len(weight.shape) != 4:
        check.ndim("conv2d", "x", x, 4)
        check.ndim("conv2d", "weight", weight, 4)
    n, c, h, w = x.shape
    k, per_group, r, s = weight.shape
    check_groups("conv2d", groups, c, per_group, k)
    if bias is not None:
        check.shape("conv2d", "bias", bias, (k,))
    if activation not in ACTIVATIONS:
        raise ValueError(f"conv2d: activation (={activation!r}) must be None or 'relu'")
    size = output_size(
        "conv2d",
        (h, w),
        (r, s),
        _pair("conv2d", "stride", stride, 1),
        _pair("conv2d", "padding", padding, 0),
        _pair("conv2d", "dilation", dilation, 1),
    )
    return Spec((n, k, *size), x.dtype)


def _forward_shape(x: tuple[int, ...], weight: tuple[int, ...], attributes: dict[str, Any]) -> tuple[int, ...]:
    x_like, weight_like = (np.broadcast_to(np.float32(0), shape) for shape in (x, weight))
    spec: Spec = conv2d(x_like, weight_like, **attributes)
    return spec.shape


def _full(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **attributes}


def _conv2d_dgrad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, x, weight, attributes in _SHAPES:
        grad = _normal(rng, _forward_shape(x, weight, attributes), dtype)
        yield Sample((grad, _normal(rng, weight, dtype)), {"input_size": x[2:], **_full(attributes)}, name)
    grad = _normal(rng, (2, 3, 2, 4), dtype).transpose(0, 3, 1, 2)
    weight = _normal(rng, (3, 3, 3, 4), dtype).transpose(3, 2, 1, 0)[:, :, ::-1]
    yield Sample((grad, weight), {"input_size": (5, 4), **_full({})}, "channels last, strided")


def _conv2d_dgrad_wrong() -> Iterator[Wrong]:
    grad, weight = np.ones((1, 4, 3, 3)), np.ones((4, 3, 3, 3))
    good = {"input_size": (5, 5), **_full({})}
    yield Wrong(
        (grad, weight), {**good, "input_size": (6, 5)}, ValueError, r"conv2d_dgrad: grad .*4, 3.*\(1, 4, 3, 3\)"
    )
    yield Wrong((grad, weight), {**good, "groups": 3}, ValueError, r"out_channels \(=4\).*groups \(=3\)")
    yield Wrong((grad, weight), {**good, "padding": -1}, ValueError, r"conv2d_dgrad: padding \(=-1\)")
    yield Wrong((grad.astype(np.float32), weight), good, TypeError, "conv2d_dgrad: .*float32.*float64")


@operation(
    samples=_conv2d_dgrad_samples,
    wrong=_conv2d_dgrad_wrong,
    ulps=8.0,  # as conv2d
    times=lambda grad, weight, **attributes: times_plain("dgrad", weight.shape[2:], grad.shape[1], attributes),
    source="dx[n,c,h,w] = sum_krs grad[n,k,p,q] w[k,c,r,s] over h = p*stride + r*dilation - padding, w likewise",
)
def conv2d_dgrad(
    grad: Array,
    weight: Array,
    *,
    input_size: tuple[int, int],
    stride: int | tuple[int, int],
    padding: int | tuple[int, int],
    dilation: int | tuple[int, int],
    groups: int,
) -> Spec:
    """Gradient of `conv2d` for its input ("data gradient"), also known as the transposed convolution.

    Args:
        grad: (N, K, P, Q), floating, any strides: the gradient of conv2d's result.
        weight: (K, C/groups, R, S), the same dtype.
        input_size: (H, W) of conv2d's input.
        stride, padding, dilation, groups: as given to conv2d.

    Returns:
        (N, C, H, W)

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or a pair.
        ValueError: ``grad`` has not the shape of conv2d's result, or an attribute is out of range.
    """
    same_floating("conv2d_dgrad", grad=grad, weight=weight)
    check.ndim("conv2d_dgrad", "grad", grad, 4)
    check.ndim("conv2d_dgrad", "weight", weight, 4)
    n = grad.shape[0]
    outs, per_group, r, s = weight.shape
    channels = per_group * groups if type(groups) is int else 0
    check_groups("conv2d_dgrad", groups, channels, per_group, outs)
    size = _pair("conv2d_dgrad", "input_size", input_size, 0)
    result = output_size(
        "conv2d_dgrad",
        size,
        (r, s),
        _pair("conv2d_dgrad", "stride", stride, 1),
        _pair("conv2d_dgrad", "padding", padding, 0),
        _pair("conv2d_dgrad", "dilation", dilation, 1),
    )
    check.shape("conv2d_dgrad", "grad", grad, (n, outs, *result))
    return Spec((n, channels, *size), grad.dtype)


def _conv2d_wgrad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, x, weight, attributes in _SHAPES:
        grad = _normal(rng, _forward_shape(x, weight, attributes), dtype)
        yield Sample((grad, _normal(rng, x, dtype)), {"kernel_size": weight[2:], **_full(attributes)}, name)
    grad = _normal(rng, (2, 3, 2, 4), dtype).transpose(0, 3, 1, 2)
    x = _normal(rng, (2, 4, 5, 6), dtype).transpose(0, 3, 2, 1)[:, ::-2]
    yield Sample((grad, x), {"kernel_size": (3, 3), **_full({})}, "channels last, strided")
    for rows in (1, 2, 5):
        grad, image = _normal(rng, (2, 3, rows, 19), dtype), _normal(rng, (2, 3, rows + 2, 21), dtype)
        image[0, 0, 0, 3], image[1, 2, rows + 1, 20] = np.nan, np.inf
        name = f"depthwise, {rows} rows, nan, inf"
        yield Sample((grad, image), {"kernel_size": (3, 3), **_full({"groups": 3})}, name)


def _conv2d_wgrad_wrong() -> Iterator[Wrong]:
    grad, x = np.ones((1, 4, 3, 3)), np.ones((1, 3, 5, 5))
    good = {"kernel_size": (3, 3), **_full({})}
    yield Wrong((grad, x), {**good, "kernel_size": 2}, ValueError, r"conv2d_wgrad: grad .*4, 4.*\(1, 4, 3, 3\)")
    yield Wrong((grad, x), {**good, "groups": 2}, ValueError, r"in_channels \(=3\).*groups \(=2\)")
    yield Wrong((grad, x), {**good, "dilation": 0}, ValueError, r"conv2d_wgrad: dilation \(=0\)")
    yield Wrong((grad, x.astype(np.float32)), good, TypeError, "conv2d_wgrad: .*float64.*float32")


@operation(
    samples=_conv2d_wgrad_samples,
    wrong=_conv2d_wgrad_wrong,
    ulps=8.0,  # sums run over all pixels of all images, far longer than those of the other two
    times=lambda grad, x, **attributes: times_plain("wgrad", attributes["kernel_size"], x.shape[1], attributes),
    source="dw[k,c,r,s] = sum_npq grad[n,k,p,q] x[n, c, p*stride + r*dilation - padding, ...]",
)
def conv2d_wgrad(
    grad: Array,
    x: Array,
    *,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int],
    padding: int | tuple[int, int],
    dilation: int | tuple[int, int],
    groups: int,
) -> Spec:
    """Gradient of `conv2d` for its weight.

    Args:
        grad: (N, K, P, Q), floating, any strides: the gradient of conv2d's result.
        x: (N, C, H, W), the same dtype: conv2d's input.
        kernel_size: one int or (R, S).
        stride, padding, dilation, groups: as given to conv2d.

    Returns:
        (K, C/groups, R, S)

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or a pair.
        ValueError: ``grad`` has not the shape of conv2d's result, or an attribute is out of range.
    """
    same_floating("conv2d_wgrad", grad=grad, x=x)
    check.ndim("conv2d_wgrad", "grad", grad, 4)
    check.ndim("conv2d_wgrad", "x", x, 4)
    n, channels, h, w = x.shape
    outs = grad.shape[1]
    per_group = channels // groups if type(groups) is int and groups > 0 else 0
    check_groups("conv2d_wgrad", groups, channels, per_group, outs)
    kernel = _pair("conv2d_wgrad", "kernel_size", kernel_size, 1)
    result = output_size(
        "conv2d_wgrad",
        (h, w),
        kernel,
        _pair("conv2d_wgrad", "stride", stride, 1),
        _pair("conv2d_wgrad", "padding", padding, 0),
        _pair("conv2d_wgrad", "dilation", dilation, 1),
    )
    check.shape("conv2d_wgrad", "grad", grad, (n, outs, *result))
    return Spec((outs, per_group, *kernel), x.dtype)
