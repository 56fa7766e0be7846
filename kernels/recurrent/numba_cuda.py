"""The steps of recurrent layers with Numba's CUDA target: a thread has an element of the memory."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import Any

from ..activation.numba_scalars import logistic_of
from ..numba_launch import Kernel, cuda, flat, flat_grid, hyperbolic_tangent, written
from ..numba_launch import real_of as _real_of

Array = Any


@functools.cache
def _forward(real: Any) -> Kernel:
    logistic = logistic_of(real)

    def lstm_cell(
        projected: Array, product: Array, memory: Array, hidden: Array, following: Array, gates: Array, size: int,
        count: int,
    ) -> None:  # fmt: skip
        for at in range(cuda.grid(1), count, cuda.gridsize(1)):
            place = at // size * 4 * size + at % size
            i = logistic(real(projected[place]) + real(product[place]))
            place += size
            f = logistic(real(projected[place]) + real(product[place]))
            place += size
            g = hyperbolic_tangent(real(projected[place]) + real(product[place]))
            place += size
            o = logistic(real(projected[place]) + real(product[place]))
            c = f * real(memory[at]) + i * g
            following[at] = c
            hidden[at] = o * hyperbolic_tangent(c)
            gates[place - 3 * size], gates[place - 2 * size] = i, f
            gates[place - size], gates[place] = g, o

    return Kernel(lstm_cell)


@functools.cache
def _backward(real: Any) -> Kernel:
    one = real(1.0)

    def lstm_cell_backward(
        grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array, by_gates: Array,
        by_memory: Array, size: int, count: int,
    ) -> None:  # fmt: skip
        for at in range(cuda.grid(1), count, cuda.gridsize(1)):
            place = at // size * 4 * size + at % size
            i, f = real(gates[place]), real(gates[place + size])
            g, o = real(gates[place + 2 * size]), real(gates[place + 3 * size])
            t, by_h = hyperbolic_tangent(real(following[at])), real(grad_hidden[at])
            d = real(grad_memory[at]) + by_h * o * (one - t * t)
            by_gates[place] = d * g * i * (one - i)
            by_gates[place + size] = d * real(memory[at]) * f * (one - f)
            by_gates[place + 2 * size] = d * i * (one - g * g)
            by_gates[place + 3 * size] = by_h * t * o * (one - o)
            by_memory[at] = d * f

    return Kernel(lstm_cell_backward)


def lstm_cell(projected: Array, product: Array, memory: Array, *, out: tuple[Array, Array, Array]) -> None:
    _launch(_forward, (projected, product, memory), out, memory)


def lstm_cell_backward(
    grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array, *, out: tuple[Array, Array]
) -> None:
    _launch(_backward, (grad_hidden, grad_memory, gates, memory, following), out, memory)


def _launch(kernel: Any, arrays: tuple[Array, ...], out: tuple[Array, ...], memory: Array) -> None:
    count, size = memory.size, memory.shape[1]
    if not count:
        return
    with ExitStack() as stack:
        results = [stack.enter_context(written(each)) for each in out]
        kernel(_real_of(memory.dtype))[flat_grid(count)](*map(flat, arrays), *results, size, count)
