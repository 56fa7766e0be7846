"""Loops of losses around a scalar function: of each element, summed, and backward.

A sum is taken chunk by chunk and the chunks' sums in float64 and in order, so that the result does not
depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types

from ..elementwise.loops import CHUNK, EXACT, NATIVE, compiled, inlined, piece, written_out
from ..entry import KIND, Entries, elements, handle, size
from ..jit import jit
from ..parallel import spread
from ..vector import absolute, log1p_of_exp_minus, maximum, scalar, select

Array = Any
Scalar = Callable[..., Any]

PIECE = 4
"""Chunks a thread takes at a time."""


@scalar
def sign(kind: Any, pick: Any) -> Any:
    """-1, 0 or 1; 0 for NaN."""
    zero, one = kind(0), kind(1)

    def function(x: Any) -> Any:
        return select(x > zero, one, zero) - select(x < zero, one, zero)

    return function


def _logistic_loss(x, t, p):  # type: ignore[no-untyped-def]
    one = type(x)(1)
    return (one - t) * x + (t * p + (one - t)) * (log1p_of_exp_minus(absolute(x)) + maximum(-x, type(x)(0)))


logistic_loss = inlined(_logistic_loss, "logistic_loss")
"""``-p t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x))``, accurate for every logit."""


def _signature(numbers: int, arrays: int) -> Callable[[Any], Any]:
    """By dtype: the kind of an array, numbers as float64, and arrays of the dtype."""

    def signature(dtype: np.dtype[Any]) -> Any:
        known = dtype in NATIVE and dtype.kind == "f"
        return (KIND, *[types.float64] * numbers, *[handle(dtype)] * arrays) if known else None

    return signature


@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def _total(sums: Any, arguments: Any, count: int, partial: Array) -> float:
    """The sum of ``partial``, which ``sums(arguments, first, last)`` fills, an element for each chunk of ``count``."""
    chunks = partial.size
    spread(sums, arguments, chunks, PIECE)
    total = 0.0
    for i in range(chunks):
        total += partial[i]
    return total


def loss_entries(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, p, x, target, out)``: ``out[i] = f(x[i], target[i], p)``."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        p, x, target, out = arguments
        x, target, out = x[start:stop], target[start:stop], out[start:stop]
        p = x.dtype.type(p)
        for i in range(out.size):
            out[i] = f(x[i], target[i], p)

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, p: Any, x: Any, target: Any, out: Any) -> bool:
        n = size(kind, out, True)
        if n < 0 or size(kind, x, False) != n or size(kind, target, False) != n:
            return False
        spread(span, (p, elements(x, n), elements(target, n), elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(1, 3), **EXACT)


def sum_entries(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, p, divisor, x, target, out)``: ``out`` gets the sum of ``f`` over ``divisor``."""
    f = inlined(f, f"{name}_scalar")

    def sums(arguments: Any, first: int, last: int) -> None:
        p, x, target, partial = arguments
        p = x.dtype.type(p)
        for c in range(first, last):
            u, v = x[c * CHUNK : (c + 1) * CHUNK], target[c * CHUNK : (c + 1) * CHUNK]
            total = x.dtype.type(0)
            for i in range(u.size):
                total += f(u[i], v[i], p)
            partial[c] = total

    sums = jit(sums, name=f"{name}_chunks", inline=True)  # with the flags that let a sum be reordered

    def kernel(kind: Any, p: Any, divisor: Any, x: Any, target: Any, out: Any) -> bool:
        n = size(kind, x, False)
        if n < 0 or size(kind, target, False) != n or size(kind, out, True) != 1:
            return False
        partial = np.empty((n + CHUNK - 1) // CHUNK)
        total = _total(sums, (p, elements(x, n), elements(target, n), partial), n, partial)
        elements(out, 1)[0] = total / divisor
        return True

    return Entries(kernel, name, _signature(2, 3), **EXACT)


def backward_entries(name: str, slope: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, p, divisor, grad, x, target, out)``: ``grad / divisor * slope(x, target, p)``.

    ``grad`` is a single element or one for each.
    """
    slope = inlined(slope, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        p, divisor, grad, x, target, out = arguments
        x, target, out = x[start:stop], target[start:stop], out[start:stop]
        p = x.dtype.type(p)
        if grad.size == 1:
            g = x.dtype.type(grad[0] / divisor)
            for i in range(out.size):
                out[i] = g * slope(x[i], target[i], p)
        else:
            grad = grad[start:stop]
            for i in range(out.size):
                out[i] = grad[i] * slope(x[i], target[i], p)

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, p: Any, divisor: Any, grad: Any, x: Any, target: Any, out: Any) -> bool:
        n, ng = size(kind, out, True), size(kind, grad, False)
        if n < 0 or size(kind, x, False) != n or size(kind, target, False) != n or (ng != n and ng != 1):
            return False
        spread(
            span, (p, divisor, elements(grad, ng), elements(x, n), elements(target, n), elements(out, n)), n, piece(n)
        )
        return True

    return Entries(kernel, name, _signature(2, 4), **EXACT)


@jit(inline=True)  # type: ignore[untyped-decorator]
def _stretch(w: Array, p: Array, at: int, most: int) -> Any:
    """How many elements from ``at`` on, up to ``most``, there are before ``w`` or ``p`` begins anew; their places."""
    i, j = at % w.size, at % p.size
    return min(most, w.size - i, p.size - j), i, j


def weighted_loss(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, x, target, w, p, out)``: ``out[i] = w[i] * f(x[i], target[i], p[i])``.

    The elements of ``w`` and ``p`` are repeated over those of ``x``.
    """
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        x, target, w, p, out = arguments
        while start < stop:
            n, i, j = _stretch(w, p, start, stop - start)
            a, b, to = x[start : start + n], target[start : start + n], out[start : start + n]
            u, v = w[i : i + n], p[j : j + n]
            for k in range(n):
                to[k] = u[k] * f(a[k], b[k], v[k])
            start += n

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, x: Any, target: Any, w: Any, p: Any, out: Any) -> bool:
        n, nw, np_ = size(kind, out, True), size(kind, w, False), size(kind, p, False)
        if n < 0 or size(kind, x, False) != n or size(kind, target, False) != n or nw < 0 or np_ < 0:
            return False
        if n > 0:
            weights, positive = written_out(elements(w, nw), n), written_out(elements(p, np_), n)
            spread(span, (elements(x, n), elements(target, n), weights, positive, elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(0, 5), **EXACT)


def weighted_sum(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, divisor, x, target, w, p, out)``: the sum of `weighted_loss` over ``divisor``."""
    f = inlined(f, f"{name}_scalar")

    def sums(arguments: Any, first: int, last: int) -> None:
        x, target, w, p, partial = arguments
        for c in range(first, last):
            start, stop = c * CHUNK, min((c + 1) * CHUNK, x.size)
            total = x.dtype.type(0)
            while start < stop:
                n, i, j = _stretch(w, p, start, stop - start)
                a, b, u, v = x[start : start + n], target[start : start + n], w[i : i + n], p[j : j + n]
                for k in range(n):
                    total += u[k] * f(a[k], b[k], v[k])
                start += n
            partial[c] = total

    sums = jit(sums, name=f"{name}_chunks", inline=True)

    def kernel(kind: Any, divisor: Any, x: Any, target: Any, w: Any, p: Any, out: Any) -> bool:
        n, nw, np_ = size(kind, x, False), size(kind, w, False), size(kind, p, False)
        if n < 0 or size(kind, target, False) != n or nw < 0 or np_ < 0 or size(kind, out, True) != 1:
            return False
        total = 0.0
        if n > 0:
            partial = np.empty((n + CHUNK - 1) // CHUNK)
            weights, positive = written_out(elements(w, nw), n), written_out(elements(p, np_), n)
            total = _total(sums, (elements(x, n), elements(target, n), weights, positive, partial), n, partial)
        elements(out, 1)[0] = total / divisor
        return True

    return Entries(kernel, name, _signature(1, 5), **EXACT)


def weighted_backward(name: str, slope: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, divisor, grad, x, target, w, p, out)``.

    ``out`` gets ``grad / divisor * w * slope(x, target, p)``; ``grad`` is a single element or one for each,
    ``w`` and ``p`` are as for `weighted_loss`.
    """
    slope = inlined(slope, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        divisor, grad, x, target, w, p, out = arguments
        while start < stop:
            n, i, j = _stretch(w, p, start, stop - start)
            a, b, to = x[start : start + n], target[start : start + n], out[start : start + n]
            u, v = w[i : i + n], p[j : j + n]
            if grad.size == 1:
                g = x.dtype.type(grad[0] / divisor)
                for k in range(n):
                    to[k] = g * u[k] * slope(a[k], b[k], v[k])
            else:
                each = grad[start : start + n]
                for k in range(n):
                    to[k] = each[k] * u[k] * slope(a[k], b[k], v[k])
            start += n

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, divisor: Any, grad: Any, x: Any, target: Any, w: Any, p: Any, out: Any) -> bool:
        n, ng, nw, np_ = size(kind, out, True), size(kind, grad, False), size(kind, w, False), size(kind, p, False)
        if n < 0 or size(kind, x, False) != n or size(kind, target, False) != n:
            return False
        if nw < 0 or np_ < 0 or (ng != n and ng != 1):
            return False
        if n > 0:
            weights, positive = written_out(elements(w, nw), n), written_out(elements(p, np_), n)
            arguments = (
                divisor, elements(grad, ng), elements(x, n), elements(target, n), weights, positive, elements(out, n),
            )  # fmt: skip
            spread(span, arguments, n, piece(n))
        return True

    return Entries(kernel, name, _signature(1, 6), **EXACT)
