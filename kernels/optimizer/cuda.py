"""Launches of ``csrc/kernels/optimizer.cu``: one for up to `_TENSORS` parameters."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..cuda_launch import BLOCK, launch
from .scalars import adam_numbers

Array = Any

_TENSORS, _CHUNK = 64, 4096  # kTensors and kChunk of tensors.cuh


@functools.cache
def _table(arrays: int) -> np.dtype[Any]:
    """``Tensors`` of tensors.cuh."""
    fields: list[Any] = [("data", "u8", (_TENSORS, arrays)), ("size", "i8", (_TENSORS,))]
    return np.dtype([*fields, ("first", "i4", (_TENSORS + 1,)), ("count", "i4")])


def _step(name: str, lists: Sequence[Sequence[Array | None]], *attributes: Any) -> None:
    """Run the kernel on tensors whose arrays stand in ``lists``, place by place."""
    from pyneural.cuda import Struct

    rows = [row for row in zip(*lists, strict=True) if row[0].size]  # type: ignore[union-attr]
    for start in range(0, len(rows), _TENSORS):
        some = rows[start : start + _TENSORS]
        table: Any = np.zeros((), _table(len(lists)))
        sizes = [row[0].size for row in some]  # type: ignore[union-attr]
        firsts = [0]
        for size in sizes:
            firsts.append(firsts[-1] + -(-size // _CHUNK))
        table["size"][: len(some)], table["first"][: len(firsts)], table["count"] = sizes, firsts, len(some)
        places = {
            8 * (number * len(row) + place): array
            for number, row in enumerate(some)
            for place, array in enumerate(row)
            if array is not None
        }
        dtype = some[0][0].dtype  # type: ignore[union-attr]
        launch("optimizer", name, dtype, firsts[-1], BLOCK, Struct(table[()], places), *attributes)


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
    if momentum == 0.0:
        _step("sgd_step", (params, grads), lr, weight_decay, maximize)
    else:
        attributes = (lr, momentum, 1.0 - dampening, weight_decay, nesterov, maximize, first)
        _step("sgd_momentum_step", (params, grads, momenta), *attributes)


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
    _step("adam_step", (params, grads, exp_avgs, exp_avg_sqs), *numbers, maximize)


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
    nothing = [None] * len(params)
    lists = (params, grads, square_avgs, momenta if momentum != 0.0 else nothing, grad_avgs if centered else nothing)
    _step("rmsprop_step", lists, lr, alpha, 1.0 - alpha, eps, weight_decay, momentum, centered, maximize)
