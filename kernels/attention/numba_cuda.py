"""Launches of the Numba kernels of scaled dot-product attention: operands of any strides are read where they lie."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from ..cuda_launch import size
from ..cuda_memory import empty
from ..dtypes import bool_
from ..numba_gemm import matrices
from ..numba_launch import flat, flat_grid, nothing, real_of, written
from . import numba_backward, numba_forward
from .contract import default_scale
from .numba_tiles import ADDED, KEPT, NO_MASK, ROWS, WIDTH

Array = Any


def _problem(
    operation: str, batch: tuple[int, ...], query: Array, key: Array, value: Array, mask: Array | None,
    is_causal: bool, *more: Array,
) -> tuple[tuple[Any, ...], list[Array]]:  # fmt: skip
    """Sizes, the batch's shape, places and steps of the operands; the operands' memory."""
    kind = NO_MASK if mask is None else KEPT if mask.dtype == bool_ else ADDED
    unused = nothing(query)
    shape, operands = matrices(operation, batch, query, key, value, unused if mask is None else mask, *more)
    sizes = (size(batch), query.shape[-2], *key.shape[-2:], value.shape[-1], int(is_causal), kind)
    _, places, steps = zip(*operands, strict=True)
    return (sizes, shape, places, steps), [memory_of if memory_of.size else unused for memory_of, _, _ in operands]


def _geometry(batches: int, rows: int, columns: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Blocks and threads for results of ``rows`` and ``columns`` each."""
    return (batches * -(-rows // ROWS), max(-(-columns // WIDTH), 1)), (ROWS, ROWS)


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    out: tuple[Array, Array],
) -> None:
    if out[1].size == 0:
        return
    batch, factor = out[0].shape[:-2], float(default_scale(query.shape[-1]) if scale is None else scale)
    name = "scaled_dot_product_attention"
    problem, memories = _problem(name, batch, query, key, value, attn_mask, is_causal)
    with ExitStack() as stack:
        results = [stack.enter_context(written(each)) for each in out]
        geometry = _geometry(size(batch), query.shape[-2], value.shape[-1])
        numba_forward.forward(real_of(query.dtype))[geometry](*problem, factor, *memories, *results)


def scaled_dot_product_attention_backward(
    grad: Array,
    query: Array,
    key: Array,
    value: Array,
    output: Array,
    logsumexp: Array,
    attn_mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    out: tuple[Array, Array, Array],
) -> None:
    if not any(each.size for each in out):
        return
    batch, factor = grad.shape[:-2], float(default_scale(query.shape[-1]) if scale is None else scale)
    real, batches = real_of(query.dtype), size(grad.shape[:-2])
    name = "scaled_dot_product_attention_backward"
    problem, (*memories, of_output) = _problem(
        name, batch, query, key, value, attn_mask, is_causal, grad, output
    )  # fmt: skip
    log_sums, row_sums = flat(logsumexp), empty((logsumexp.size,), np.dtype(real), like=logsumexp)
    if row_sums.size:
        numba_backward.row_sums(real)[flat_grid(row_sums.size)](
            *problem, memories[-1], of_output, row_sums, row_sums.size
        )
    features, value_features = query.shape[-1], value.shape[-1]
    with ExitStack() as stack:
        of_query, *others = (stack.enter_context(written(each)) for each in out)
        arguments = (*problem, factor, *memories, log_sums, row_sums)
        if of_query.size:
            numba_backward.by_query(real)[_geometry(batches, query.shape[-2], features)](*arguments, of_query)
        if any(each.size for each in others):
            geometry = _geometry(batches, key.shape[-2], max(features, value_features))
            numba_backward.by_key(real)[geometry](*arguments, *others)
