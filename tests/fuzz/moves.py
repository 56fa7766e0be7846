"""Calls of what moves elements or looks them up, of classification losses, random numbers and optimizer steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyneural.kernels import dtypes

from .draw import Array, Draw, Shape, normal, positive, wide
from .pointwise import Call, Case

MASK64 = 2**64 - 1


def _cat(d: Draw) -> Call:
    shape = d.shape(1, 4)
    axis = d.integer(0, len(shape) - 1)
    parts = [(*shape[:axis], d.pick(shape[axis], d.integer(0, 5)), *shape[axis + 1 :]) for _ in range(d.integer(1, 5))]
    arrays = [d.array(each) for each in parts]
    return (tuple(arrays) if d.flag() else arrays,), {"dim": axis - len(shape) if d.flag() else axis}


def _flip(d: Draw) -> Call:
    x = d.array(d.shape())
    dims = d.some(range(x.ndim))
    return (x,), {"dims": dims[0] if len(dims) == 1 and d.flag() else tuple(dims)}


def _roll(d: Draw) -> Call:
    x = d.array(d.shape())
    if not x.ndim or d.flag():
        return (x,), {"shifts": d.integer(-50, 50), "dims": None}
    dims = tuple(d.dim(x.ndim) for _ in range(d.integer(1, 3)))
    return (x,), {"shifts": tuple(d.integer(-50, 50) for _ in dims), "dims": dims}


def _triangle(d: Draw) -> Call:
    return (d.array(d.shape(2, 4)),), {"diagonal": d.integer(-9, 9)}


def _slice(d: Draw, n: int) -> slice:
    def bound() -> int | None:
        return d.pick(None, d.integer(-n - 2, n + 2))

    return slice(bound(), bound(), d.pick(None, None, 1, 2, 3, -1, -2))


def _key(d: Draw, shape: Shape) -> tuple[Any, ...]:
    """A key with at least one array."""
    several = d.shape(0, 2)
    several = several if math.prod(several) <= d.limit else ()
    key: list[Any] = []
    at, arrays = 0, 0
    while at < len(shape):
        n = shape[at]
        kind = d.pick("array", "array", "slice", "slice", "int", "mask", "new", "rest")
        if kind == "array":
            chosen = d.narrowed(several)
            low, high = (-n, n) if n else (0, 0)
            if not n and math.prod(chosen):
                kind = "slice"
            else:
                kinds = (dtypes.int64, dtypes.int32) if n > 127 else (dtypes.int64, dtypes.int32, np.dtype("int8"))
                key.append(d.indices(low, high, chosen, d.pick(*kinds)))
                arrays += 1
        if kind == "mask":
            span = d.integer(1, min(2, len(shape) - at))
            if arrays:  # what it chooses would have to fit the others
                kind = "slice"
            else:
                key.append(d.array(shape[at : at + span], dtype=dtypes.bool_))
                at += span
                arrays += 1
                several = (int(np.count_nonzero(key[-1])),)
                continue
        if kind == "int" and n:
            key.append(d.integer(-n, n - 1))
        elif kind in ("slice", "int"):
            key.append(_slice(d, n))
        elif kind == "new":
            key.append(None)
            continue
        elif kind == "rest":
            if Ellipsis not in [each for each in key if each is Ellipsis]:
                key.append(Ellipsis)
            break
        at += 1
    if not arrays:
        d.reject()
    return tuple(key)


def _index(d: Draw) -> Call:
    shape = d.shape(1, 4)
    return (d.array(shape),), {"key": _key(d, shape)}


def _selected(shape: Shape, key: tuple[Any, ...]) -> Shape:
    return tuple(np.broadcast_to(np.float32(0), shape)[key].shape)


def _index_backward(d: Draw) -> Call:
    shape = d.shape(1, 4)
    key = _key(d, shape)
    return (d.array(_selected(shape, key)),), {"key": key, "input_shape": shape}


def _index_put(d: Draw) -> Call:
    shape = d.shape(1, 4)
    key = _key(d, shape)
    values = d.narrowed(_selected(shape, key))
    accumulate = d.dtype != dtypes.bool_ and d.flag()
    return (d.array(shape, contiguous=d.flag()).copy(), d.array(values)), {"key": key, "accumulate": accumulate}


def _rows_of(d: Draw) -> tuple[Shape, Shape]:
    """A table's shape, and that of indices into it."""
    table = d.fit((d.size(), d.size()))
    indices = d.shape(0, 3) if table[0] else (0, *d.shape(0, 2))
    while math.prod(indices) * max(table[1], 1) > d.limit:
        indices = tuple(n // 2 for n in indices)
    return table, indices


def _embedding(d: Draw) -> Call:
    table, indices = _rows_of(d)
    return (d.array(table), d.indices(0, table[0], indices)), {}


def _embedding_backward(d: Draw) -> Call:
    (rows, columns), indices = _rows_of(d)
    padding = d.integer(0, rows - 1) if rows and d.flag() else None
    attributes = {"num_embeddings": rows, "padding_idx": padding, "scale_grad_by_freq": d.flag()}
    return (d.array((*indices, columns)), d.indices(0, rows, indices)), attributes


def _index_select(d: Draw) -> Call:
    shape = d.shape(1, 4)
    dim = d.dim(len(shape))
    count = (d.size() if shape[dim] else 0,)
    count = count if math.prod(shape) // max(shape[dim], 1) * count[0] <= 2 * d.limit else (1,)
    return (d.array(shape), d.indices(0, shape[dim], () if shape[dim] and d.chance(6) else count)), {"dim": dim}


def _index_select_backward(d: Draw) -> Call:
    shape = d.shape(1, 4)
    dim, size = d.dim(len(shape)), d.size(1)
    return (d.array(shape), d.indices(0, size, (shape[dim],))), {"dim": dim, "size": min(size, 131)}


def _gathered(d: Draw) -> tuple[Shape, Shape, int]:
    """An array's shape, that of indices along a dimension of it, and the dimension."""
    shape = d.shape(0, 4)
    dim = d.dim(len(shape))
    axis = dim % max(len(shape), 1)
    index = [n if d.flag() else d.integer(0, n) for n in shape]
    if shape:
        index[axis] = d.size() if shape[axis] else 0
    return shape, d.fit(index), dim


def _gather(d: Draw) -> Call:
    shape, index, dim = _gathered(d)
    return (d.array(shape), d.indices(0, shape[dim] if shape else 1, index)), {"dim": dim}


def _scatter_add(d: Draw) -> Call:
    shape, index, dim = _gathered(d)
    source = tuple(n + d.pick(0, 0, 1, 3) for n in index)
    return (d.array(shape), d.indices(0, shape[dim] if shape else 1, index), d.array(source)), {"dim": dim}


def _one_hot(d: Draw) -> Call:
    classes, shape = min(d.size(1), 2 * d.limit), d.shape(0, 3)
    while math.prod(shape) * classes > 2 * d.limit:
        shape = tuple(n // 2 for n in shape)
    return (d.indices(0, classes, shape, d.dtype),), {"num_classes": classes}


def _padding(d: Draw) -> tuple[Shape, dict[str, Any]]:
    shape = d.shape(0, 4)
    mode = d.pick("constant", "constant", "reflect", "replicate", "circular")
    amounts = [(d.integer(-3, 4), d.integer(-3, 4)) for _ in range(d.integer(0, len(shape)))]
    return shape, {"pad": tuple(n for pair in amounts for n in pair), "mode": mode}


def _pad(d: Draw) -> Call:
    shape, attributes = _padding(d)
    value: Any = d.pick(0, 0, 1)
    if attributes["mode"] != "constant":
        value = 0
    elif dtypes.is_floating(d.dtype):
        value = d.pick(0.0, d.number(-2, 2), float("inf"), float("nan"))
    return (d.array(shape),), {**attributes, "value": value}


def _pad_backward(d: Draw) -> Call:
    from pyneural.kernels import OPERATIONS

    shape, attributes = _padding(d)
    if attributes["mode"] == "constant":
        attributes["mode"] = d.pick("reflect", "replicate", "circular")
    padded = OPERATIONS["pad"].check(np.broadcast_to(np.float32(0), shape), **attributes).shape
    return (d.array(padded),), {**attributes, "input_shape": shape}


def _classes(d: Draw) -> tuple[Array, Array, Array | None, dict[str, Any]]:
    """Logits, targets, weights, attributes."""
    shape = d.shape(1, 4)
    axis = 1 if len(shape) > 1 else 0
    classes = max(shape[axis], 1)
    shape = (*shape[:axis], classes, *shape[axis + 1 :])
    ignored = d.pick(-100, -1, 0, 255)
    places = shape[:1] + shape[2:] if len(shape) > 1 else ()
    target = np.array(d.indices(0, classes, places, dtypes.int64))
    if d.flag():
        target[d.rng.random(places) < 0.2] = ignored
    logits, d.specials = d.array(shape, wide), False  # weights are numbers
    return logits, target, d.maybe((classes,), positive), {"ignore_index": ignored}


def _cross_entropy(d: Draw) -> Call:
    logits, target, weight, attributes = _classes(d)
    return (logits, target, weight), {**attributes, "label_smoothing": d.pick(0.0, 0.1, 1.0, d.number(0, 1))}


def _cross_entropy_with_gradient(d: Draw) -> Call:
    (logits, target, weight), attributes = _cross_entropy(d)
    if logits.size == target.size:
        d.reject()  # as below
    scale = np.asarray(d.pick(1.0, 0.37, -2.0)).astype(dtypes.accumulator(logits.dtype))
    return (logits, target, scale, weight), attributes


def _cross_entropy_backward(d: Draw) -> Call:
    (logits, target, weight), attributes = _cross_entropy(d)
    with np.errstate(all="ignore"):
        total = np.log(np.exp(logits.astype(np.float64)).sum(0 if logits.ndim == 1 else 1))
    kept = np.asarray(total).astype(dtypes.accumulator(d.dtype))
    if logits.size == total.size:
        d.reject()  # of one class the result is what rounding left of 1 - 1
    d.specials = False  # an infinite gradient meets a difference, in one order or another
    return (d.array(target.shape), logits, target, kept, weight), attributes


def _nll(d: Draw) -> Call:
    x, target, weight, attributes = _classes(d)
    return (x, target, weight), {**attributes, "reduction": d.pick("mean", "sum", "none")}


def _nll_backward(d: Draw) -> Call:
    (x, target, weight), attributes = _nll(d)
    grad = d.array(target.shape if attributes["reduction"] == "none" else ())
    total = np.asarray(d.number(0.5, 9)).astype(dtypes.accumulator(d.dtype))
    return (grad, target, total, weight), {**attributes, "input_shape": x.shape}


def _stream(d: Draw) -> dict[str, Any]:
    return {
        "seed": d.pick(d.integer(0, MASK64), 0, MASK64),
        "offset": d.pick(d.integer(0, MASK64), 0, MASK64),
    }


def _random(**more: Any) -> Case:
    """Numbers of any shape; ``more``: functions that draw the other attributes."""
    return lambda d: ((), {"shape": d.shape(), **_stream(d), **{name: draw(d) for name, draw in more.items()}})


def _uniform(d: Draw) -> Call:
    low = d.number(-3, 3)
    bounds = d.pick({}, {"low": low, "high": low + d.number(0, 5)})
    return (), {"shape": d.shape(), **_stream(d), "dtype": d.dtype, **bounds}


def _randint(d: Draw) -> Call:
    low = d.pick(d.integer(-5, 5), d.integer(-(2**63), 2**63 - 2))
    high = d.pick(min(low + d.integer(1, 300), 2**63 - 1), d.integer(low + 1, 2**63 - 1))
    return (), {"shape": d.shape(), **_stream(d), "low": low, "high": high}


def _dropout(d: Draw) -> Call:
    return (d.array(d.shape()),), {"p": d.pick(0.0, 1.0, 0.5, d.number(0, 1)), **_stream(d)}


def _lists(d: Draw, count: int, *squares: int) -> list[list[Array]]:
    """``count`` lists of arrays alike in shape; those numbered in ``squares`` are not negative."""
    shapes = [d.shape(0, 3) for _ in range(d.integer(0, 4))]

    def of(shape: Shape, number: int) -> Array:
        x = normal(d.rng, shape, d.dtype)
        return np.asarray(x * x + d.dtype.type(1)) if number in squares else x

    return [[of(shape, number) for shape in shapes] for number in range(count)]


def _rates(d: Draw) -> dict[str, Any]:
    return {"lr": d.number(0, 0.5), "weight_decay": d.pick(0.0, d.number(0, 0.3)), "maximize": d.flag()}


def _sgd(d: Draw) -> Call:
    params, grads, momenta = _lists(d, 3)
    attributes = {**_rates(d), "momentum": d.pick(0.0, 0.9, d.number(0, 1)), "first": d.flag()}
    if attributes["momentum"]:
        attributes |= d.pick({"nesterov": True}, {"dampening": d.number(0, 1)})
    return (params, grads, momenta if attributes["momentum"] or d.flag() else ()), attributes


def _adam(d: Draw) -> Call:
    attributes = {**_rates(d), "step": d.integer(1, 1000), "decoupled": d.flag(), "eps": d.pick(1e-8, 1e-3)}
    return tuple(_lists(d, 4, 3)), {**attributes, "beta1": d.number(0, 0.98), "beta2": d.number(0.5, 0.999)}


def _rmsprop(d: Draw) -> Call:
    params, grads, squares, momenta, averages = _lists(d, 5, 2)
    averages = [
        np.asarray(each * each.dtype.type(0.1)) for each in averages
    ]  # a square's mean exceeds the mean's square
    attributes = {**_rates(d), "alpha": d.number(0.5, 0.99), "eps": d.pick(1e-8, 1e-3)}
    attributes |= {"momentum": d.pick(0.0, 0.9), "centered": d.flag()}
    return (params, grads, squares, momenta, averages), attributes


CASES: dict[str, Case] = {
    "cat": _cat,
    "flip": _flip,
    "roll": _roll,
    "tril": _triangle,
    "triu": _triangle,
    "index": _index,
    "index_backward": _index_backward,
    "index_put": _index_put,
    "embedding": _embedding,
    "embedding_backward": _embedding_backward,
    "index_select": _index_select,
    "index_select_backward": _index_select_backward,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "one_hot": _one_hot,
    "pad": _pad,
    "pad_backward": _pad_backward,
    "cross_entropy": _cross_entropy,
    "cross_entropy_backward": _cross_entropy_backward,
    "cross_entropy_with_gradient": _cross_entropy_with_gradient,
    "nll_loss": _nll,
    "nll_loss_backward": _nll_backward,
    "random_bits": _random(),
    "uniform": _uniform,
    "normal": _random(
        dtype=lambda d: d.dtype, mean=lambda d: d.pick(0.0, d.number(-2, 2)), std=lambda d: d.number(0, 3)
    ),
    "randint": _randint,
    "permutation": lambda d: ((), {"n": d.size(), **_stream(d)}),
    "dropout": _dropout,
    "sgd_step": _sgd,
    "adam_step": _adam,
    "rmsprop_step": _rmsprop,
}
