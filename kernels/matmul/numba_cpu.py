"""Matrix products on the CPU: which of the kernels computes which form."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .. import memory
from . import gemm, gemv
from .epilogue import CODES, finish

Array = np.ndarray[Any, Any]

PARALLEL = 1 << 19
"""Multiplications from which one product is worth more than one thread (measured on 2 cores)."""

_NO_BIAS = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


def matmul(a: Array, b: Array, *, out: Array) -> None:
    if not out.flags.c_contiguous:
        result = memory.empty(out.shape, out.dtype)
        matmul(a, b, out=result)
        out[...] = result
    elif a.ndim == 2 and b.ndim == 2:
        _product(a, b, out, _NO_BIAS[out.dtype], 0)
    elif a.ndim == 1:
        if b.ndim <= 2:
            _vector(b.T if b.ndim == 2 else b[None], a, out.reshape(-1))
        else:
            _batch(a[None], b, out)
    elif b.ndim == 1:
        if a.flags.c_contiguous:
            _vector(a.reshape(-1, a.shape[-1]) if a.size else a.reshape(out.size, 0), b, out.reshape(-1))
        else:
            _batch(a, b[:, None], out)
    elif b.ndim == 2 and a.flags.c_contiguous and a.size:
        _product(a.reshape(-1, a.shape[-1]), b, out, _NO_BIAS[out.dtype], 0)
    else:
        _batch(a, b, out)


def linear(x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None, out: Array) -> None:
    if not out.flags.c_contiguous:
        result = memory.empty(out.shape, out.dtype)
        linear(x, weight, bias, activation=activation, out=result)
        out[...] = result
        return
    rows = out.size // max(weight.shape[0], 1)
    shift = _NO_BIAS[out.dtype] if bias is None else np.ascontiguousarray(bias)
    _product(x if x.ndim == 2 else x.reshape(rows, weight.shape[1]), weight.T, out, shift, CODES[activation])


def _product(a: Array, b: Array, out: Array, bias: Array, activation: int) -> None:
    """``out = activation(a @ b + bias)`` of 2-D ``a`` and ``b`` into a contiguous ``out``."""
    m, k = a.shape
    n = b.shape[1]
    flat = out.reshape(-1)
    if m == 1 or n == 1:
        _vector(b.T if m == 1 else a, a[0] if m == 1 else b[:, 0], flat)
        if bias.size or activation:
            finish(flat, n, 0, m, 0, n, bias, activation)
        return
    at_a, at_b = gemm.addresses(a, b)
    (a_row, a_step), (b_row, b_column) = a.strides, b.strides
    if m * n * k < PARALLEL:
        workspace = memory.empty((gemm.serial_items(k, out.itemsize),), out.dtype)
        gemm.gemm_serial(flat, 0, workspace, m, n, k, at_a, a_row, a_step, at_b, b_row, b_column)
        if bias.size or activation:
            finish(flat, n, 0, m, 0, n, bias, activation)
    else:
        span, rows, columns, items = gemm.parallel_plan(m, n, k, a_step, out.itemsize, numba.get_num_threads())
        workspace = memory.empty((items,), out.dtype)
        gemm.gemm_parallel(
            flat, workspace, m, n, k, at_a, a_row, a_step, at_b, b_row, b_column, bias, activation, span, rows, columns
        )


def _vector(a: Array, x: Array, out: Array) -> None:
    """``out = a @ x`` of a 2-D ``a`` and a 1-D ``x``."""
    if not x.flags.c_contiguous:
        x = x.copy()
    if a.flags.c_contiguous:
        gemv.gemv_rows(a, x, out)
    elif a.flags.f_contiguous:
        gemv.gemv_columns(a.T, x, out)
    else:
        gemv.gemv_rows(a.copy(), x, out)


def _batch(a: Array, b: Array, out: Array) -> None:
    """Broadcast batches of products, ``a`` (..., M, K) and ``b`` (..., K, N), into a contiguous ``out``."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    if not out.size:
        return
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    bias = _NO_BIAS[out.dtype]
    count = out.size // (m * n)
    if (m * n * k >= PARALLEL and count < 2 * numba.get_num_threads()) or m * n * k >= 16 * PARALLEL:
        flat = out.reshape(count, m, n)
        wide_a = np.broadcast_to(a, (*batch, m, k))
        wide_b = np.broadcast_to(b, (*batch, k, n))
        for position, index in enumerate(np.ndindex(*batch)):
            _product(wide_a[index], wide_b[index], flat[position], bias, 0)
        return
    chunks = min(count, 4 * numba.get_num_threads()) if count * m * n * k >= PARALLEL // 4 else 1
    workspace = memory.empty((chunks * gemm.serial_items(k, out.itemsize),), out.dtype)
    gemm.gemm_batch(
        out.reshape(-1), workspace, chunks, m, n, k, a.ctypes.data, _offsets(a, batch), a.strides[-2], a.strides[-1],
        b.ctypes.data, _offsets(b, batch), b.strides[-2], b.strides[-1],
    )  # fmt: skip


def _offsets(array: Array, batch: tuple[int, ...]) -> Array:
    """Where each matrix of the broadcast batch begins, in bytes from the first."""
    offsets = np.zeros((), np.int64)
    leading = array.ndim - 2
    for dim, size in enumerate(batch):
        own = dim - len(batch) + leading
        stride = array.strides[own] if own >= 0 and array.shape[own] > 1 else 0
        offsets = offsets[..., None] + np.arange(size) * stride
    return offsets.reshape(-1)
