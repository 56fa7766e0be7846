"""Convolutions of images (4-D) and volumes (5-D) on the CPU: which of the kernels computes which shape."""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from .. import memory
from ..parallel import run
from ..routine import address, data, table
from ..simd import ROWS, TILE_BYTES, VECTOR_BYTES
from . import planes, planes_gradient, windows, winograd, winograd_gradient
from . import weight_gradient as tiles_gradient
from .correlate import Correlation, Weight, pack_weight, scratch_items, store_strip, tile
from .correlate import correlate as correlate_tiles
from .plan import FEW_CHANNELS, Five, Phases, Plan, correlation, five
from .plan import panels as count_panels
from .winograd_transforms import PARTS

Array = np.ndarray[Any, Any]

_INT64 = np.dtype(np.int64)

FILLED = 0.75
"""Share of vectors' lanes that rows of result pixels must fill for pixels to be worth putting there."""


def _suits_planes(outer: int, size: int) -> bool:
    """Whether pixels rather than channels belong into the lanes: channels would leave half of a vector empty."""
    return 2 * outer * size <= VECTOR_BYTES


def _together(source: Five, out: Five, size: int, groups: int, phases: Phases) -> int:
    """Channels that are computed side by side where pixels belong into the lanes; 0 where channels do.

    Few source channels leave a tile of channels with too little to do before it is transposed; pixels need no such
    step, if rows of them are long enough to fill vectors.
    """
    inner, outer = source[1] // groups, out[1] // groups
    if _suits_planes(outer, size):
        return 1
    lanes, columns = VECTOR_BYTES // size, out[4]
    filled = columns / (-(-columns // lanes) * lanes)
    return ROWS if inner <= FEW_CHANNELS and phases.spread == (1, 1, 1) and filled >= FILLED else 0


def _padded(bias: Array | None, groups: int, outer: int, block: int, dtype: np.dtype[Any]) -> Array:
    """(groups, channels): the bias, or zeros, and zeros behind it up to whole blocks of channels."""
    padded = np.zeros((groups, -(-outer // block) * block), dtype)
    if bias is not None:
        padded[:, :outer] = bias.reshape(groups, outer)
    return padded


def correlate(
    source: Array,
    weight: Array,
    bias: Array | None,
    relu: bool,
    groups: int,
    phases: Phases,
    forward: bool,
    out: Array,
) -> None:
    """A convolution, or, not ``forward``, its data gradient, into ``out``."""
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        correlate(source, weight, bias, relu, groups, phases, forward, result)
        out[...] = result
        return
    if not out.size:
        return
    dtype = out.dtype
    size = dtype.itemsize
    threads = numba.get_num_threads()
    tiles = _tiles(five(source.shape), _strides(source), five(out.shape), size, groups, phases, threads)
    if tiles is not None and _in_winograd_tiles(source, weight, bias, relu, phases, forward, tiles, out):
        return
    plan = _plan(five(source.shape), _strides(source), five(out.shape), size, groups, phases, threads)
    geometry = plan.geometry
    inner, outer, tasks = geometry.inner, geometry.outer, geometry.tasks
    k, c, d, h, w = _strides(weight)
    strides = (k * outer, k, c, d, h, w) if forward else (k * inner, c, k, d, h, w)
    taps, together = address(phases.taps), _together(five(source.shape), five(out.shape), size, groups, phases)
    piece = -(-tasks // threads)
    pieces = -(-tasks // piece)
    if together:
        shift = _padded(bias, groups, outer, together, dtype)
        packed = memory.scratch((shift.size * phases.count * inner,), dtype)
        pack, items = planes.pack_rows[dtype], shift.size // together
        copy = windows.copy_window if geometry.step_columns == 1 else windows.copy_sorted
        routines = copy[dtype], (planes.rows if together == 1 else planes.strips)[dtype], 0
        main, scratch = planes.correlate[dtype], planes.EDGE_BYTES // size + geometry.window_items
        words, tables = 0, address(plan.offsets)
    else:
        width, panels = TILE_BYTES // size, count_panels(outer, size)
        shift = _padded(bias, groups, outer, width, dtype)
        packed = memory.scratch((groups * panels * phases.count * inner * width,), dtype)
        pack, items = pack_weight[dtype], groups * panels * phases.count
        routines = windows.copy_window[dtype], tile[dtype], store_strip[dtype]
        main, scratch = correlate_tiles[dtype], scratch_items(geometry, size)
        words = 2 * phases.count + 2 * geometry.task_pixels
        own = memory.scratch((pieces * words,), _INT64)
        tables = data(own)
    scratches = memory.scratch((pieces * scratch,), dtype)
    run(
        pack,
        Weight(data(packed), data(weight), *strides, inner, outer, taps, phases.count, together),
        items,
        -(-items // threads),
    )
    arguments = Correlation(
        *routines, data(out), data(scratches), scratch * size, tables, words, data(packed), data(shift), together,
        int(relu), data(source), taps, phases.count, address(phases.phases), len(phases.phases) // 5,
        geometry.row_blocks, piece, plan.at,
    )  # fmt: skip
    run(main, arguments, tasks, piece)


@functools.lru_cache(maxsize=1024)
def _tiles(
    source: Five, strides: Five, out: Five, size: int, groups: int, phases: Phases, threads: int
) -> winograd.Tiles | None:
    """How Winograd's tiles are divided, where a convolution is one for them."""
    if not winograd.suits(source, out, size, groups, phases):
        return None
    return winograd.divide(source, strides, out, phases, threads)


def _in_winograd_tiles(
    source: Array,
    weight: Array,
    bias: Array | None,
    relu: bool,
    phases: Phases,
    forward: bool,
    tiles: winograd.Tiles,
    out: Array,
) -> bool:
    """Whether all results are finite; if not, ``out`` is to be computed in another way."""
    dtype, size, threads = out.dtype, out.itemsize, numba.get_num_threads()
    width, inner, outer = TILE_BYTES // size, tiles.inner, tiles.outer
    panels = count_panels(outer, size)
    shift = np.zeros(panels * width, dtype)
    if bias is not None:
        shift[:outer] = bias
    k, c, _, h, w = _strides(weight)
    items = panels * inner
    share = -(-items // threads)
    packed = memory.scratch((panels * PARTS * tiles.weight_part // size,), dtype)
    squares = memory.scratch((-(-items // share) * 9 * VECTOR_BYTES // size,), dtype)
    lanes = (k, c) if forward else (c, k)
    filters = winograd.Filters(
        data(packed), data(weight), *lanes, h, w, inner, outer, tiles.weight_part, address(phases.taps), data(squares),
        share,
    )  # fmt: skip
    run(winograd.pack_filters[dtype], filters, items, share)
    piece = -(-tiles.tasks // threads)
    pieces = -(-tiles.tasks // piece)
    scratch, geometry = tiles.scratch_bytes, table(tiles)
    scratches = memory.scratch((pieces * scratch // size,), dtype)
    words = 1 + tiles.task_pixels
    tables = memory.scratch((pieces * words,), _INT64)
    arguments = winograd.Correlation(
        winograd.copy_pixels[dtype], winograd.transform_source[dtype], winograd.multiply[dtype],
        winograd.transform_sums[dtype], store_strip[dtype], data(out), data(scratches), scratch, data(tables),
        words, data(packed), data(shift), int(relu), data(source), piece, address(geometry),
    )  # fmt: skip
    run(winograd.correlate[dtype], arguments, tiles.tasks, piece)
    return not tables[::words].any()


@functools.lru_cache(maxsize=1024)
def _plan(source: Five, strides: Five, out: Five, size: int, groups: int, phases: Phases, threads: int) -> Plan:
    together = _together(source, out, size, groups, phases)
    return correlation(source, strides, out, size, groups, phases, threads, together > 0)


def _strides(x: Array) -> Five:
    if x.ndim == 5:
        return x.strides  # type: ignore[return-value]
    n, c, h, w = x.strides
    return n, c, 0, h, w


def weight_gradient(grad: Array, x: Array, groups: int, phases: Phases, out: Array) -> None:
    """The gradient of a convolution for its weight into ``out``."""
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        weight_gradient(grad, x, groups, phases, result)
        out[...] = result
    elif not out.size or not grad.size:
        out[...] = 0
    elif _gradient_in_winograd_tiles(grad, x, groups, phases, out):
        return
    elif _suits_planes(grad.shape[1] // groups, x.itemsize):
        _gradient_in_planes(grad, x, groups, phases, out)
    else:
        _gradient_in_tiles(grad, x, groups, phases, out)


def _gradient_in_winograd_tiles(grad: Array, x: Array, groups: int, phases: Phases, out: Array) -> bool:
    """Whether it is one for such tiles, and all of it is finite; if not, ``out`` is to be computed in another way."""
    dtype, size, threads = out.dtype, out.itemsize, numba.get_num_threads()
    work = _divide_winograd(five(x.shape), _strides(x), five(grad.shape), _strides(grad), size, groups, phases)
    if work is None:
        return False
    tasks, outer = work.parts * work.slices, work.grad.inner
    piece, share = -(-tasks // threads), -(-outer // threads)
    pieces = max(-(-tasks // piece), -(-outer // share))
    scratch = winograd_gradient.scratch_bytes(work)
    sums = memory.scratch((tasks * PARTS * work.sums // size,), dtype)
    scratches = memory.scratch((pieces * scratch // size,), dtype)
    source, grads = table(work.source), table(work.grad)
    arguments = winograd_gradient.Gradient(
        winograd.copy_pixels[dtype], winograd.transform_source[dtype], winograd_gradient.transform_grad[dtype],
        winograd_gradient.multiply[dtype], data(out), data(x), data(grad), data(sums), data(scratches), scratch, piece,
        address(phases.taps), work.source.inner, outer, work.source.tasks, work.parts, work.slices,
        work.slice_channels, work.line, work.sums, address(source), address(grads),
    )  # fmt: skip
    run(winograd_gradient.gradient[dtype], arguments, tasks, piece)
    run(winograd_gradient.merge[dtype], arguments._replace(piece=share), outer, share)
    return not scratches.view(_INT64)[: -(-outer // share) * scratch // 8 : scratch // 8].any()


@functools.lru_cache(maxsize=1024)
def _divide_winograd(
    x: Five, strides: Five, grad: Five, grad_strides: Five, size: int, groups: int, phases: Phases
) -> winograd_gradient.Work | None:
    """As `_tiles`."""
    if not winograd_gradient.suits_gradient(x, grad, size, groups, phases):
        return None
    return winograd_gradient.divide_gradient(x, strides, grad, grad_strides, phases)


def _gradient_in_tiles(grad: Array, x: Array, groups: int, phases: Phases, out: Array) -> None:
    dtype, size, threads = out.dtype, out.itemsize, numba.get_num_threads()
    plan, work = _divide(five(x.shape), _strides(x), five(grad.shape), size, groups, phases)
    geometry = plan.geometry
    sums_items, scratch = tiles_gradient.part_items(geometry, work, phases.count, size)
    tasks = work.parts * work.slices * groups
    piece = -(-tasks // threads)
    pieces = -(-tasks // piece)
    words = work.slice_channels * phases.count + ROWS + 2 * work.images * work.rows
    sums, scratches = memory.scratch((tasks * sums_items,), dtype), memory.scratch((pieces * scratch,), dtype)
    tables = memory.scratch((pieces * words,), _INT64)
    arguments = tiles_gradient.WeightGradient(
        windows.copy_window[dtype], tiles_gradient.transpose_grad[dtype], tile[dtype], data(out), data(sums),
        sums_items, data(scratches), scratch * size, data(tables), words, data(x), data(grad), *_strides(grad),
        address(phases.taps), phases.count, x.shape[1] // groups, piece, plan.at, *work,
    )  # fmt: skip
    run(tiles_gradient.gradient[dtype], arguments, tasks, piece)
    merges = work.slices * groups * count_panels(geometry.outer, size)
    run(tiles_gradient.merge[dtype], arguments, merges, -(-merges // (4 * threads)))


_divide = functools.lru_cache(maxsize=1024)(tiles_gradient.divide)


def _gradient_in_planes(grad: Array, x: Array, groups: int, phases: Phases, out: Array) -> None:
    dtype, size, threads = out.dtype, out.itemsize, numba.get_num_threads()
    source, grads, work = _divide_planes(
        five(x.shape), _strides(x), five(grad.shape), _strides(grad), size, groups, phases
    )
    geometry = source.geometry
    terms = len(source.offsets)
    tasks = work.parts * work.slices
    piece = -(-tasks // threads)
    scratch = geometry.window_items + grads.geometry.window_items
    sums = memory.scratch((work.parts * groups * geometry.outer * terms * VECTOR_BYTES // size,), dtype)
    scratches = memory.scratch((-(-tasks // piece) * scratch,), dtype)
    copy = windows.copy_window if geometry.step_columns == 1 else windows.copy_sorted
    arguments = planes_gradient.PlaneGradient(
        copy[dtype], windows.copy_window[dtype], data(out), data(sums), terms, address(source.offsets), data(scratches),
        scratch * size, data(x), data(grad), phases.count, piece, source.at, grads.at, *work,
    )  # fmt: skip
    run(planes_gradient.gradient[dtype], arguments, tasks, piece)
    channels = groups * geometry.outer
    run(planes_gradient.merge[dtype], arguments, channels, -(-channels // threads))


_divide_planes = functools.lru_cache(maxsize=1024)(planes_gradient.divide_planes)
