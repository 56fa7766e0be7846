"""Convolution on the CPU: which of the kernels computes which shape."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .. import memory
from ..microkernel import DOT_TAPS, STENCIL_ROWS
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES
from . import plan
from .contract import as_pair
from .correlate import correlate, pack_weight, scratch_items
from .planes import pack_rows, planes
from .planes_gradient import divide_planes, weight_gradient_planes
from .weight_gradient import divide, part_items, weight_gradient

Array = np.ndarray[Any, Any]

_INT64 = np.dtype(np.int64)


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
    out: Array,
) -> None:
    _, _, r, s = weight.shape
    phases = plan.forward_phases((r, s), as_pair(stride), as_pair(padding), as_pair(dilation))
    k, outer = weight.strides[0], weight.shape[0] // groups
    strides = (k * outer, k, weight.strides[1], weight.strides[2], weight.strides[3])
    _correlate(x, weight, strides, bias, 0.0 if activation == "relu" else -np.inf, groups, phases, out)


def conv2d_dgrad(
    grad: Array, weight: Array, *, input_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    k, _, r, s = weight.shape
    phases = plan.backward_phases((r, s), as_pair(stride), as_pair(padding), as_pair(dilation))
    inner = weight.strides[0]
    strides = (inner * (k // groups), weight.strides[1], inner, weight.strides[2], weight.strides[3])
    _correlate(grad, weight, strides, None, -np.inf, groups, phases, out)


def conv2d_wgrad(
    grad: Array, x: Array, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int, out: Array
) -> None:
    if not out.flags.c_contiguous:
        result = memory.empty(out.shape, out.dtype)
        conv2d_wgrad(
            grad, x, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, groups=groups,
            out=result,
        )  # fmt: skip
        out[...] = result
        return
    if not out.size or not grad.size:
        out[...] = 0
        return
    phases = plan.forward_phases(as_pair(kernel_size), as_pair(stride), as_pair(padding), as_pair(dilation))
    taps = len(phases.taps)
    if _suits_planes(grad.shape[1] // groups, x.itemsize):
        _wgrad_in_planes(grad, x, groups, phases, out)
        return
    geometry, work = divide(x, grad, groups, phases)
    sums, scratch = part_items(geometry, work, taps, x.itemsize)
    tasks = work.parts * work.slices * groups
    chunks = min(tasks, numba.get_num_threads())
    weight_gradient(
        out.reshape(-1),
        memory.empty((tasks, sums), x.dtype),
        memory.empty((chunks, scratch), x.dtype),
        memory.empty((chunks, work.slice_channels * taps + ROWS + 2 * work.images * work.rows), _INT64),
        x.ctypes.data,
        grad.ctypes.data,
        phases.taps,
        x.shape[1] // groups,
        geometry,
        work,
    )


def _wgrad_in_planes(grad: Array, x: Array, groups: int, phases: plan.Phases, out: Array) -> None:
    windows, grads, work = divide_planes(x, grad, groups, phases)
    terms = -(-len(phases.taps) * windows.inner // DOT_TAPS) * DOT_TAPS
    tasks = work.parts * groups
    scratch = windows.window_items + grads.window_items
    weight_gradient_planes(
        out.reshape(-1),
        memory.empty((tasks, windows.outer * terms * VECTOR_BYTES // x.itemsize), x.dtype),
        memory.empty((min(tasks, numba.get_num_threads()), scratch), x.dtype),
        memory.empty((terms,), _INT64),
        x.ctypes.data,
        grad.ctypes.data,
        phases.taps,
        windows,
        grads,
        work,
    )


def _correlate(
    source: Array,
    weight: Array,
    strides: tuple[int, int, int, int, int],
    bias: Array | None,
    floor: float,
    groups: int,
    phases: plan.Phases,
    out: Array,
) -> None:
    """``strides``: of the weight from group to group, lane to lane, inner channel, row, column."""
    if not out.flags.c_contiguous:
        result = memory.empty(out.shape, out.dtype)
        _correlate(source, weight, strides, bias, floor, groups, phases, result)
        out[...] = result
        return
    if not out.size:
        return
    dtype = out.dtype
    size = dtype.itemsize
    threads = numba.get_num_threads()
    inner, outer, taps = source.shape[1] // groups, out.shape[1] // groups, phases.taps
    in_planes = _suits_planes(outer, size)
    geometry = plan.geometry(source, out, groups, phases, threads, in_planes)
    chunks = min(geometry.tasks, threads)
    if in_planes:
        shift = np.zeros(groups * outer, dtype) if bias is None else np.ascontiguousarray(bias)
        packed = memory.empty((weight.size,), dtype)
        pack_rows(packed, weight.ctypes.data, *strides, groups, inner, outer, taps)
        kernel, scratch = planes, STENCIL_ROWS * VECTOR_BYTES // size + geometry.window_items
        table = inner * len(taps)
    else:
        width = TILE_BYTES // size
        panels = plan.panels(outer, size)
        padded = np.zeros((groups, panels * width), dtype)
        if bias is not None:
            padded[:, :outer] = bias.reshape(groups, outer)
        shift = padded.reshape(-1)
        packed = memory.empty((groups * panels * len(taps) * inner * width,), dtype)
        pack_weight(packed, weight.ctypes.data, *strides, groups, inner, outer, taps)
        kernel, scratch = correlate, scratch_items(geometry, size)
        table = 2 * len(taps) + 2 * geometry.task_pixels
    kernel(
        out.reshape(-1),
        memory.empty((chunks, scratch), dtype),
        memory.empty((chunks, table), _INT64),
        packed,
        shift,
        dtype.type(floor),
        source.ctypes.data,
        taps,
        phases.phases,
        geometry,
    )


def _suits_planes(outer: int, size: int) -> bool:
    """Whether pixels rather than channels belong into the lanes: channels would leave half of a vector empty."""
    return 2 * outer * size <= VECTOR_BYTES
