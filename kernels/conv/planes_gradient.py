"""Gradient of a convolution for its weight with pixels in the lanes: depthwise, few channels of the result.

Each weight is a dot product of a plane of ``grad`` with a shifted plane of the input; eight taps are
summed side by side, so that each vector of ``grad`` is read once for all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..routine import Routine, call, clear, fields, span
from ..simd import VECTOR_BYTES, fetch, itemsize
from .plan import WINDOW_BYTES, Five, Geometry, Phases, Plan, plane_items, plane_offsets
from .planes import rows_follow
from .stencils import DOT_TAPS, SQUARE, tap_dots, tap_dots_3x3

PARTS = 8
"""Sums kept apart, at most: as many threads can work on one group."""

PART_BYTES = 16 << 20
"""Bytes that all these sums may take."""


class PlaneWork(NamedTuple):
    """``rows``: result rows of a block, ``blocks`` of them in a slice of an image; ``parts`` of all blocks.

    The groups are divided into ``slices``: planes of neighbouring groups are neighbours in memory.
    """

    rows: int
    blocks: int
    parts: int
    slices: int


def divide_planes(
    source: Five, strides: Five, grad: Five, grad_strides: Five, size: int, groups: int, phases: Phases
) -> tuple[Plan, Plan, PlaneWork]:
    """The windows of the source (N, C, D, H, W) and of the grad (N, K, O, P, Q), and the division."""
    images, channels, depth, height, width = source
    _, outs, out_depth, out_height, out_width = grad
    inner, outer = channels // groups, outs // groups
    reach_depth, reach, reach_columns = (high - low for high, low in zip(phases.high, phases.low, strict=True))
    columns = (out_width - 1) * phases.step[2] + reach_columns + 1
    line = inner * (reach_depth + 1) * columns * size * phases.step[1]
    rows = max(1, min(out_height, WINDOW_BYTES // line))
    blocks = -(-out_height // rows)
    rows = -(-out_height // blocks)
    blocks = -(-out_height // rows)
    window_rows = (rows - 1) * phases.step[1] + reach + 1
    plane = plane_items(rows, out_width, phases, size)
    windows = Geometry(
        images, groups, inner, outer, depth, height, width, *strides, *phases.step, 1, 1, 1, out_depth, out_height,
        out_width, *phases.low, 1, rows, reach_depth + 1, window_rows, columns, plane, inner * plane, 1,
    )  # fmt: skip
    lanes = VECTOR_BYTES // size
    padded = -(-out_width // lanes) * lanes
    grads = Geometry(
        images, groups, 1, outer, out_depth, out_height, out_width, *grad_strides, 1, 1, 1, 1, 1, 1, out_depth,
        out_height, out_width, 0, 0, 0, 1, rows, 1, rows, padded, rows * padded, rows * padded, 1,
    )  # fmt: skip
    terms = -(-phases.count * inner // DOT_TAPS) * DOT_TAPS
    parts = max(1, min(images * out_depth * blocks, PARTS, PART_BYTES // (outs * terms * VECTOR_BYTES)))
    work = PlaneWork(rows, blocks, parts, min(groups, -(-PARTS // parts)))
    return Plan.of(windows, plane_offsets(windows, phases, size, terms)), Plan.of(grads), work


class PlaneGradient(NamedTuple):
    """Arguments of `gradient` and `merge`.

    ``sums``: ``terms`` vectors for each channel of a group, for each group of each part; ``table``:
    `Plan.offsets`, as many, whole `DOT_TAPS`; each piece of the
    range of `gradient` has ``scratch_bytes`` of ``scratch``; ``windows`` and ``grads``: addresses of a
    `Geometry`; then `PlaneWork`.
    """

    copy: int
    copy_grad: int
    out: int
    sums: int
    terms: int
    table: int
    scratch: int
    scratch_bytes: int
    source: int
    grad: int
    tap_count: int
    piece: int
    windows: int
    grads: int
    rows: int
    blocks: int
    parts: int
    slices: int


@Routine
def gradient(kind: Any, arguments: int, start: int, stop: int) -> None:
    """The sums of tasks ``start...``, one part of the blocks for one slice of groups: (groups, outer, terms, lanes)."""
    h = fields(PlaneGradient, arguments)
    w, g = fields(Geometry, h.windows), fields(Geometry, h.grads)
    like = kind(0)
    size: int = itemsize(like)
    window = h.scratch + start // h.piece * h.scratch_bytes
    plane = window + w.window_items * size
    stride = (w.window_columns + w.step_columns - 1) // w.step_columns * w.step_columns
    row_bytes = w.step_rows * stride * size
    square = h.tap_count * w.inner == SQUARE and rows_follow(h.table, row_bytes)
    in_image = w.out_depth * h.blocks
    blocks = w.images * in_image
    near = max(w.inner * w.channel_stride, w.outer * g.channel_stride) <= 16384
    for task in range(start, stop):
        part, slice = task // h.slices, task % h.slices
        first, last = slice * w.groups // h.slices, (slice + 1) * w.groups // h.slices
        sums = h.sums + part * w.groups * w.outer * h.terms * VECTOR_BYTES
        clear(sums + first * w.outer * h.terms * VECTOR_BYTES, (last - first) * w.outer * h.terms * VECTOR_BYTES)
        for block in range(part * blocks // h.parts, (part + 1) * blocks // h.parts):
            image, depth, top = block // in_image, block // h.blocks % w.out_depth, block % h.blocks * h.rows
            rows = min(h.rows, w.out_height - top)
            front, row = depth * w.step_depth + w.low_depth, top * w.step_rows + w.low_row
            for group in range(first, last):
                source = h.source + image * w.image_stride + group * w.inner * w.channel_stride
                if near:  # the next group's planes come nearer
                    fetch(source + 2 * w.inner * w.channel_stride, w.inner * w.channel_stride)
                    fetch(
                        h.grad + image * g.image_stride + (group + 2) * w.outer * g.channel_stride,
                        w.outer * g.channel_stride,
                    )
                if w.step_columns == 1:
                    call(
                        kind, h.copy, window, source, front, row, w.low_column, w.window_rows, w.window_columns,
                        w.inner, h.windows,
                    )  # fmt: skip
                else:
                    call(kind, h.copy, window, source, front, row, stride, h.windows)
                for lane in range(w.outer):
                    channel = group * w.outer + lane
                    grad = h.grad + image * g.image_stride + channel * g.channel_stride
                    if g.column_stride == size and w.out_width == g.window_columns:  # whole vectors, where they lie
                        given, given_row = grad + depth * g.depth_stride + top * g.row_stride, g.row_stride
                    else:
                        call(kind, h.copy_grad, plane, grad, depth, top, 0, h.rows, g.window_columns, 1, h.grads)
                        given, given_row = plane, g.window_columns * size
                    for term in range(0, h.terms, DOT_TAPS):
                        table, place = h.table + term * 8, sums + (channel * h.terms + term) * VECTOR_BYTES
                        if square:
                            tap_dots_3x3(like, rows, w.out_width, given, given_row, window, row_bytes, table, place)
                        else:
                            tap_dots(like, rows, w.out_width, given, given_row, window, row_bytes, table, place)


@Routine
def merge(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Add parts and lanes up into the flat result (groups * outer, inner, taps), for channels ``start...``."""
    h = fields(PlaneGradient, arguments)
    w = fields(Geometry, h.windows)
    lanes = VECTOR_BYTES // itemsize(kind(0))
    out = span(kind, h.out, w.groups * w.outer * w.inner * h.tap_count)
    for channel in range(start, stop):
        for term in range(h.tap_count * w.inner):
            total = kind(0)
            for part in range(h.parts):
                place = (part * w.groups * w.outer + channel) * h.terms + term
                sums = span(kind, h.sums + place * VECTOR_BYTES, lanes)
                for i in range(lanes):
                    total += sums[i]
            out[(channel * w.inner + term % w.inner) * h.tap_count + term // w.inner] = total
