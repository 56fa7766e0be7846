"""Matrix products on the CPU: which of the kernels computes which form."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from .. import memory, tuning
from ..jit import SERIAL
from ..parallel import Task, prepared_by, repeated, run
from ..routine import data
from ..simd import LINE, ROWS, TILE_BYTES
from . import epilogue, gemm, gemv, small

Array = np.ndarray[Any, Any]
ndarray = np.ndarray
SHARED = 1 << 19
"""Multiplications from which threads share a product that was laid out before, or one of few (measured on 2 cores)."""

Empty = Callable[[tuple[int, ...], np.dtype[Any]], Array]


def _prepare_matmul(a: Array, b: Array, *, empty: Empty, out: Array) -> Callable[[], None] | None:
    return _prepared(a, b, None, 0, empty, out)


def _prepare_linear(
    x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None, empty: Empty, out: Array
) -> Callable[[], None] | None:
    return _prepared(x, weight.T, bias, epilogue.CODES[activation], empty, out)


def _prepared(
    a: Array, b: Array, bias: Array | None, activation: int, empty: Empty, out: Array
) -> Callable[[], None] | None:
    """What repeats a product on several threads, of arrays that it reads where they lie."""
    known = all(each.flags.c_contiguous for each in (out, *(() if bias is None else (bias,))))
    if not known or b.ndim != 2 or a.ndim < 2 or not (a.ndim == 2 or a.flags.c_contiguous) or not out.size:
        return None
    flat = a.reshape(-1, a.shape[-1]) if a.ndim > 2 else a
    if 1 in (flat.shape[0], b.shape[1]) or flat.size * b.shape[1] < SHARED:
        return None
    workspace, tasks = _tasks(flat, b, out, *_finish(bias, activation, out.dtype), activation, empty)
    return repeated(tasks, workspace, a, b, bias, out)


@prepared_by(_prepare_matmul)
def matmul(a: Array, b: Array, *, out: Array) -> None:
    dtype = out.dtype
    if small.product[dtype](ndarray, small.routines[dtype], 0, 0, 0, 0, a, b, out, out):
        return
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        matmul(a, b, out=result)
        out[...] = result
    elif a.ndim == 2 and b.ndim == 2:
        _product(a, b, out)
    elif a.ndim == 1:
        if b.ndim <= 2:
            _vector(b.T if b.ndim == 2 else b[None], a, out)
        else:
            _batch(a[None], b, out)
    elif b.ndim == 1:
        if a.flags.c_contiguous:
            _vector(a.reshape(-1, a.shape[-1]) if a.size else a.reshape(out.size, 0), b, out)
        else:
            _batch(a, b[:, None], out)
    elif b.ndim == 2 and a.flags.c_contiguous and a.size:
        _product(a.reshape(-1, a.shape[-1]), b, out)
    else:
        _batch(a, b, out)


@prepared_by(_prepare_linear)
def linear(x: Array, weight: Array, bias: Array | None = None, *, activation: str | None = None, out: Array) -> None:
    dtype, code = out.dtype, epilogue.CODES[activation]
    routine = 0 if bias is None and not code else epilogue.routine(code)[dtype]
    biased, held = (0, out) if bias is None else (1, bias)
    if small.product[dtype](ndarray, small.routines[dtype], 1, routine, code, biased, x, weight, held, out):
        return
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        linear(x, weight, bias, activation=activation, out=result)
        out[...] = result
        return
    rows = out.size // max(weight.shape[0], 1)
    shift = None if bias is None else np.ascontiguousarray(bias)
    flat = x if x.ndim == 2 else x.reshape(rows, weight.shape[1])
    _product(flat, weight.T, out, shift, code)


def _finish(bias: Array | None, activation: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The routine that finishes a block of the result, or 0, and the address of the bias, or 0."""
    if bias is None and not activation:
        return 0, 0
    return epilogue.routine(activation)[dtype], 0 if bias is None else data(bias)


@functools.cache
def _routines(dtype: np.dtype[Any]) -> tuple[int, int, int, int]:
    return gemm.pack_b[dtype], gemm.pack_a[dtype], gemm.pack_steps[dtype], gemm.tile[dtype]


def _product(a: Array, b: Array, out: Array, bias: Array | None = None, activation: int = 0) -> None:
    """``out = activation(a @ b + bias)`` of 2-D ``a`` and ``b`` into a contiguous ``out``."""
    m, k = a.shape
    n = b.shape[1]
    dtype = out.dtype
    finish, shift = _finish(bias, activation, dtype)
    if not out.size:
        return
    if m == 1 or n == 1:
        _vector(b.T if m == 1 else a, a[0] if m == 1 else b[:, 0], out)
        if finish:
            rows = epilogue.Rows(finish, data(out), n, shift, activation)
            run(epilogue.finish_rows[dtype], rows, m, m)
        return
    if m * n * k <= small.MOST:
        # Plain arrays, which the entry takes: others it may have refused.
        a, b, out, held = (each.view(ndarray) for each in (a, b, out, out if bias is None else bias))
        biased = int(bias is not None)
        done = small.product[dtype](ndarray, small.routines[dtype], 0, finish, activation, biased, a, b, held, out)
        assert done, f"a product of {a.shape} and {b.shape} was refused"
        return
    _workspace, tasks = _tasks(a, b, out, finish, shift, activation, memory.scratch)  # which lives until they are done
    for each in tasks:
        run(*each)


class _Layout(NamedTuple):
    """What of a product on several threads depends on its sizes alone: fields of `gemm.Product` and of the workspace.

    Attributes:
        items: of the workspace, and in bytes where its parts begin.
        blocks: tasks of the result; ``copies`` are panels and strips that are copied before, ``piece`` at a time.
    """

    items: int
    edges: int
    sums: int
    own_a: int
    packed_a: int
    packed_b: int
    span: int
    depth: int
    held: int
    own: bool
    whole: int
    direct: int
    loose: int
    once: int
    grid_rows: int
    grid_columns: int
    tall: int
    blocks: int
    copies: int
    piece: int


@functools.lru_cache(maxsize=1024)
def _layout(
    m: int,
    n: int,
    k: int,
    a_row: int,
    a_step: int,
    b_column: int,
    size: int,
    splits: bool,
    threads: int,
    block: tuning.Blocking,
) -> _Layout:
    span, grid_rows, grid_columns, tall, panels, copied = gemm.parallel_plan(m, n, k, a_step, size, threads, block)
    width = TILE_BYTES // size
    blocks = grid_rows * grid_columns
    direct = m <= gemm.THIN and b_column == size
    # A panel for one task only is copied by that task, into its cache.
    loose = panels if grid_rows > 1 and not direct else 0
    own_strips, own_panels = -(-m // (ROWS * grid_rows)), -(-panels // grid_columns)
    chunks = -(-own_strips // tall)
    tall, once, depth = -(-own_strips // chunks), not loose and chunks == 1, gemm.even_depth(span)
    far = span > depth and (n * size >= gemm.PAGE or span > gemm.OFTEN * depth or splits)
    held = tall * own_panels * ROWS * width if far else 0
    own_a = tall * ROWS * depth if a_step == size and a_row > gemm.FAR and own_panels * width >= gemm.WIDE else 0
    copied = 0 if own_a else copied
    items = (
        blocks * ROWS * width,
        blocks * held,
        blocks * own_a,
        span * copied * ROWS,
        (blocks * depth if once else span * panels) * width,
    )
    edges, sums, own_at, packed_a, packed_b, end = (size * at for at in itertools.accumulate(items, initial=0))
    return _Layout(
        end // size, edges, sums, own_at, packed_a, packed_b, span, depth, held * size, bool(own_a),
        m // ROWS if a_step == size else 0, int(direct), loose, int(once), grid_rows, grid_columns, tall, blocks,
        loose + copied, -(-(loose + copied) // (4 * threads)),
    )  # fmt: skip


def _tasks(
    a: Array, b: Array, out: Array, finish: int, shift: int, activation: int, empty: Empty
) -> tuple[Array, list[Task]]:
    """A product on several threads as what `run` is given, and the workspace of that."""
    (m, k), n, dtype = a.shape, b.shape[1], out.dtype
    (a_row, a_step), (b_row, b_column) = a.strides, b.strides
    threads = numba.get_num_threads()
    block = tuning.matmul(m, n, k, dtype, threads)
    splits = (data(out) | out.strides[0]) % LINE != 0
    plan = _layout(m, n, k, a_row, a_step, b_column, dtype.itemsize, splits, threads, block)
    workspace = empty((plan.items,), dtype)
    at = data(workspace)
    tasks: list[Task] = []
    for begin in range(0, k, plan.span):
        arguments = gemm.Product(
            *_routines(dtype), finish, data(out), m, n, k, data(a), a_row, a_step, plan.whole, at + plan.packed_a,
            at + plan.own_a if plan.own else 0, data(b), b_row, b_column, plan.direct, plan.loose, plan.once,
            at + plan.packed_b, at + plan.edges, at + plan.sums, plan.held, plan.depth, begin,
            min(plan.span, k - begin), plan.grid_rows, plan.grid_columns, plan.tall, shift, activation,
        )  # fmt: skip
        if plan.copies:
            tasks.append((gemm.pack[dtype], arguments, plan.copies, plan.piece))
        tasks.append((gemm.blocks[dtype], arguments, plan.blocks, 1))
    return workspace, tasks


def _vector(a: Array, x: Array, out: Array) -> None:
    """``out = a @ x`` of a 2-D ``a`` and a 1-D ``x`` into a contiguous ``out`` of as many items as ``a`` has rows."""
    m, k = a.shape
    if not out.size:
        return
    if not x.flags.c_contiguous:
        x = x.copy()
    if not a.flags.c_contiguous and not a.flags.f_contiguous:
        a = a.copy()
    dtype, size = out.dtype, out.itemsize
    if a.flags.c_contiguous:
        piece = m if a.size < SERIAL else -(-m // 64)
        run(gemv.dots[dtype], (data(out), data(a), k * size, k, data(x), k, 0), m, piece)
    else:
        chunks = 1 if a.size < SERIAL else max(-(-m // gemv.CHUNK), min(8, -(-m // 64)))
        scratch = memory.scratch((m,), dtype)
        arguments = (data(out), data(a), m * size, m, data(x), k, data(scratch))
        run(gemv.combinations[dtype], arguments, m, -(-m // chunks))


def _batch(a: Array, b: Array, out: Array) -> None:
    """Broadcast batches of products, ``a`` (..., M, K) and ``b`` (..., K, N), into a contiguous ``out``."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    if not out.size:
        return
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    count = out.size // (m * n)
    threads = numba.get_num_threads()
    if (m * n * k >= SHARED and count < 2 * threads) or m * n * k >= 16 * SHARED:
        flat = out.reshape(count, m, n)
        wide_a = np.broadcast_to(a, (*batch, m, k))
        wide_b = np.broadcast_to(b, (*batch, k, n))
        for position, index in enumerate(np.ndindex(*batch)):
            _product(wide_a[index], wide_b[index], flat[position])
        return
    dtype = out.dtype
    piece = -(-count // (4 * threads)) if count * m * n * k >= SHARED // 4 else count
    workspace = memory.scratch((-(-count // piece) * gemm.serial_items(gemm.even_depth(k), out.itemsize),), dtype)
    a_offsets, b_offsets = _offsets(a, batch), _offsets(b, batch)
    arguments = gemm.Products(
        gemm.pack_b[dtype], gemm.pack_a[dtype], gemm.tile[dtype], 0, data(out), data(workspace), m, n, k,
        data(a), data(a_offsets), a.strides[-2], a.strides[-1],
        data(b), data(b_offsets), b.strides[-2], b.strides[-1], 0, 0, piece, 0,
    )  # fmt: skip
    run(gemm.products[dtype], arguments, count, piece)


def _offsets(array: Array, batch: tuple[int, ...]) -> Array:
    """Where each matrix of the broadcast batch begins, in bytes from the first."""
    offsets = np.zeros((), np.int64)
    leading = array.ndim - 2
    for dim, size in enumerate(batch):
        own = dim - len(batch) + leading
        stride = array.strides[own] if own >= 0 and array.shape[own] > 1 else 0
        offsets = offsets[..., None] + np.arange(size) * stride
    return offsets.reshape(-1)
