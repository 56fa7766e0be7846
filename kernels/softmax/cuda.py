"""Launches of ``csrc/kernels/softmax.cu``, on rows: other dimensions are brought to the end by a copy."""

from __future__ import annotations

from typing import Any

from .. import memory
from ..cuda_launch import BLOCK, blocks, contiguous, copy, launch

Array = Any

_WARP = 32
_SHORT = 512  # elements that a warp's registers hold: kItems of softmax.cu a lane


def _rows(name: str, arrays: tuple[Array, ...], dim: int, out: Array) -> None:
    if out.size == 0:
        return
    order = list(range(out.ndim))
    if order:
        order.append(order.pop(dim % out.ndim))
    inputs = [contiguous(x.transpose(*order)) for x in arrays]
    target = out.transpose(*order)
    result = target if target.flags.c_contiguous else memory.empty(target.shape, target.dtype)
    n = target.shape[-1] if target.ndim else 1
    rows = target.size // n
    kind, grid = ("short", blocks(rows, BLOCK // _WARP)) if n <= _SHORT else ("long", blocks(rows, 1))
    launch("softmax", f"{name}_{kind}", out.dtype, grid, BLOCK, *inputs, result, rows, n)
    if result is not target:
        copy(result, target)


def softmax(x: Array, *, dim: int, out: Array) -> None:
    _rows("softmax", (x,), dim, out)


def softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _rows("softmax_backward", (grad, y), dim, out)


def log_softmax(x: Array, *, dim: int, out: Array) -> None:
    _rows("log_softmax", (x,), dim, out)


def log_softmax_backward(grad: Array, y: Array, *, dim: int, out: Array) -> None:
    _rows("log_softmax_backward", (grad, y), dim, out)
