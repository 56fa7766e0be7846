"""Launches of ``csrc/kernels/recurrent.cu``."""

from __future__ import annotations

import contextlib
from typing import Any

from ..cuda_launch import BLOCK, contiguous, flat_grid, launch, written

Array = Any
_SOURCE = "recurrent"


def lstm_cell(projected: Array, product: Array, memory: Array, *, out: tuple[Array, Array, Array]) -> None:
    _launch("lstm_cell", (projected, product, memory), out, memory)


def lstm_cell_backward(
    grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array, *, out: tuple[Array, Array]
) -> None:
    _launch("lstm_cell_backward", (grad_hidden, grad_memory, gates, memory, following), out, memory)


def _launch(name: str, given: tuple[Array, ...], out: tuple[Array, ...], memory: Array) -> None:
    rows, size = memory.shape
    if not memory.size:
        return
    with contextlib.ExitStack() as stack:
        results = [stack.enter_context(written(each)) for each in out]
        arrays = [contiguous(each) for each in given]
        launch(_SOURCE, name, memory.dtype, flat_grid(memory.size), BLOCK, *arrays, *results, rows, size)
