"""What `linear` does to a block of its result while the block is still in the cache: bias, activation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import vector
from ..activation.numba_cpu import gelu_tanh
from ..jit import jit
from ..routine import Routine, call, fields, span
from ..simd import itemsize
from .contract import ACTIVATIONS

Array = Any

CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
"""The number by which a kernel knows an activation."""

RELU, _GELU, _GELU_TANH, _SILU, _SIGMOID, _TANH = (CODES[name] for name in ACTIVATIONS[1:])


def routine(activation: int) -> Routine:
    """The one that finishes a block: with this activation, and a bias if there is one."""
    return finish if activation > RELU else finish_plain


@jit(inline=True)  # type: ignore[untyped-decorator]
def _row(row: Array, activation: int) -> None:
    if activation == _GELU:
        for j in range(row.size):
            row[j] = row[j] * vector.normal_cdf(row[j])
    elif activation == _GELU_TANH:
        for j in range(row.size):
            row[j] = gelu_tanh(row[j])
    elif activation == _SILU:
        for j in range(row.size):
            row[j] = row[j] * vector.sigmoid(row[j])
    elif activation == _SIGMOID:
        for j in range(row.size):
            row[j] = vector.sigmoid(row[j])
    elif activation == _TANH:
        for j in range(row.size):
            row[j] = vector.tanh(row[j])


@Routine
def finish_plain(kind: Any, out: int, stride: int, rows: int, columns: int, bias: int, activation: int) -> None:
    """`finish` for no activation and for relu: it compiles in a fraction of the time."""
    low = kind(0) if activation == RELU else kind(-np.inf)
    for i in range(rows):
        row = span(kind, out + i * stride, columns)
        if bias:
            shift = span(kind, bias, columns)
            for j in range(columns):
                row[j] = vector.maximum(row[j] + shift[j], low)
        else:
            for j in range(columns):
                row[j] = vector.maximum(row[j], low)


@Routine
def finish(kind: Any, out: int, stride: int, rows: int, columns: int, bias: int, activation: int) -> None:
    """Add ``bias`` (0: none), an item for each column, to a block at ``out`` and apply the activation in place."""
    for i in range(rows):
        row = span(kind, out + i * stride, columns)
        if bias:
            shift = span(kind, bias, columns)
            for j in range(columns):
                row[j] += shift[j]
        _row(row, activation)


class Rows(NamedTuple):
    """Arguments of `finish_rows`; ``finish`` is one of the routines above."""

    finish: int
    out: int
    columns: int
    bias: int
    activation: int


@Routine
def finish_rows(kind: Any, arguments: int, start: int, stop: int) -> None:
    """`finish` for rows ``start...`` of a contiguous result."""
    g = fields(Rows, arguments)
    stride = g.columns * itemsize(kind(0))
    call(kind, g.finish, g.out + start * stride, stride, stop - start, g.columns, g.bias, g.activation)
