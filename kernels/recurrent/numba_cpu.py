"""The steps of recurrent layers with Numba: each one call, its arrays still in the cache from loop to loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import memory as pool
from . import loops

Array = np.ndarray[Any, Any]


def lstm_cell(projected: Array, product: Array, memory: Array, *, out: tuple[Array, Array, Array]) -> None:
    _run(loops.lstm_forward, (projected, product, memory), out)


def lstm_cell_backward(
    grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array, *, out: tuple[Array, Array]
) -> None:
    _run(loops.lstm_backward, (grad_hidden, grad_memory, gates, memory, following), out)


def _run(loop: Callable[..., None], given: tuple[Array, ...], out: tuple[Array, ...]) -> None:
    """``loop`` on contiguous arrays."""
    results = [each if each.flags.carray else pool.empty(each.shape, each.dtype) for each in out]
    loop(*[each if each.flags.carray else np.require(each, requirements=["C", "A", "W"]) for each in given], *results)
    for result, each in zip(results, out, strict=True):
        if result is not each:
            each[...] = result
