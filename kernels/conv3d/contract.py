"""3-D convolution (cross-correlation) and its two gradients, each a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..conv.contract import check_groups, same_floating, times_plain

Array = Any
Three = tuple[int, int, int]
IntTriple = int | Three

ACTIVATIONS = (None, "relu")
"""What `conv3d` can apply to its result before storing it."""


def as_triple(value: IntTriple) -> Three:
    """An attribute that a contract has accepted, as three ints."""
    if isinstance(value, (tuple, list)):
        return int(value[0]), int(value[len(value) // 2]), int(value[-1])
    return int(value), int(value), int(value)


def _triple(operation: str, name: str, value: Any, minimum: int) -> Three:
    if isinstance(value, (int, np.integer)):
        values: Any = (value,) * 3
    else:
        values = value
        if isinstance(values, (tuple, list)) and len(values) == 1:
            values = tuple(values) * 3
    if (
        not isinstance(values, (tuple, list))
        or len(values) != 3
        or not all(isinstance(each, (int, np.integer)) for each in values)
    ):
        raise TypeError(f"{operation}: {name} (={value!r}) must be an int or three ints")
    if min(values) < minimum:
        raise ValueError(f"{operation}: {name} (={value!r}) must be at least {minimum}")
    return int(values[0]), int(values[1]), int(values[2])


def output_size(operation: str, size: Three, kernel: Three, stride: Any, padding: Any, dilation: Any) -> Three:
    """Depth, height and width of the result; ValueError where the padded input is smaller than the kernel."""
    strides, dilations = _triple(operation, "stride", stride, 1), _triple(operation, "dilation", dilation, 1)
    paddings = _triple(operation, "padding", padding, 0)
    if min(kernel) < 1:
        raise ValueError(f"{operation}: the kernel's size (={kernel}) must be at least 1")
    spans = tuple(d * (n - 1) + 1 for d, n in zip(dilations, kernel, strict=True))
    padded = tuple(n + 2 * p for n, p in zip(size, paddings, strict=True))
    if any(has < needs for has, needs in zip(padded, spans, strict=True)):
        raise ValueError(
            f"{operation}: kernel of size {kernel} with dilation {dilations} spans {spans}, "
            f"more than the padded input's {padded}"
        )
    d, h, w = ((has - needs) // s + 1 for has, needs, s in zip(padded, spans, strides, strict=True))
    return d, h, w


_ALL = {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}

# Shapes that every one of the three kernels must get right: (x, weight, attributes).
_SHAPES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("3x3x3", (1, 1, 3, 4, 3), (2, 1, 3, 3, 3), {}),
    ("padding", (1, 1, 2, 3, 3), (2, 1, 3, 2, 2), {"padding": 1}),
    ("stride, padding", (1, 2, 5, 4, 4), (2, 2, 3, 2, 2), {"stride": (2, 1, 3), "padding": (1, 0, 1)}),
    ("dilation", (1, 1, 5, 5, 4), (1, 1, 2, 2, 2), {"dilation": (3, 2, 1), "padding": (0, 1, 1)}),
    ("groups", (2, 4, 2, 2, 2), (4, 2, 2, 1, 2), {"groups": 2}),
    ("depthwise", (1, 3, 3, 3, 3), (6, 1, 2, 2, 2), {"groups": 3, "padding": 1, "stride": 2}),
    ("1x1x1", (2, 3, 2, 2, 3), (4, 3, 1, 1, 1), {}),
    ("stride beyond the kernel", (1, 2, 4, 4, 4), (2, 2, 1, 1, 1), {"stride": (3, 2, 2)}),
    ("empty batch", (0, 2, 3, 3, 3), (3, 2, 2, 2, 2), {}),
    ("parallel, odd channels", (2, 7, 5, 6, 7), (19, 7, 3, 3, 3), {"padding": 1}),
    ("parallel, everything", (2, 10, 6, 7, 9), (34, 5, 2, 3, 3), _ALL),
)  # fmt: skip


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


def _conv3d_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for index, (name, x_shape, weight_shape, attributes) in enumerate(_SHAPES):
        x, weight = _normal(rng, x_shape, dtype), _normal(rng, weight_shape, dtype)
        if index % 2:
            yield Sample((x, weight, _normal(rng, weight_shape[:1], dtype)), attributes, f"{name}, bias")
        else:
            yield Sample((x, weight), attributes, name)
    x, weight = _normal(rng, (1, 2, 3, 3, 2), dtype), _normal(rng, (3, 2, 2, 2, 2), dtype)
    yield Sample((x, weight, _normal(rng, (3,), dtype)), {"activation": "relu"}, "bias, relu")
    x = _normal(rng, (2, 3, 4, 3, 3), dtype).transpose(0, 4, 3, 2, 1)
    weight = _normal(rng, (2, 2, 2, 3, 4), dtype).transpose(4, 3, 2, 1, 0)[..., ::-1]
    yield Sample((x, weight), {}, "channels last, strided")
    x = _normal(rng, (1, 2, 4, 4, 4), dtype)
    x[0, 0, 1, 1, 1], x[0, 1, 3, 3, 3] = np.nan, np.inf
    yield Sample((x, _normal(rng, (9, 2, 2, 2, 2), dtype)), {}, "nan, inf")


def _conv3d_wrong() -> Iterator[Wrong]:
    x, weight = np.ones((1, 3, 5, 5, 5)), np.ones((4, 3, 3, 3, 3))
    yield Wrong((x, weight), {"groups": 2}, ValueError, r"conv3d: in_channels \(=3\).*groups \(=2\)")
    yield Wrong((x, np.ones((4, 3, 7, 3, 3))), {}, ValueError, r"conv3d: kernel of size \(7, 3, 3\).*\(5, 5, 5\)")
    yield Wrong((x, weight), {"stride": (1, 0, 1)}, ValueError, r"conv3d: stride \(=\(1, 0, 1\)\) must be at least 1")
    yield Wrong((x, weight), {"padding": (1, 1)}, TypeError, r"conv3d: padding \(=\(1, 1\)\) must be .* three ints")
    yield Wrong((x[0], weight), {}, ValueError, "conv3d: x must have 5 dimensions, not 4")
    yield Wrong((x, weight.astype(np.float32)), {}, TypeError, "conv3d: .*float64.*float32")


@operation(
    samples=_conv3d_samples,
    wrong=_conv3d_wrong,
    ulps=8.0,  # one term after the other: rounding errors grow with taps times channels
    times=lambda x, weight, *_, **attributes: times_plain("forward", weight.shape[2:], x.shape[1], attributes),
    gradient=2,
    source="y[n,k,o,p,q] = b[k] + sum_ctrs x[n, c, o*stride + t*dilation - padding, ...] w[k,c,t,r,s]",
)
def conv3d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntTriple = 1,
    padding: IntTriple = 0,
    dilation: IntTriple = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Spec:
    """3-D cross-correlation with a zero border, as ``torch.nn.functional.conv3d``.

    Args:
        x: (N, C, D, H, W), floating, any strides.
        weight: (K, C/groups, T, R, S), the same dtype.
        bias: (K,), the same dtype, or None.
        stride, padding, dilation: one int or (depth, vertical, horizontal).
        groups: channels are split into so many groups that are convolved apart.
        activation: None or "relu", applied before the result is stored.

    Returns:
        (N, K, O, P, Q) with ``P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1``, O and Q likewise.

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or three.
        ValueError: shapes that do not fit, channels not divisible by ``groups``, an attribute out of
            range, or a kernel that spans more than the padded input.
    """
    same_floating("conv3d", x=x, weight=weight, bias=bias)
    check.ndim("conv3d", "x", x, 5)
    check.ndim("conv3d", "weight", weight, 5)
    n, c, d, h, w = x.shape
    k, per_group, t, r, s = weight.shape
    check_groups("conv3d", groups, c, per_group, k)
    if bias is not None:
        check.shape("conv3d", "bias", bias, (k,))
    if activation not in ACTIVATIONS:
        raise ValueError(f"conv3d: activation (={activation!r}) must be None or 'relu'")
    return Spec((n, k, *output_size("conv3d", (d, h, w), (t, r, s), stride, padding, dilation)), x.dtype)


def _forward_shape(x: tuple[int, ...], weight: tuple[int, ...], attributes: dict[str, Any]) -> tuple[int, ...]:
    x_like, weight_like = (np.broadcast_to(np.float32(0), shape) for shape in (x, weight))
    spec: Spec = conv3d(x_like, weight_like, **attributes)
    return spec.shape


def _full(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **attributes}


def _conv3d_dgrad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, x, weight, attributes in _SHAPES:
        grad = _normal(rng, _forward_shape(x, weight, attributes), dtype)
        yield Sample((grad, _normal(rng, weight, dtype)), {"input_size": x[2:], **_full(attributes)}, name)
    grad = _normal(rng, (2, 2, 3, 2, 4), dtype).transpose(0, 4, 3, 2, 1)
    weight = _normal(rng, (2, 2, 2, 3, 4), dtype).transpose(4, 3, 2, 1, 0)[..., ::-1]
    yield Sample((grad, weight), {"input_size": (3, 4, 3), **_full({})}, "channels last, strided")


def _conv3d_dgrad_wrong() -> Iterator[Wrong]:
    grad, weight = np.ones((1, 4, 3, 3, 3)), np.ones((4, 3, 3, 3, 3))
    good = {"input_size": (5, 5, 5), **_full({})}
    yield Wrong(
        (grad, weight), {**good, "input_size": (6, 5, 5)}, ValueError, r"conv3d_dgrad: grad .*\(1, 4, 3, 3, 3\)"
    )
    yield Wrong((grad, weight), {**good, "groups": 3}, ValueError, r"out_channels \(=4\).*groups \(=3\)")
    yield Wrong((grad, weight), {**good, "padding": -1}, ValueError, r"conv3d_dgrad: padding \(=-1\)")
    yield Wrong((grad.astype(np.float32), weight), good, TypeError, "conv3d_dgrad: .*float32.*float64")


@operation(
    samples=_conv3d_dgrad_samples,
    wrong=_conv3d_dgrad_wrong,
    ulps=8.0,  # as conv3d
    times=lambda grad, weight, **attributes: times_plain("dgrad", weight.shape[2:], grad.shape[1], attributes),
    source="dx[n,c,d,h,w] = sum_ktrs grad[n,k,o,p,q] w[k,c,t,r,s] over h = p*stride + r*dilation - padding, ...",
)
def conv3d_dgrad(
    grad: Array,
    weight: Array,
    *,
    input_size: Three,
    stride: IntTriple,
    padding: IntTriple,
    dilation: IntTriple,
    groups: int,
) -> Spec:
    """Gradient of `conv3d` for its input ("data gradient"), also known as the transposed convolution.

    Args:
        grad: (N, K, O, P, Q), floating, any strides: the gradient of conv3d's result.
        weight: (K, C/groups, T, R, S), the same dtype.
        input_size: (D, H, W) of conv3d's input.
        stride, padding, dilation, groups: as given to conv3d.

    Returns:
        (N, C, D, H, W)

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or three.
        ValueError: ``grad`` has not the shape of conv3d's result, or an attribute is out of range.
    """
    same_floating("conv3d_dgrad", grad=grad, weight=weight)
    check.ndim("conv3d_dgrad", "grad", grad, 5)
    check.ndim("conv3d_dgrad", "weight", weight, 5)
    outs, per_group, t, r, s = weight.shape
    channels = per_group * groups if type(groups) is int else 0
    check_groups("conv3d_dgrad", groups, channels, per_group, outs)
    size = _triple("conv3d_dgrad", "input_size", input_size, 0)
    result = output_size("conv3d_dgrad", size, (t, r, s), stride, padding, dilation)
    check.shape("conv3d_dgrad", "grad", grad, (grad.shape[0], outs, *result))
    return Spec((grad.shape[0], channels, *size), grad.dtype)


def _conv3d_wgrad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, x, weight, attributes in _SHAPES:
        grad = _normal(rng, _forward_shape(x, weight, attributes), dtype)
        yield Sample((grad, _normal(rng, x, dtype)), {"kernel_size": weight[2:], **_full(attributes)}, name)
    grad = _normal(rng, (2, 2, 3, 2, 4), dtype).transpose(0, 4, 3, 2, 1)
    x = _normal(rng, (2, 3, 4, 3, 6), dtype).transpose(0, 4, 3, 2, 1)[:, ::-2]
    yield Sample((grad, x), {"kernel_size": (2, 2, 2), **_full({})}, "channels last, strided")


def _conv3d_wgrad_wrong() -> Iterator[Wrong]:
    grad, x = np.ones((1, 4, 3, 3, 3)), np.ones((1, 3, 5, 5, 5))
    good = {"kernel_size": (3, 3, 3), **_full({})}
    yield Wrong((grad, x), {**good, "kernel_size": 2}, ValueError, r"conv3d_wgrad: grad .*4, 4.*\(1, 4, 3, 3, 3\)")
    yield Wrong((grad, x), {**good, "groups": 2}, ValueError, r"in_channels \(=3\).*groups \(=2\)")
    yield Wrong((grad, x.astype(np.float32)), good, TypeError, "conv3d_wgrad: .*float64.*float32")


@operation(
    samples=_conv3d_wgrad_samples,
    wrong=_conv3d_wgrad_wrong,
    ulps=8.0,  # sums run over all pixels of all volumes, far longer than those of the other two
    times=lambda grad, x, **attributes: times_plain("wgrad", attributes["kernel_size"], x.shape[1], attributes),
    source="dw[k,c,t,r,s] = sum_nopq grad[n,k,o,p,q] x[n, c, o*stride + t*dilation - padding, ...]",
)
def conv3d_wgrad(
    grad: Array,
    x: Array,
    *,
    kernel_size: IntTriple,
    stride: IntTriple,
    padding: IntTriple,
    dilation: IntTriple,
    groups: int,
) -> Spec:
    """Gradient of `conv3d` for its weight.

    Args:
        grad: (N, K, O, P, Q), floating, any strides: the gradient of conv3d's result.
        x: (N, C, D, H, W), the same dtype: conv3d's input.
        kernel_size: one int or (T, R, S).
        stride, padding, dilation, groups: as given to conv3d.

    Returns:
        (K, C/groups, T, R, S)

    Raises:
        TypeError: a dtype is not floating, they differ, or an attribute is not an int or three.
        ValueError: ``grad`` has not the shape of conv3d's result, or an attribute is out of range.
    """
    same_floating("conv3d_wgrad", grad=grad, x=x)
    check.ndim("conv3d_wgrad", "grad", grad, 5)
    check.ndim("conv3d_wgrad", "x", x, 5)
    n, channels, d, h, w = x.shape
    outs = grad.shape[1]
    per_group = channels // groups if type(groups) is int and groups > 0 else 0
    check_groups("conv3d_wgrad", groups, channels, per_group, outs)
    kernel = _triple("conv3d_wgrad", "kernel_size", kernel_size, 1)
    result = output_size("conv3d_wgrad", (d, h, w), kernel, stride, padding, dilation)
    check.shape("conv3d_wgrad", "grad", grad, (n, outs, *result))
    return Spec((outs, per_group, *kernel), x.dtype)
