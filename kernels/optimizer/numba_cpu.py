"""Optimizer steps with Numba: one call for all parameters, cut into chunks that the threads share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..addresses import carray, pointer, table
from ..jit import jit
from ..near import NEAR, bring
from ..parallel import each, share

Array = Any

CHUNK = 16_384  # elements of one task


def sgd_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    momenta: Sequence[Array],
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    first: bool = False,
) -> None:
    if not params:
        return
    real = params[0].dtype.type
    # Without momentum the buffers are not read; the gradients stand in to keep the table whole.
    addresses = table(params, grads, momenta if momentum != 0.0 else grads)
    keep, take = (0.0, 1.0) if first else (momentum, 1.0 - dampening)
    _sgd(
        _like(params[0]),
        addresses,
        _sizes(params),
        real(-1.0 if maximize else 1.0),
        real(lr),
        real(weight_decay),
        real(momentum),
        real(keep),
        real(take),
        nesterov,
        first,
    )


def adam_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array],
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
    if not params:
        return
    real = params[0].dtype.type
    _adam(
        _like(params[0]),
        table(params, grads, exp_avgs, exp_avg_sqs),
        _sizes(params),
        real(-1.0 if maximize else 1.0),
        real(lr / (1.0 - beta1**step)),
        real(1.0 - beta1),
        real(beta2),
        real(1.0 - beta2),
        real(1.0 / math.sqrt(1.0 - beta2**step)),
        real(eps),
        real(0.0 if decoupled else weight_decay),
        real(1.0 - lr * weight_decay if decoupled else 1.0),
    )


def rmsprop_step(
    params: Sequence[Array],
    grads: Sequence[Array],
    square_avgs: Sequence[Array],
    momenta: Sequence[Array],
    grad_avgs: Sequence[Array],
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> None:
    if not params:
        return
    real = params[0].dtype.type
    # What is not used is not read; the gradients stand in to keep the table whole.
    addresses = table(
        params, grads, square_avgs, momenta if momentum != 0.0 else grads, grad_avgs if centered else grads
    )
    _rmsprop(
        _like(params[0]),
        addresses,
        _sizes(params),
        real(-1.0 if maximize else 1.0),
        real(lr),
        real(alpha),
        real(1.0 - alpha),
        real(eps),
        real(weight_decay),
        real(momentum),
        centered,
    )


def _like(param: Array) -> Array:
    """An empty 1-D array that tells the kernel the dtype."""
    return np.empty(0, param.dtype)


def _sizes(params: Sequence[Array]) -> Array:
    return np.array([param.size for param in params], np.int64)


@jit(inline=True)
def _first_tasks(sizes):  # type: ignore[no-untyped-def]
    """The number of each parameter's first task, and of all tasks at the end."""
    first = np.empty(sizes.size + 1, np.int64)
    first[0] = 0
    for position in range(sizes.size):
        first[position + 1] = first[position] + (sizes[position] + CHUNK - 1) // CHUNK
    return first


@jit(inline=True)
def _locate(first, task):  # type: ignore[no-untyped-def]
    """The parameter of a task, and the first element of its chunk."""
    low, high = 0, first.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if first[middle] <= task:
            low = middle
        else:
            high = middle
    return low, (task - first[low]) * CHUNK


@jit(inline=True)
def _chunk(like, addresses, position, start, size):  # type: ignore[no-untyped-def]
    """Elements ``start`` to ``start + CHUNK`` of the array at an address."""
    return carray(pointer(like, addresses[position]), (size,))[start : min(start + CHUNK, size)]


@jit(inline=True)
def _sgd_chunk(p, g, b, sign, lr, decay, momentum, keep, take, nesterov, first):  # type: ignore[no-untyped-def]
    for k in range(p.size):
        step = sign * g[k]
        if decay != 0.0:  # infinity times zero is no decay
            step += decay * p[k]
        if momentum != 0.0:
            buffer = take * step if first else keep * b[k] + take * step
            b[k] = buffer
            step = step + momentum * buffer if nesterov else buffer
        p[k] -= lr * step


@jit(inline=True)
def _sgd_task(task, tasks, like, table, sizes, sign, lr, decay, momentum, keep, take, nesterov, first):  # type: ignore[no-untyped-def]
    position, start = _locate(tasks, task)
    size = sizes[position]
    p, g = _chunk(like, table[0], position, start, size), _chunk(like, table[1], position, start, size)
    b = _chunk(like, table[2], position, start, size)
    _sgd_chunk(p, g, b, sign, lr, decay, momentum, keep, take, nesterov, first)


@jit
def _sgd(like, table, sizes, sign, lr, decay, momentum, keep, take, nesterov, first):  # type: ignore[no-untyped-def]
    tasks = _first_tasks(sizes)
    arguments = (tasks, like, table, sizes, sign, lr, decay, momentum, keep, take, nesterov, first)
    each(_sgd_task, arguments, tasks[-1], share(tasks[-1], sizes.sum()))


@jit(inline=True)
def _adam_chunk(p, g, m, v, sign, lr, take1, beta2, take2, correction, eps, decay, shrink):  # type: ignore[no-untyped-def]
    for k in range(p.size):
        param, grad = p[k] * shrink, sign * g[k]
        if decay != 0.0:
            grad += decay * param
        mean = m[k] + take1 * (grad - m[k])
        square = beta2 * v[k] + take2 * grad * grad
        m[k], v[k] = mean, square
        p[k] = param - lr * mean / (math.sqrt(square) * correction + eps)


@jit(inline=True)
def _adam_task(task, tasks, like, table, sizes, sign, lr, take1, beta2, take2, correction, eps, decay, shrink):  # type: ignore[no-untyped-def]
    position, start = _locate(tasks, task)
    size = sizes[position]
    p, g = _chunk(like, table[0], position, start, size), _chunk(like, table[1], position, start, size)
    m, v = _chunk(like, table[2], position, start, size), _chunk(like, table[3], position, start, size)
    for first in range(0, p.size, NEAR):
        last = min(first + NEAR, p.size)
        bring(p, last, NEAR, NEAR)
        bring(g, last, NEAR, NEAR)
        bring(m, last, NEAR, NEAR)
        bring(v, last, NEAR, NEAR)
        a, b, c, d = p[first:last], g[first:last], m[first:last], v[first:last]
        _adam_chunk(a, b, c, d, sign, lr, take1, beta2, take2, correction, eps, decay, shrink)


@jit
def _adam(like, table, sizes, sign, lr, take1, beta2, take2, correction, eps, decay, shrink):  # type: ignore[no-untyped-def]
    tasks = _first_tasks(sizes)
    arguments = (tasks, like, table, sizes, sign, lr, take1, beta2, take2, correction, eps, decay, shrink)
    each(_adam_task, arguments, tasks[-1], share(tasks[-1], sizes.sum()))


@jit(inline=True)
def _rmsprop_chunk(p, g, v, b, a, sign, lr, keep, take, eps, decay, momentum, centered):  # type: ignore[no-untyped-def]
    for k in range(p.size):
        grad = sign * g[k]
        if decay != 0.0:  # infinity times zero is no decay
            grad += decay * p[k]
        square = keep * v[k] + take * grad * grad
        v[k] = square
        if centered:
            mean = a[k] + take * (grad - a[k])
            a[k] = mean
            square -= mean * mean
        step = grad / (math.sqrt(square) + eps)
        if momentum != 0.0:
            step = momentum * b[k] + step
            b[k] = step
        p[k] -= lr * step


@jit(inline=True)
def _rmsprop_task(task, tasks, like, table, sizes, sign, lr, keep, take, eps, decay, momentum, centered):  # type: ignore[no-untyped-def]
    position, start = _locate(tasks, task)
    size = sizes[position]
    p, g = _chunk(like, table[0], position, start, size), _chunk(like, table[1], position, start, size)
    v, b = _chunk(like, table[2], position, start, size), _chunk(like, table[3], position, start, size)
    a = _chunk(like, table[4], position, start, size)
    _rmsprop_chunk(p, g, v, b, a, sign, lr, keep, take, eps, decay, momentum, centered)


@jit
def _rmsprop(like, table, sizes, sign, lr, keep, take, eps, decay, momentum, centered):  # type: ignore[no-untyped-def]
    tasks = _first_tasks(sizes)
    arguments = (tasks, like, table, sizes, sign, lr, keep, take, eps, decay, momentum, centered)
    each(_rmsprop_task, arguments, tasks[-1], share(tasks[-1], sizes.sum()))
