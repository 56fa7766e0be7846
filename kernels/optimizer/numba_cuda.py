"""The optimizers' steps with Numba's CUDA target: a launch for each parameter, a thread for an element."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from ..numba_launch import Kernel, copy, cuda, flat, flat_grid, square_root
from ..numba_launch import real_of as _real_of
from .scalars import adam_numbers

Array = Any


@functools.cache
def _sgd(real: Any) -> Kernel:
    zero = real(0.0)

    def sgd_step(
        param: Array, grad: Array, buffer: Array, count: int, lr: Any, momentum: Any, kept: Any, decay: Any,
        nesterov: bool, maximize: bool, first: bool,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            p, g = real(param[i]), real(grad[i])
            if maximize:
                g = -g
            if decay != zero:
                g = g + decay * p
            if momentum != zero:
                b = g if first else momentum * real(buffer[i]) + kept * g
                buffer[i] = b
                g = g + momentum * b if nesterov else b
            param[i] = p - lr * g

    return Kernel(sgd_step)


@functools.cache
def _adam(real: Any) -> Kernel:
    zero = real(0.0)

    def adam_step(
        param: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array, count: int, rate: Any, rest1: Any, beta2: Any,
        rest2: Any, root: Any, eps: Any, decay: Any, kept: Any, maximize: bool,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            p, g, m, v = real(param[i]), real(grad[i]), real(exp_avg[i]), real(exp_avg_sq[i])
            if maximize:
                g = -g
            p = p * kept
            if decay != zero:
                g = g + decay * p
            m = m + rest1 * (g - m)
            v = beta2 * v + rest2 * g * g
            param[i] = p - rate * m / (square_root(v) / root + eps)
            exp_avg[i], exp_avg_sq[i] = m, v

    return Kernel(adam_step)


@functools.cache
def _rmsprop(real: Any) -> Kernel:
    zero = real(0.0)

    def rmsprop_step(
        param: Array, grad: Array, square_avg: Array, buffer: Array, grad_avg: Array, count: int, lr: Any, alpha: Any,
        rest: Any, eps: Any, decay: Any, momentum: Any, centered: bool, maximize: bool,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            p, g = real(param[i]), real(grad[i])
            if maximize:
                g = -g
            if decay != zero:
                g = g + decay * p
            v = alpha * real(square_avg[i]) + rest * g * g
            square_avg[i] = v
            if centered:
                a = real(grad_avg[i])
                a = a + rest * (g - a)
                grad_avg[i] = a
                v = v - a * a
            step = g / (square_root(v) + eps)
            if momentum != zero:
                step = momentum * real(buffer[i]) + step
                buffer[i] = step
            param[i] = p - lr * step

    return Kernel(rmsprop_step)


def _step(make: Any, lists: Sequence[Sequence[Array] | None], numbers: Sequence[float], *flags: bool) -> None:
    """Run the kernel on the arrays that stand in ``lists``, place by place; for a list of None, on the gradients."""
    for row in zip(*(lists[1] if each is None else each for each in lists), strict=True):
        if row[0].size == 0:
            continue
        real = _real_of(row[0].dtype)
        with ExitStack() as later:
            arrays = [flat(each) for each in row]
            for given, memory, held in zip(lists, arrays, row, strict=True):
                if given is not None and given is not lists[1] and not held.flags.c_contiguous:
                    later.callback(copy, memory.reshape(held.shape), held)
            make(real)[flat_grid(row[0].size)](*arrays, row[0].size, *map(real, numbers), *flags)


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
    lists = (params, grads, momenta if momentum != 0.0 else None)
    _step(_sgd, lists, (lr, momentum, 1.0 - dampening, weight_decay), bool(nesterov), bool(maximize), bool(first))


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
    numbers = adam_numbers(step, lr, beta1, beta2, eps, weight_decay, decoupled)
    _step(_adam, (params, grads, exp_avgs, exp_avg_sqs), numbers, bool(maximize))


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
    lists = (params, grads, square_avgs, momenta if momentum != 0.0 else None, grad_avgs if centered else None)
    numbers = (lr, alpha, 1.0 - alpha, eps, weight_decay, momentum)
    _step(_rmsprop, lists, numbers, bool(centered), bool(maximize))
