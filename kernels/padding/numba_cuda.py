"""Padding as Numba kernels: a thread has one element of the result, and in a gradient one dimension after the other."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..cuda_launch import bits, size
from ..cuda_memory import empty
from ..numba_launch import MAX_DIMS, Kernel, copy, cuda, device, flat, flat_grid, kernel, real_of, written

Array = Any

_CONSTANT, _REFLECT, _REPLICATE, _CIRCULAR = range(4)
_MODES = {"constant": _CONSTANT, "reflect": _REFLECT, "replicate": _REPLICATE, "circular": _CIRCULAR}


@device
def taken(mode: int, at: int, n: int, low: int, high: int) -> Any:
    """Which of ``n`` elements a place at ``at``, counted from the first of them, takes; -1 for none.

    What is left of the elements is from ``low`` to before ``high``.
    """
    if at >= 0 and at < n:
        return at
    if mode == _REFLECT:
        return -at if at < 0 else 2 * (n - 1) - at
    if mode == _REPLICATE:
        return 0 if at < 0 else n - 1
    if mode == _CIRCULAR:
        return at + high if at < 0 else at - n + low
    return -1


@kernel
def pad_elements(
    mode: int, sizes: Any, before: Any, after: Any, x: Array, pattern: int, out: Array, count: int
) -> None:
    for number in range(cuda.grid(1), count, cuda.gridsize(1)):
        rest, step, place = number, 1, 0
        for each in range(MAX_DIMS):
            d = MAX_DIMS - 1 - each
            n = sizes[d]
            padded = n + before[d] + after[d]
            low = -before[d] if before[d] < 0 else 0
            high = n + after[d] if after[d] < 0 else n
            at = taken(mode, rest % padded - before[d], n, low, high)
            rest //= padded
            if at < 0:
                place = -1
            if place >= 0:
                place += at * step
            step *= n
        if place < 0:
            out[number] = pattern
        else:
            out[number] = x[place]


@functools.cache
def _gather(real: Any) -> Kernel:
    @kernel
    def pad_gradient(
        mode: int, n: int, before: int, after: int, inner: int, grad: Array, out: Array, count: int
    ) -> None:
        padded = n + before + after
        low = -before if before < 0 else 0
        high = n + after if after < 0 else n
        for number in range(cuda.grid(1), count, cuda.gridsize(1)):
            at = number // inner % n
            line = number // (inner * n) * padded * inner + number % inner
            total = real(0)
            # What was padded in front, the element itself, and what was padded behind, as they stand.
            first, end = 0, 0
            if mode == _REPLICATE and at == 0:
                end = before
            elif mode == _REFLECT and at > 0:
                first, end = before - at, before - at + 1
            elif mode == _CIRCULAR and at < high:
                first, end = at - high + before, at - high + before + 1
            if first >= 0 and end <= before:
                for place in range(first, end):
                    total += real(grad[line + place * inner])
            if at >= low and at < high:
                total += real(grad[line + (at + before) * inner])
            first, end = 0, 0
            if mode == _REPLICATE and at == n - 1:
                first, end = n + before, padded
            elif mode == _REFLECT and at < n - 1:
                first = 2 * (n - 1) - at + before
                end = first + 1
            elif mode == _CIRCULAR and at >= low:
                first = at + n - low + before
                end = first + 1
            if end <= padded:
                for place in range(first, end):
                    total += real(grad[line + place * inner])
            out[number] = total

    return pad_gradient


def _amounts(pad: tuple[int, ...], ndim: int) -> list[tuple[int, int]]:
    """(before, after) of each dimension in order."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def pad(x: Array, *, pad: tuple[int, ...], mode: str = "constant", value: float = 0.0, out: Array) -> None:
    if out.size == 0:
        return
    amounts = _amounts(pad, x.ndim)
    outer = next((d for d, each in enumerate(amounts) if any(each)), x.ndim)  # dimensions before the first padded one
    if x.ndim - outer >= MAX_DIMS:
        raise ValueError(f"pad: {x.ndim - outer} dimensions from the first padded one, more than {MAX_DIMS - 1}")
    missing = MAX_DIMS - (x.ndim - outer)
    sizes = (*(1,) * (missing - 1), size(x.shape[:outer]), *x.shape[outer:])
    before, after = ((0,) * missing + tuple(each[side] for each in amounts[outer:]) for side in range(2))
    with np.errstate(over="ignore"):  # beyond the range of 16 bits lies infinity
        pattern = int.from_bytes(np.array(value, x.dtype).tobytes(), "little")
    with written(out) as result:
        pad_elements[flat_grid(out.size)](
            _MODES[mode], sizes, before, after, bits(flat(x)), pattern, bits(result), out.size
        )


def pad_backward(grad: Array, *, pad: tuple[int, ...], mode: str, input_shape: tuple[int, ...], out: Array) -> None:
    if out.size == 0:
        return
    amounts = _amounts(pad, out.ndim)
    padded = [d for d in range(out.ndim) if any(amounts[d])]
    if not padded:
        copy(grad, out)
        return
    real, folded, shape = real_of(out.dtype), flat(grad), list(grad.shape)
    with written(out) as result:
        for d in padded[::-1]:
            shape[d] = n = input_shape[d]
            target = result if d == padded[0] else empty((size(shape),), np.dtype(real), like=out)
            _gather(real)[flat_grid(target.size)](
                _MODES[mode], n, *amounts[d], size(shape[d + 1 :]), folded, target, target.size
            )
            folded = target
