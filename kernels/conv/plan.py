"""How a convolution, or the gradient of one for its input, becomes one and the same computation.

Both are a sum over taps and channels of a source volume: the forward pass reads ``x`` and steps by the
stride, the data gradient reads ``grad`` and writes with the stride. Result pixels ``h = phase + i *
spread`` with one remainder share their taps; a forward pass has one such phase, a data gradient one
for each triple of remainders by the stride. Tap offsets are in source pixels and may be negative or
beyond the edge: there the source is zero. Images are volumes of depth 1.
"""

from __future__ import annotations

import array
import functools
import math
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..routine import address, table
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES
from .stencils import STENCIL_ROWS

Array = np.ndarray[Any, Any]
Three = tuple[int, int, int]
Five = tuple[int, int, int, int, int]

STRIP = math.lcm(ROWS, VECTOR_BYTES // 4)
"""Result pixels computed before they are transposed and stored: whole tiles, whole vectors."""

WINDOW_BYTES = 512 * 1024
"""Largest copy of source pixels for one task: half of a second cache."""

FEW_CHANNELS = 4
"""Up to so many source channels become the last dimension of the window: longer inner loops."""

TASK_PIXELS = 4 * STRIP
"""Result pixels that make a task worth its tables; small images are computed several at once."""


@dataclass(frozen=True, eq=False)
class Phases:
    """``taps``: rows of `TAP` words, kernel position and offset; ``phases``: rows of `PHASE` words.

    A phase's row is its (d, h, w), its first tap and its last tap + 1. Taps of a phase go up by depth, row
    and column; ``run``: so many of them always follow each other in one row without a gap. ``low`` and
    ``high``: extreme offsets.
    """

    taps: array.array[int]
    phases: array.array[int]
    count: int
    run: int
    low: Three
    high: Three
    step: Three
    spread: Three


TAP = 6
PHASE = 5

_Found = list[tuple[Three, list[tuple[int, ...]]]]


def _phases(found: _Found, step: Three, spread: Three) -> Phases:
    found = [(phase, sorted(each, key=lambda tap: tap[3:])) for phase, each in found]
    taps = [tap for _, each in found for tap in each]
    rows, start, run = [], 0, 0
    for phase, each in found:
        rows.append((*phase, start, start + len(each)))
        start += len(each)
        length = 0
        for i, tap in enumerate(each):
            length += 1
            if i + 1 == len(each) or each[i + 1][3:] != (tap[3], tap[4], tap[5] + 1):
                run, length = math.gcd(run, length), 0
    offsets = list(zip(*taps, strict=True))[3:]
    low, high = tuple(map(min, offsets)), tuple(map(max, offsets))
    tables = [table(word for row in each for word in row) for each in (taps, rows)]
    return Phases(tables[0], tables[1], len(taps), run, low, high, step, spread)


@functools.lru_cache(maxsize=1024)
def forward_phases(kernel: Three, stride: Three, padding: Three, dilation: Three) -> Phases:
    """The taps of a convolution: one phase."""
    taps: list[tuple[int, ...]] = [
        (*at, *(n * d - p for n, d, p in zip(at, dilation, padding, strict=True)))
        for at in product(*(range(n) for n in kernel))
    ]
    return _phases([((0, 0, 0), taps)], stride, (1, 1, 1))


@functools.lru_cache(maxsize=1024)
def backward_phases(kernel: Three, stride: Three, padding: Three, dilation: Three) -> Phases:
    """The taps of its data gradient: from ``h = p * stride + r * dilation - padding`` follows p where it is whole."""
    found: _Found = []
    for phase in product(*(range(n) for n in stride)):
        taps = []
        for at in product(*(range(n) for n in kernel)):
            places = [f + p - n * d for f, p, n, d in zip(phase, padding, at, dilation, strict=True)]
            if not any(place % s for place, s in zip(places, stride, strict=True)):
                taps.append((*at, *(place // s for place, s in zip(places, stride, strict=True))))
        found.append((phase, taps))  # type: ignore[arg-type]
    return _phases(found, (1, 1, 1), stride)


class Geometry(NamedTuple):
    """The numbers that the kernels need, beside taps and phases.

    ``images``, ``groups``; ``inner``, ``outer``: channels of one group in the source and in the result;
    ``depth``, ``height``, ``width`` of the source; its strides in bytes; ``step``: source pixels from one
    result pixel of a phase to the next; ``spread``: result pixels between them; ``low``: extreme tap
    offsets. A task has ``task_images`` images and ``task_rows`` rows of each phase, at one depth.
    ``window``: the copy of the source pixels that a task needs from each image, ``window_plane`` items from
    channel to channel, or 0 to read the source itself; ``run``: taps that the inner loop takes in one go,
    more than 1 only where channels are the window's last dimension.
    """

    images: int
    groups: int
    inner: int
    outer: int
    depth: int
    height: int
    width: int
    image_stride: int
    channel_stride: int
    depth_stride: int
    row_stride: int
    column_stride: int
    step_depth: int
    step_rows: int
    step_columns: int
    spread_depth: int
    spread_rows: int
    spread_columns: int
    out_depth: int
    out_height: int
    out_width: int
    low_depth: int
    low_row: int
    low_column: int
    task_images: int
    task_rows: int
    window_depth: int
    window_rows: int
    window_columns: int
    window_plane: int
    window_items: int
    run: int

    @property
    def phase_columns(self) -> int:
        return -(-self.out_width // self.spread_columns)

    @property
    def row_blocks(self) -> int:
        """Tasks that the rows of one image at one depth take."""
        rows = -(-self.out_height // self.spread_rows)
        return -(-rows // self.task_rows)

    @property
    def tasks(self) -> int:
        depths = -(-self.out_depth // self.spread_depth)
        return -(-self.images // self.task_images) * self.groups * depths * self.row_blocks

    @property
    def task_pixels(self) -> int:
        """Result pixels of one phase of one task, rounded up to whole strips."""
        return -(-self.task_images * self.task_rows * self.phase_columns // STRIP) * STRIP


class Plan(NamedTuple):
    """A geometry, the same as a table, and the address of that.

    ``offsets``: where pixels are in the lanes, the place in a window of each tap of each source channel, in
    bytes, (taps, inner), and zeros behind.
    """

    geometry: Geometry
    table: array.array[int]
    at: int
    offsets: array.array[int]

    @classmethod
    def of(cls, geometry: Geometry, offsets: array.array[int] | None = None) -> Plan:
        made = table(geometry)
        return cls(geometry, made, address(made), table(()) if offsets is None else offsets)


def five(values: tuple[int, ...]) -> Five:
    """The shape of images with a depth of 1, the strides with one of 0, that of volumes as it is."""
    if len(values) == 5:
        return values
    n, c, h, w = values
    return n, c, 1, h, w


def correlation(
    source: Five, strides: Five, out: Five, size: int, groups: int, phases: Phases, threads: int, planes: bool
) -> Plan:
    """The geometry for a source (N, C, D, H, W) and a result (N, C', D', H', W'), none of them empty.

    ``planes``: for pixels in the lanes, which always want a window, of one image and whole planes.
    """
    images, channels, depth, height, width = source
    _, outs, out_depth, out_height, out_width = out
    inner = channels // groups
    depths, rows, columns = (-(-n // s) for n, s in zip(out[2:], phases.spread, strict=True))
    reach_depth, reach, reach_columns = (h - n for h, n in zip(phases.high, phases.low, strict=True))
    window_columns = (columns - 1) * phases.step[2] + reach_columns + 1

    def window_rows(count: int) -> int:
        return (count - 1) * phases.step[1] + reach + 1

    task_images, task_rows = 1, rows
    line = inner * (reach_depth + 1) * window_columns * size
    if window_rows(rows) * line > WINDOW_BYTES:
        fitting = (WINDOW_BYTES // line - reach - 1) // phases.step[1] + 1
        task_rows = min(rows, max(fitting, -(-STRIP // columns), 1))
    shortage = -(-threads // (images * groups * depths))
    if shortage > 1:
        task_rows = min(task_rows, -(-rows // shortage))
    if task_rows < rows:  # blocks of equal size
        task_rows = -(-rows // -(-rows // task_rows))
    elif not planes:
        wanted = -(-TASK_PIXELS // (rows * columns))
        task_images = max(1, min(wanted, images * groups * depths // threads, images))
    window_height, run = window_rows(task_rows), 1
    if planes:
        copy, plane = True, plane_items(task_rows, columns, phases, size)
        items = plane * inner
    elif inner <= FEW_CHANNELS:
        copy, plane, run = True, 1, phases.run
        items = (reach_depth + 1) * window_height * window_columns * inner
    else:
        inside = all(
            low >= 0 and (count - 1) * step + high < size
            for low, high, count, step, size in zip(
                phases.low, phases.high, (depths, rows, columns), phases.step, source[2:], strict=True
            )
        )
        # A plane of a multiple of 2 KiB would put a pixel of every channel into the same few cache sets.
        copy = not inside or strides[1] % 2048 == 0
        plane = odd_lines((reach_depth + 1) * window_height * window_columns, size)
        items = plane * inner
    window = (reach_depth + 1, window_height, window_columns, plane, items) if copy else (0, 0, 0, 0, 0)
    geometry = Geometry(
        images, groups, inner, outs // groups, depth, height, width, *strides, *phases.step, *phases.spread,
        out_depth, out_height, out_width, *phases.low, task_images, task_rows, *window, run,
    )  # fmt: skip
    return Plan.of(geometry, plane_offsets(geometry, phases, size, phases.count * inner) if planes else None)


def odd_lines(items: int, size: int) -> int:
    """``items`` rounded up to an odd number of cache lines, so that many such planes spread over the cache's sets."""
    return (-(-items * size // 64) | 1) * 64 // size


def plane_items(rows: int, columns: int, phases: Phases, size: int) -> int:
    """Items of one channel's window of ``rows`` x ``columns`` results where pixels are in the lanes.

    Whole vectors of whole stencils are read, which may pass the last row and the last column.
    """
    depth, reach, reach_columns = (high - low for high, low in zip(phases.high, phases.low, strict=True))
    whole = -(-rows // STENCIL_ROWS) * STENCIL_ROWS
    height = depth * ((rows - 1) * phases.step[1] + reach + 1) + (whole - 1) * phases.step[1] + reach + 1
    width = (columns - 1) * phases.step[2] + reach_columns + 1
    return height * row_items(width, phases.step[2]) + TILE_BYTES // size


def row_items(columns: int, step: int) -> int:
    """Items of one row of a window whose columns are sorted: as many for each remainder by ``step``."""
    return -(-columns // step) * step


def plane_offsets(geometry: Geometry, phases: Phases, size: int, items: int) -> array.array[int]:
    """``items`` of `Plan.offsets`."""
    g = geometry
    stride = row_items(g.window_columns, g.step_columns)
    taps = np.array(phases.taps).reshape(-1, TAP)[:, 3:] - phases.low
    places = (taps[:, 0] * g.window_rows + taps[:, 1]) * stride
    places += taps[:, 2] % g.step_columns * (stride // g.step_columns) + taps[:, 2] // g.step_columns
    channels = np.arange(g.inner) * g.window_plane
    found = ((places[:, None] + channels) * size).reshape(-1).tolist()
    return table(found + [0] * (items - len(found)))


def panels(outer: int, itemsize: int) -> int:
    """Tiles' widths that ``outer`` channels take."""
    return -(-outer * itemsize // TILE_BYTES)
