"""Calls of products, convolutions, windows, attention and normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.kernels import dtypes

from .draw import Array, Draw, Shape, normal, shifted, ties
from .pointwise import Call, Case


def _matmul(d: Draw) -> Call:
    m, k, n = (d.size() for _ in range(3))
    m, k, n = d.fit((m, k, n))
    batch = d.fit(d.shape(0, 2))
    batch = batch if math.prod(batch) * max(m * k, k * n, m * n, 1) <= 2 * d.limit else ()
    kinds = d.pick("matrices", "vector first", "vector second", "vectors", "batches", "batches")
    a: Shape = (m, k)
    b: Shape = (k, n)
    if kinds in ("vector first", "vectors"):
        a = (k,)
    elif kinds == "batches":
        a = (*d.narrowed(batch), m, k)
    if kinds in ("vector second", "vectors"):
        b = (k,)
    elif kinds == "batches":
        b = (*d.narrowed(batch), k, n)
    return (d.array(a), d.array(b)), {}


def _linear(d: Draw) -> Call:
    outputs, inputs = d.fit((d.size(1), d.size()), 0)
    lead = d.fit(d.shape(0, 2))
    while math.prod(lead) * max(inputs, outputs) > d.limit:
        lead = tuple(n // 2 for n in lead)
    activation = d.pick(None, None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh")
    arrays = d.array((*lead, inputs)), d.array((outputs, inputs)), d.maybe((outputs,))
    return arrays, {"activation": activation}


def _window(d: Draw, dims: int) -> tuple[Shape, Shape, dict[str, Any], Shape]:
    """Image, kernel, attributes of sliding it, and how many places it finds; images are as large as they must be."""
    kernel = tuple(d.integer(1, 4) for _ in range(dims))
    attributes = {
        "stride": d.pair(1, 4, dims),
        "padding": d.pair(0, 4, dims),
        "dilation": d.pair(1, 3, dims),
    }
    strides, pads, spacings = ((each,) * dims if isinstance(each, int) else each for each in attributes.values())
    image, places = [], []
    for k, s, p, g in zip(kernel, strides, pads, spacings, strict=True):
        least = max(g * (k - 1) + 1 - 2 * p, 0)
        n = least + d.pick(0, 1, 2, d.integer(0, 9), d.integer(0, 40 if dims == 2 else 12))
        image.append(n)
        places.append((n + 2 * p - g * (k - 1) - 1) // s + 1)
    return tuple(image), kernel, attributes, tuple(places)


def _convolution(d: Draw, dims: int) -> tuple[Shape, Shape, Shape, dict[str, Any]]:
    """Shapes of input, weight and result, and the attributes."""
    image, kernel, attributes, places = _window(d, dims)
    groups = d.pick(1, 1, 1, 2, 3, 5)
    inner, outer = d.pick(1, 1, 2, 3, 4, 5, 8, 9, 17, 33), d.pick(1, 1, 2, 3, 4, 7, 8, 9, 16, 17, 33, 65)
    images = d.pick(0, 1, 1, 2, 3, 5)
    while groups * (inner + outer) * max(images, 1) * math.prod(n + 1 for n in (*image, *places)) > 8 * d.limit:
        if images > 1:
            images -= 1
        elif max(groups, inner, outer) > 1:
            groups, inner, outer = (max(n // 2, 1) for n in (groups, inner, outer))
        else:
            break
    x = images, groups * inner, *image
    weight = groups * outer, inner, *kernel
    return x, weight, (images, groups * outer, *places), {**attributes, "groups": groups}


def _conv(dims: int) -> Case:
    def case(d: Draw) -> Call:
        x, weight, _, attributes = _convolution(d, dims)
        image = d.array(x)
        d.specials = False  # those of the weight meet the zero border
        arrays = image, d.array(weight), d.maybe(weight[:1])
        return arrays, {**attributes, "activation": d.pick(None, None, "relu")}

    return case


def _conv_dgrad(dims: int) -> Case:
    def case(d: Draw) -> Call:
        d.specials = False  # a kernel may multiply the zeros around an array, which NaN and infinity turn to NaN
        x, weight, y, attributes = _convolution(d, dims)
        return (d.array(y), d.array(weight)), {"input_size": x[2:], **attributes}

    return case


def _conv_wgrad(dims: int) -> Case:
    def case(d: Draw) -> Call:
        d.specials = False
        x, weight, y, attributes = _convolution(d, dims)
        return (d.array(y), d.array(x)), {"kernel_size": weight[2:], **attributes}

    return case


def _unfold(d: Draw) -> Call:
    image, kernel, attributes, _ = _window(d, 2)
    return (d.array((d.integer(0, 2), d.integer(1, 4), *image)),), {"kernel_size": kernel, **attributes}


def _fold(d: Draw) -> Call:
    image, kernel, attributes, places = _window(d, 2)
    shape = d.integer(0, 2), d.integer(1, 3) * math.prod(kernel), math.prod(places)
    return (d.array(shape),), {"output_size": image, "kernel_size": kernel, **attributes}


def _pool(d: Draw, dilated: bool) -> tuple[Shape, dict[str, Any]]:
    kernel = d.pair(1, 4)
    whole = (kernel,) * 2 if isinstance(kernel, int) else kernel
    attributes: dict[str, Any] = {"kernel_size": kernel, "stride": d.pick(None, d.pair(1, 4))}
    attributes["padding"] = d.pick(0, tuple(d.integer(0, k // 2) for k in whole))
    attributes["ceil_mode"] = d.flag()
    if dilated:
        attributes["dilation"] = d.pick(1, 1, d.pair(1, 3))
    shape = (d.integer(0, 3), d.integer(0, 4), *(d.pick(d.integer(1, 12), d.integer(9, 40)) for _ in range(2)))
    return d.fit(shape, 1) if 0 not in shape else shape, attributes


def _max_pool(d: Draw) -> Call:
    shape, attributes = _pool(d, True)
    return (d.array(shape, d.pick(normal, ties)),), attributes


def _averaged(d: Draw) -> tuple[Shape, dict[str, Any]]:
    shape, attributes = _pool(d, False)
    divisor = d.pick(None, None, 1, 5)
    return shape, {**attributes, "count_include_pad": d.flag(), "divisor_override": divisor}


def _avg_pool(d: Draw) -> Call:
    shape, attributes = _averaged(d)
    return (d.array(shape),), attributes


def _avg_pool_backward(d: Draw) -> Call:
    from pyneural.kernels import OPERATIONS

    shape, attributes = _averaged(d)
    pooled = OPERATIONS["avg_pool2d"].check(np.broadcast_to(np.float32(0), shape), **attributes).shape
    return (d.array(pooled),), {"input_size": shape[2:], **attributes}


def _planes(d: Draw) -> tuple[Array, Shape]:
    """Indices into images, and the images' shape."""
    n, c, h, w = d.integer(0, 3), d.integer(0, 4), d.size(1), d.size(1)
    shape = d.fit((n, c, h, w), 1) if n * c else (n, c, min(h, 40), min(w, 40))
    places = (*shape[:2], d.integer(1, 20), d.integer(1, 20))
    return d.indices(0, shape[2] * shape[3], places, dtypes.int64), shape


def _max_pool_backward(d: Draw) -> Call:
    indices, shape = _planes(d)
    return (d.array(indices.shape), indices), {"input_size": shape[2:]}


def _max_pool_gather(d: Draw) -> Call:
    indices, shape = _planes(d)
    return (d.array(shape), indices), {}


def _images(d: Draw) -> Shape:
    shape = d.integer(0, 3), d.integer(1, 4), d.size(1), d.size(1)
    return d.fit(shape, 1) if shape[0] else (*shape[:2], min(shape[2], 40), min(shape[3], 40))


def _adaptive(d: Draw) -> Call:
    return (d.array(_images(d)),), {"output_size": d.pair(0, 9)}


def _adaptive_backward(d: Draw) -> Call:
    return (d.array((*_images(d)[:2], d.integer(0, 9), d.integer(0, 9))),), {
        "input_size": (d.integer(1, 40), d.integer(1, 40))
    }


def _attention(d: Draw) -> Call:
    length, keys = d.size(), d.size()
    features, values = d.pick(1, 3, 4, 8, 16, 33, d.integer(1, 70)), d.pick(1, 3, 8, 16, 20, d.integer(1, 70))
    batch = d.shape(0, 2)
    while math.prod(batch) * max(length, keys) * max(keys, features, values) > 2 * d.limit:
        length, keys, batch = length // 2, keys // 2, tuple(min(n, 3) for n in batch)

    def lead() -> Shape:
        return d.narrowed(batch)

    mask = None
    kind = d.pick("none", "none", "kept", "added")
    # Not of the whole batch: the three batches may broadcast to a smaller one.
    shape = d.narrowed((length, keys))
    if kind == "kept":
        mask = d.array(shape, lambda rng, n, _: np.asarray(rng.random(n) < 0.7), dtypes.bool_)
    elif kind == "added":
        mask = d.array(shape)
    arrays = d.array((*lead(), length, features)), d.array((*lead(), keys, features)), d.array((*lead(), keys, values))
    return (*arrays, mask), {"is_causal": d.flag(), "scale": d.pick(None, None, 1.0, d.number(-1, 2))}


def _attention_backward(d: Draw) -> Call:
    from pyneural.kernels import backend

    (*arrays, mask), attributes = _attention(d)
    output, logsumexp = backend("reference").scaled_dot_product_attention(*arrays, mask, **attributes)
    return (d.array(output.shape), *arrays, output, logsumexp, mask), attributes


def _parameter_dtype(d: Draw) -> np.dtype[Any]:
    return d.pick(d.dtype, dtypes.accumulator(d.dtype))


def _eps(d: Draw) -> float:
    return d.pick(1e-5, 1e-3, 0.1)


def _channels(d: Draw) -> Shape:
    shape = d.shape(2, 5, 1)
    return shape if shape[0] * math.prod(shape[2:]) > 1 else (3, *shape[1:])


def _statistics(x: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> tuple[Array, Array]:
    """Mean and reciprocal deviation over ``axes``, in the accumulator's dtype."""
    wider = x.astype(dtypes.float64)
    with np.errstate(all="ignore"):
        mean = wider.mean(axes, keepdims=True) if centred else np.zeros(())
        rstd = 1 / np.sqrt(((wider - mean) ** 2).mean(axes) + eps)
    kept = dtypes.accumulator(x.dtype)
    return np.asarray(np.broadcast_to(mean, wider.shape).mean(axes)).astype(kept), np.asarray(rstd).astype(kept)


def _batch_norm(d: Draw) -> Call:
    shape = _channels(d)
    kind = _parameter_dtype(d)
    arrays = d.array(shape, shifted), d.maybe(shape[1:2], dtype=kind), d.maybe(shape[1:2], dtype=kind)
    return arrays, {"eps": _eps(d)}


def _batch_norm_backward(d: Draw) -> Call:
    (x, weight, _), attributes = _batch_norm(d)
    axes = tuple(i for i in range(x.ndim) if i != 1)
    return (d.array(x.shape), x, weight, *_statistics(x, axes, attributes["eps"])), {}


def _batch_norm_infer(d: Draw) -> Call:
    (x, weight, bias), attributes = _batch_norm(d)
    kind = _parameter_dtype(d)

    def variance(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
        return np.asarray(rng.random(shape) + 0.1).astype(dtype)

    mean, var = d.array(x.shape[1:2], dtype=kind), d.array(x.shape[1:2], variance, kind)
    return (x, weight, bias, mean, var), attributes


def _rows(d: Draw, biased: bool) -> Call:
    shape = d.shape(1, 4, 1)
    count = d.integer(1, len(shape))
    kind, last = _parameter_dtype(d), shape[len(shape) - count :]
    lead = (0, *shape[1 : len(shape) - count]) if count < len(shape) and d.chance(12) else shape[: len(shape) - count]
    arrays = [d.array((*lead, *last), shifted), d.maybe(last, dtype=kind)]
    if biased:
        arrays.append(d.maybe(last, dtype=kind))
    return tuple(arrays), {"normalized_shape": last if count > 1 or d.flag() else last[0], "eps": _eps(d)}


def _rows_backward(biased: bool) -> Case:
    def case(d: Draw) -> Call:
        (x, weight, *_), attributes = _rows(d, biased)
        last = attributes["normalized_shape"]
        if np.prod(last) < 2:
            d.reject()  # its gradient is 0, and all that is left of it rounding
        count = 1 if isinstance(last, int) else len(last)
        mean, rstd = _statistics(x, tuple(range(x.ndim - count, x.ndim)), attributes["eps"], biased)
        return (d.array(x.shape), x, weight, *((mean, rstd) if biased else (rstd,))), {}

    return case


def _group_norm(d: Draw) -> Call:
    groups, each = d.pick(1, 2, 3, 4), d.pick(1, 1, 2, 3, 5, 17)
    shape = (d.pick(0, 1, 2, 3, 9), groups * each, *d.shape(0, 3, 1))
    while math.prod(shape) > d.limit and max(shape[2:], default=1) > 1:
        shape = (*shape[:2], *(max(n // 2, 1) for n in shape[2:]))
    kind = _parameter_dtype(d)
    arrays = d.array(shape, shifted), d.maybe(shape[1:2], dtype=kind), d.maybe(shape[1:2], dtype=kind)
    return arrays, {"num_groups": groups, "eps": _eps(d)}


def _group_norm_backward(d: Draw) -> Call:
    (x, weight, _), attributes = _group_norm(d)
    groups = attributes["num_groups"]
    if x.shape[1] // groups * math.prod(x.shape[2:]) < 2:
        d.reject()
    rows = x.reshape(x.shape[0], groups, -1) if x.size else np.zeros((x.shape[0], groups, 1), x.dtype)
    return (d.array(x.shape), x, weight, *_statistics(rows, (2,), attributes["eps"])), {}


def _lstm(*widths: int) -> Case:
    """Arrays so many times as wide as the memory."""

    def case(d: Draw) -> Call:
        batch, size = d.pick(0, 1, 2, 3, 9, 33), d.pick(0, 1, 2, 5, 8, 17)
        return tuple(d.array((batch, width * size)) for width in widths), {}

    return case


def _no_specials(case: Case) -> Case:
    """What NaN and infinity become depends on the order of sums here."""

    def plain(d: Draw) -> Call:
        d.specials = False
        return case(d)

    return plain


_normalisations: dict[str, Callable[[Draw], Call]] = {
    "batch_norm_train": _batch_norm,
    "batch_norm_train_backward": _batch_norm_backward,
    "batch_norm_infer": _batch_norm_infer,
    "layer_norm": lambda d: _rows(d, True),
    "rms_norm": lambda d: _rows(d, False),
    "layer_norm_backward": _rows_backward(True),
    "rms_norm_backward": _rows_backward(False),
    "group_norm": _group_norm,
    "group_norm_backward": _group_norm_backward,
    "scaled_dot_product_attention": _attention,
    "scaled_dot_product_attention_backward": _attention_backward,
}

CASES: dict[str, Case] = {
    "matmul": _matmul,
    "linear": _linear,
    "conv2d": _conv(2),
    "conv2d_dgrad": _conv_dgrad(2),
    "conv2d_wgrad": _conv_wgrad(2),
    "conv3d": _conv(3),
    "conv3d_dgrad": _conv_dgrad(3),
    "conv3d_wgrad": _conv_wgrad(3),
    "unfold": _unfold,
    "fold": _fold,
    "max_pool2d": _max_pool,
    "max_pool2d_backward": _max_pool_backward,
    "max_pool2d_gather": _max_pool_gather,
    "avg_pool2d": _avg_pool,
    "avg_pool2d_backward": _avg_pool_backward,
    "adaptive_avg_pool2d": _adaptive,
    "adaptive_avg_pool2d_backward": _adaptive_backward,
    "lstm_cell": _lstm(4, 4, 1),
    "lstm_cell_backward": _no_specials(_lstm(1, 1, 4, 1, 1)),
    **{name: _no_specials(case) for name, case in _normalisations.items()},
}
