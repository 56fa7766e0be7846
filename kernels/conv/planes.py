"""Convolution with pixels in the lanes: depthwise, few channels, where a tile of channels would stay empty.

Eight rows of one vector of result pixels of one channel are computed side by side, walking over every
tap of every source channel. Source pixels come from a copy with a zero border, whose columns are
sorted by their remainder by the stride, so that the pixels of one tap are contiguous.
"""

from __future__ import annotations

from typing import Any

from numba import prange

from ..microkernel import STENCIL_ROWS, stencil
from ..simd import VECTOR_BYTES, load, simd_jit
from .correlate import copy_window
from .plan import Geometry

Array = Any


@simd_jit
def pack_rows(
    packed: Array,
    weight: int,
    group_stride: int,
    lane_stride: int,
    inner_stride: int,
    row_stride: int,
    column_stride: int,
    groups: int,
    inner: int,
    outer: int,
    taps: Array,
) -> None:
    """Copy the weight to ``packed``: (groups, outer, taps, inner)."""
    like = packed.dtype.type(0)
    position = 0
    for group in range(groups):
        for lane in range(outer):
            base = weight + group * group_stride + lane * lane_stride
            for tap in range(taps.shape[0]):
                start = base + taps[tap, 0] * row_stride + taps[tap, 1] * column_stride
                for c in range(inner):
                    packed[position] = load(like, start + c * inner_stride)
                    position += 1


@simd_jit
def row_items(columns: int, step: int) -> int:
    """Items of one row of the window: as many for each remainder by ``step``."""
    return (columns + step - 1) // step * step


@simd_jit
def tap_offsets(table: Array, taps: Array, geometry: Geometry, size: int) -> None:
    """Where each tap of each source channel lies in a window, in bytes, to ``table`` (taps, inner)."""
    g = geometry
    stride = row_items(g.window_columns, g.step_columns)
    for tap in range(taps.shape[0]):
        column = taps[tap, 3] - g.low_column
        place = (taps[tap, 2] - g.low_row) * stride
        place += column % g.step_columns * (stride // g.step_columns) + column // g.step_columns
        for c in range(g.inner):
            table[tap * g.inner + c] = (c * g.window_plane + place) * size


@simd_jit
def copy_sorted_window(window: Array, source: int, row: int, geometry: Geometry) -> None:
    """The window from source row ``row`` on; columns sorted by their remainder by the step."""
    if geometry.step_columns == 1:
        copy_window(
            window, source, row, geometry.low_column, geometry.window_rows, geometry.window_columns, geometry.inner,
            geometry,
        )  # fmt: skip
    else:
        _copy_sorted(window, source, row, geometry, row_items(geometry.window_columns, geometry.step_columns))


@simd_jit
def _copy_sorted(window: Array, source: int, row: int, geometry: Geometry, stride: int) -> None:
    """As `copy_window`, with column j at ``j % step * (stride // step) + j // step`` of rows of ``stride`` items."""
    g = geometry
    like = window.dtype.type(0)
    per_step = stride // g.step_columns
    for c in range(g.inner):
        for i in range(g.window_rows):
            line = window[c * g.window_plane + i * stride :][:stride]
            line[:] = 0
            if 0 <= row + i < g.height:
                start = source + c * g.channel_stride + (row + i) * g.row_stride
                for j in range(max(-g.low_column, 0), min(g.width - g.low_column, g.window_columns)):
                    place = j % g.step_columns * per_step + j // g.step_columns
                    line[place] = load(like, start + (g.low_column + j) * g.column_stride)


@simd_jit
def _rows(
    out: Array,
    edge: Array,
    base: int,
    row_stride: int,
    column_stride: int,
    rows: int,
    columns: int,
    taps: int,
    weight: int,
    offsets: int,
    source: int,
    source_row: int,
    bias: Any,
    floor: Any,
) -> None:
    """``rows`` x ``columns`` result pixels of one channel, at ``out[base + i*row_stride + j*column_stride]``."""
    like, size = out.dtype.type(0), out.itemsize
    vector = VECTOR_BYTES // size
    for i in range(0, rows, STENCIL_ROWS):
        for j in range(0, columns, vector):
            start = source + i * source_row + j * size
            first = base + i * row_stride + j * column_stride
            if i + STENCIL_ROWS <= rows and j + vector <= columns and column_stride == 1:
                target = out.ctypes.data + first * size
                stencil(like, taps, weight, offsets, start, source_row, target, row_stride * size, bias, floor)
                continue
            stencil(like, taps, weight, offsets, start, source_row, edge.ctypes.data, VECTOR_BYTES, bias, floor)
            for m in range(min(STENCIL_ROWS, rows - i)):
                for lane in range(min(vector, columns - j)):
                    out[first + m * row_stride + lane * column_stride] = edge[m * vector + lane]


@simd_jit
def _task(
    out: Array,
    scratch: Array,
    table: Array,
    packed: Array,
    bias: Array,
    floor: Any,
    source: int,
    image: int,
    group: int,
    row: int,
    taps: Array,
    phases: Array,
    geometry: Geometry,
) -> None:
    g = geometry
    size = out.itemsize
    vector = VECTOR_BYTES // size
    edge, window = scratch[: STENCIL_ROWS * vector], scratch[STENCIL_ROWS * vector :]
    stride = row_items(g.window_columns, g.step_columns)
    start = source + image * g.image_stride + group * g.inner * g.channel_stride
    top = row * g.step_rows + g.low_row
    copy_sorted_window(window, start, top, g)
    count = taps.shape[0]
    out_plane = g.out_height * g.out_width
    for phase in range(phases.shape[0]):
        first_h, first_w, begin, end = phases[phase]
        rows = min((g.out_height - first_h + g.spread_rows - 1) // g.spread_rows - row, g.task_rows)
        columns = (g.out_width - first_w + g.spread_columns - 1) // g.spread_columns
        corner = image * g.groups * g.outer * out_plane + (first_h + row * g.spread_rows) * g.out_width + first_w
        for lane in range(g.outer):
            channel = group * g.outer + lane
            base = corner + channel * out_plane
            _rows(
                out, edge, base, g.spread_rows * g.out_width, g.spread_columns, rows, columns,
                (end - begin) * g.inner, packed.ctypes.data + (channel * count + begin) * g.inner * size,
                table.ctypes.data + begin * g.inner * 8, window.ctypes.data, g.step_rows * stride * size,
                bias[channel], floor,
            )  # fmt: skip


@simd_jit(parallel=True)  # type: ignore[untyped-decorator]
def planes(
    out: Array,
    scratch: Array,
    tables: Array,
    packed: Array,
    bias: Array,
    floor: Any,
    source: int,
    taps: Array,
    phases: Array,
    geometry: Geometry,
) -> None:
    """All tasks, in as many chunks as ``scratch`` and ``tables`` have rows; arguments as `correlate`.

    ``packed`` is the weight as `pack_rows` leaves it, ``bias`` has one item for each channel.
    """
    g = geometry
    blocks = ((g.out_height + g.spread_rows - 1) // g.spread_rows + g.task_rows - 1) // g.task_rows
    tasks = g.images * g.groups * blocks
    chunks = scratch.shape[0]
    for chunk in prange(chunks):
        tap_offsets(tables[chunk], taps, g, out.itemsize)
        for task in range(chunk * tasks // chunks, (chunk + 1) * tasks // chunks):
            _task(
                out, scratch[chunk], tables[chunk], packed, bias, floor, source,
                task // blocks // g.groups, task // blocks % g.groups, task % blocks * g.task_rows, taps, phases, g,
            )  # fmt: skip
