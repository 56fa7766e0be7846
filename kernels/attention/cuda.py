"""Launches of ``csrc/kernels/attention*.cu``: 16 bits of up to 128 features go to tensor cores, from sm_80 on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from ..cuda_gemm import architecture
from ..cuda_launch import BLOCK, WARP, blocks, contiguous, empty, flat_memory, launch, layout, size, written
from ..dtypes import accumulator, bool_, is_half
from .contract import default_scale

Array = Any

_TILE = {8: 32, 4: 64}  # rows of a tile, by the size of what is computed in
_WIDTHS = (32, 64, 128)  # features of a result that a block takes
_OWNED, _MMA_THREADS = 64, 128  # rows and threads of a block on tensor cores: attention_mma.cuh
_OPERANDS = 6  # kMaxOperands of attention.cuh
_ATTENTION = np.dtype([
    *((name, "i8") for name in ("batch", "queries", "keys", "features", "value_features")),
    ("row_stride", "i8", (_OPERANDS,)), ("column_stride", "i8", (_OPERANDS,)), ("scale", "f8"),
    ("kind", "i8"), ("causal", "i8"),
])  # fmt: skip


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
    batch = out[0].shape[:-2]
    name = "scaled_dot_product_attention"
    sizes, batches, (q, k, v, mask) = _problem(name, batch, query, key, value, attn_mask, is_causal, scale)
    with ExitStack() as stack:
        results = tuple(stack.enter_context(written(each)) for each in out)
        widest = max(query.shape[-1], value.shape[-1])
        if _on_tensor_cores(query, widest):
            tasks = blocks(size(batch) * -(-query.shape[-2] // _OWNED), 1)
            arguments = (sizes, batches, q, k, v, mask, *results)
            launch("attention_mma", f"forward_{_width(widest)}", query.dtype, tasks, _MMA_THREADS, *arguments)
            return
        tile, width = _TILE[accumulator(query.dtype).itemsize], _width(value.shape[-1])
        grid = (blocks(size(batch) * -(-query.shape[-2] // tile), 1), max(-(-value.shape[-1] // width), 1))
        launch("attention", f"forward_{width}", query.dtype, grid, BLOCK, sizes, batches, q, k, v, mask, *results)


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
    batch, dtype, wide = grad.shape[:-2], query.dtype, accumulator(query.dtype)
    name = "scaled_dot_product_attention_backward"
    sizes, batches, (q, k, v, mask, g, o) = _problem(
        name, batch, query, key, value, attn_mask, is_causal, scale, grad, output
    )
    log_sums, sums = contiguous(logsumexp), empty(logsumexp.shape, wide, like=logsumexp)
    if sums.size:
        launch(
            "attention_backward", "row_sums", dtype, blocks(sums.size, BLOCK // WARP), BLOCK, sizes, batches, g, o, sums
        )
    arguments = (sizes, batches, q, k, v, mask, g, log_sums, sums)
    features, value_features = query.shape[-1], value.shape[-1]
    widest = max(features, value_features)
    fast = _on_tensor_cores(query, widest)
    source, threads = ("attention_mma_backward", _MMA_THREADS) if fast else ("attention_backward", BLOCK)

    def run(name: str, rows: int, columns: int, *results: Array) -> None:
        width = _width(widest if fast else columns)
        tasks = blocks(size(batch) * -(-rows // (_OWNED if fast else _TILE[wide.itemsize])), 1)
        grid = (tasks, 1 if fast else -(-columns // width))
        launch(source, f"{name}_{width}", dtype, grid, threads, *arguments, *results)

    with ExitStack() as stack:
        by_query, *others = (stack.enter_context(written(each)) for each in out)
        if by_query.size:
            run("by_query", query.shape[-2], features, by_query)
        if any(each.size for each in others):
            run("by_key", key.shape[-2], widest, *others)


def _on_tensor_cores(query: Array, features: int) -> bool:
    return is_half(query.dtype) and features <= _WIDTHS[-1] and architecture(query) >= (8, 0)


def _width(features: int) -> int:
    return next((each for each in _WIDTHS if features <= each), _WIDTHS[-1])


def _problem(
    operation: str,
    batch: tuple[int, ...],
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    is_causal: bool,
    scale: float | None,
    *more: Array,
) -> tuple[Any, Any, list[Array | None]]:
    """Sizes, where each entry of the batch begins in each operand, and the operands' memory."""
    record = np.zeros((), _ATTENTION)
    record["batch"], record["queries"], record["features"] = size(batch), query.shape[-2], query.shape[-1]
    record["keys"], record["value_features"] = value.shape[-2:]
    record["scale"] = default_scale(query.shape[-1]) if scale is None else scale
    record["kind"] = 0 if mask is None else 1 if mask.dtype == bool_ else 2
    record["causal"] = is_causal
    memories: list[Array | None] = []
    starts, strides = [], []
    for number, each in enumerate((query, key, value, mask, *more)):
        if each is None:
            memories.append(None)
            starts.append(0)
            strides.append((0,) * len(batch))
            continue
        memory_of, start, steps = flat_memory(each)
        memories.append(memory_of)
        starts.append(start)
        # A mask may have fewer than two dimensions, and all are broadcast.
        shape = (*(1,) * (2 - each.ndim), *each.shape)
        steps = (*(0,) * (2 - each.ndim), *steps)
        steps = tuple(0 if n == 1 else step for n, step in zip(shape, steps, strict=True))
        record["row_stride"][number], record["column_stride"][number] = steps[-2:]
        strides.append(steps[:-2])
    return record[()], layout(operation, batch, starts, strides)[0], memories
