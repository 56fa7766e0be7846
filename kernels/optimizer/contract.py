"""Contracts of the optimizer steps: one call updates every parameter in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..contract import Sample, Wrong, operation

Array = Any

_SHAPES: tuple[tuple[int, ...], ...] = ((3, 5), (), (1,), (0,), (2, 3, 2, 1), (31,))
_LARGE: tuple[tuple[int, ...], ...] = ((20_011,), (7,), (129, 67), (1,), (33, 31))


def _lists(operation: str, **lists: Sequence[Array]) -> None:
    """Refuse lists that do not hold, place by place, contiguous arrays of one shape and of one dtype for all."""
    names = list(lists)
    params = lists["params"]
    for name in names:
        if not isinstance(lists[name], (list, tuple)):
            raise TypeError(f"{operation}: {name} must be a list or tuple of arrays, not {type(lists[name]).__name__}")
        if len(lists[name]) != len(params):
            raise ValueError(f"{operation}: params holds {len(params)} arrays but {name} holds {len(lists[name])}")
    if not params:
        return
    dtype = params[0].dtype
    if not dtypes.is_floating(dtype):
        raise TypeError(f"{operation}: params[0] must have a floating dtype, not {dtype}")
    for name in names:
        for position, (param, array) in enumerate(zip(params, lists[name], strict=True)):
            if array.dtype != dtype:
                raise TypeError(
                    f"{operation}: params[0] has dtype {dtype} but {name}[{position}] has dtype {array.dtype}"
                )
            if array.shape != param.shape:
                raise ValueError(
                    f"{operation}: params[{position}] has shape {tuple(param.shape)} "
                    f"but {name}[{position}] has shape {tuple(array.shape)}"
                )
            if not array.flags.c_contiguous:
                raise ValueError(
                    f"{operation}: {name}[{position}] must be C-contiguous (shape {tuple(array.shape)}, "
                    f"strides {tuple(array.strides)})"
                )


def _not_negative(operation: str, **values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{operation}: {name} (={value}) must not be negative")


def _arrays(
    rng: np.random.Generator, dtype: np.dtype[Any], shapes: Sequence[tuple[int, ...]], count: int
) -> list[list[Array]]:
    return [[np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes] for _ in range(count)]


def _sgd_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[dict[str, Any], ...] = (
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.3, "maximize": True},
        {"lr": 0.1, "momentum": 0.9, "first": True},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "first": True},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
    )
    for attributes in cases:
        for shapes in (_SHAPES, _LARGE):
            params, grads, momenta = _arrays(rng, dtype, shapes, 3)
            used = tuple(momenta) if "momentum" in attributes else ()
            yield Sample((params, grads, used), attributes, f"{len(shapes)} parameters, {attributes}")
    yield Sample(([], [], []), {"lr": 0.1}, "no parameters")


def _wrong_sgd() -> Iterator[Wrong]:
    p, g = [np.zeros((2, 3), np.float32)], [np.ones((2, 3), np.float32)]
    yield Wrong((p, [g[0].T], ()), {"lr": 0.1}, ValueError, r"\(2, 3\) but grads.0. has shape \(3, 2\)")
    yield Wrong((p, [g[0].T.copy().T], ()), {"lr": 0.1}, ValueError, r"grads.0. must be C-contiguous .*\(4, 8\)")
    yield Wrong((p, g, ()), {"lr": 0.1, "momentum": 0.9}, ValueError, "params holds 1 arrays but momenta holds 0")
    yield Wrong((p, [g[0].astype(np.float64)], ()), {"lr": 0.1}, TypeError, "float32 but grads.0. has dtype float64")
    yield Wrong((p, g, ()), {"lr": -0.5}, ValueError, r"lr \(=-0.5\) must not be negative")
    nesterov = {"lr": 0.1, "momentum": 0.5, "dampening": 0.25, "nesterov": True}
    yield Wrong((p, g, g), nesterov, ValueError, r"nesterov .* momentum \(=0.5\) .* dampening \(=0.25\)")


@operation(
    samples=_sgd_samples,
    wrong=_wrong_sgd,
    writes=("params", "momenta"),
    source="torch.optim.SGD; Nesterov momentum as Sutskever et al., ICML 2013",
)
def sgd_step(
    params: Array,
    grads: Array,
    momenta: Array,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    first: bool = False,
) -> None:
    """One step of stochastic gradient descent on every parameter, in place.

    With ``g = (-grad if maximize else grad) + weight_decay * param``: without momentum
    ``param -= lr * g``; else ``buffer = momentum * buffer + (1 - dampening) * g`` (``buffer = g`` if
    ``first``) and ``param -= lr * (g + momentum * buffer if nesterov else buffer)``.

    Args:
        params, grads, momenta: lists of C-contiguous arrays of one floating dtype, alike in shape place
            by place; ``momenta`` is not read, and may be empty, where ``momentum`` is 0.
        lr, momentum, dampening, weight_decay: rates, not negative (dampening may be).
        nesterov: needs ``momentum > 0`` and ``dampening == 0``.
        maximize: ascend instead.
        first: whether the buffers hold nothing yet.

    Raises:
        TypeError: if an argument is no list, or a dtype is not floating or differs.
        ValueError: if lengths or shapes differ, an array is not contiguous, or a rate is out of range.
    """
    if momentum != 0.0:
        _lists("sgd_step", params=params, grads=grads, momenta=momenta)
    else:
        _lists("sgd_step", params=params, grads=grads)
    _not_negative("sgd_step", lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (momentum == 0.0 or dampening != 0.0):
        raise ValueError(
            f"sgd_step: nesterov needs momentum (={momentum}) above zero and dampening (={dampening}) of zero"
        )


def _adam_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[dict[str, Any], ...] = (
        {"step": 1, "lr": 1e-2},
        {"step": 10, "lr": 1e-2, "weight_decay": 0.1, "beta1": 0.8, "beta2": 0.95},
        {"step": 3, "lr": 1e-2, "weight_decay": 0.1, "decoupled": True, "maximize": True, "eps": 1e-3},
    )
    for attributes in cases:
        for shapes in (_SHAPES, _LARGE):
            params, grads, averages, squares = _arrays(rng, dtype, shapes, 4)
            squares = [np.asarray(each * each) for each in squares]
            yield Sample((params, grads, averages, squares), attributes, f"{len(shapes)} parameters, {attributes}")
    yield Sample(([], [], [], []), {"step": 1, "lr": 0.1}, "no parameters")


def _wrong_adam() -> Iterator[Wrong]:
    p = [np.zeros((2, 3), np.float32)]
    good = {"step": 1, "lr": 0.1}
    yield Wrong((p, p, p, []), good, ValueError, "params holds 1 arrays but exp_avg_sqs holds 0")
    yield Wrong((p, p, [np.zeros(6, np.float32)], p), good, ValueError, r"exp_avgs.0. has shape \(6,\)")
    yield Wrong((p, p, p, p), {**good, "step": 0}, ValueError, r"step \(=0\) must be at least 1")
    yield Wrong((p, p, p, p), {**good, "beta2": 1.0}, ValueError, r"beta2 \(=1.0\) must be in \[0, 1\)")
    yield Wrong((p, p, p, p), {**good, "eps": -1e-8}, ValueError, r"eps \(=-1e-08\) must not be negative")
    yield Wrong((p[0], p, p, p), good, TypeError, "params must be a list or tuple of arrays, not ndarray")


@operation(
    samples=_adam_samples,
    wrong=_wrong_adam,
    writes=("params", "exp_avgs", "exp_avg_sqs"),
    source="Kingma and Ba, Adam, ICLR 2015; Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019",
)
def adam_step(
    params: Array,
    grads: Array,
    exp_avgs: Array,
    exp_avg_sqs: Array,
    *,
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
) -> None:
    """One step of Adam, or of AdamW if ``decoupled``, on every parameter, in place.

    With ``g = -grad if maximize else grad``, and ``param *= 1 - lr * weight_decay`` if ``decoupled``,
    ``g += weight_decay * param`` if not: ``m += (1 - beta1) * (g - m)``,
    ``v = beta2 * v + (1 - beta2) * g * g``, and
    ``param -= lr / (1 - beta1**step) * m / (sqrt(v) / sqrt(1 - beta2**step) + eps)``.

    Args:
        params, grads, exp_avgs, exp_avg_sqs: lists of C-contiguous arrays of one floating dtype, alike in
            shape place by place: the parameters, their gradients, m and v.
        step: number of this step, from 1.
        lr, eps, weight_decay: not negative.
        beta1, beta2: decay rates in [0, 1).
        decoupled: decay the weights beside the gradient instead of through it.
        maximize: ascend instead.

    Raises:
        TypeError: if an argument is no list, or a dtype is not floating or differs.
        ValueError: if lengths or shapes differ, an array is not contiguous, or a rate is out of range.
    """
    _lists("adam_step", params=params, grads=grads, exp_avgs=exp_avgs, exp_avg_sqs=exp_avg_sqs)
    _not_negative("adam_step", lr=lr, eps=eps, weight_decay=weight_decay)
    if step < 1:
        raise ValueError(f"adam_step: step (={step}) must be at least 1")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"adam_step: {name} (={beta}) must be in [0, 1)")


def _rmsprop_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[dict[str, Any], ...] = (
        {"lr": 1e-2},
        {"lr": 1e-2, "alpha": 0.9, "weight_decay": 0.1, "maximize": True},
        {"lr": 1e-2, "momentum": 0.9, "eps": 1e-3},
        {"lr": 1e-2, "centered": True, "eps": 1e-3},
        {"lr": 1e-2, "centered": True, "momentum": 0.5, "weight_decay": 0.1, "eps": 1e-3},
    )
    for attributes in cases:
        for shapes in (_SHAPES, _LARGE):
            params, grads, averages, momenta, means = _arrays(rng, dtype, shapes, 5)
            # A mean square is larger than the square of the mean.
            squares = [np.asarray(a * a + m * m + 0.1).astype(dtype) for a, m in zip(averages, means, strict=True)]
            used = momenta if "momentum" in attributes else ()
            centres = means if "centered" in attributes else ()
            yield Sample((params, grads, squares, used, centres), attributes, f"{len(shapes)} arrays, {attributes}")
    yield Sample(([], [], [], [], []), {"lr": 0.1}, "no parameters")


def _wrong_rmsprop() -> Iterator[Wrong]:
    p = [np.zeros((2, 3), np.float32)]
    yield Wrong((p, p, [], (), ()), {"lr": 0.1}, ValueError, "params holds 1 arrays but square_avgs holds 0")
    yield Wrong((p, p, p, (), ()), {"lr": 0.1, "momentum": 0.5}, ValueError, "1 arrays but momenta holds 0")
    yield Wrong((p, p, p, (), ()), {"lr": 0.1, "centered": True}, ValueError, "1 arrays but grad_avgs holds 0")
    yield Wrong((p, p, p, (), ()), {"lr": 0.1, "alpha": 1.5}, ValueError, r"alpha \(=1.5\) must be in \[0, 1\]")
    yield Wrong((p, p, p, (), ()), {"lr": -0.5}, ValueError, r"lr \(=-0.5\) must not be negative")
    yield Wrong((p, [p[0].astype(np.float64)], p, (), ()), {"lr": 0.1}, TypeError, "grads.0. has dtype float64")


@operation(
    samples=_rmsprop_samples,
    wrong=_wrong_rmsprop,
    writes=("params", "square_avgs", "momenta", "grad_avgs"),
    source="Tieleman and Hinton, Lecture 6.5, 2012; centred: Graves, arXiv:1308.0850; torch.optim.RMSprop",
)
def rmsprop_step(
    params: Array,
    grads: Array,
    square_avgs: Array,
    momenta: Array,
    grad_avgs: Array,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> None:
    """One step of RMSprop on every parameter, in place.

    With ``g = (-grad if maximize else grad) + weight_decay * param``: ``v = alpha * v + (1 - alpha) * g * g``;
    if ``centered``, ``a += (1 - alpha) * (g - a)`` and the scale is ``sqrt(v - a * a) + eps``, else
    ``sqrt(v) + eps``; ``step = g / scale``, with momentum ``buffer = momentum * buffer + step`` in its
    place; ``param -= lr * step``.

    Args:
        params, grads, square_avgs, momenta, grad_avgs: lists of C-contiguous arrays of one floating dtype,
            alike in shape place by place; ``momenta`` is not read, and may be empty, where ``momentum`` is
            0, and ``grad_avgs`` without ``centered``.
        lr, eps, weight_decay, momentum: not negative.
        alpha: decay rate in [0, 1].
        centered: divide by an estimate of the standard deviation.
        maximize: ascend instead.

    Raises:
        TypeError: if an argument is no list, or a dtype is not floating or differs.
        ValueError: if lengths or shapes differ, an array is not contiguous, or a rate is out of range.
    """
    lists = {"params": params, "grads": grads, "square_avgs": square_avgs}
    if momentum != 0.0:
        lists["momenta"] = momenta
    if centered:
        lists["grad_avgs"] = grad_avgs
    _lists("rmsprop_step", **lists)
    _not_negative("rmsprop_step", lr=lr, eps=eps, weight_decay=weight_decay, momentum=momentum)
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"rmsprop_step: alpha (={alpha}) must be in [0, 1]")
