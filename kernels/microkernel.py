"""The register-tiled micro-kernel under every matrix product and convolution, as LLVM vector IR.

A tile of ``ROWS`` x ``VECTORS`` vector registers holds sums while one loop runs over the inner
dimension: load ``VECTORS`` vectors of ``b``, broadcast ``ROWS`` scalars of ``a``, multiply and add.
That is the outer-product form of Goto and van de Geijn, "Anatomy of high-performance matrix
multiplication" (2008). Numba cannot express it in loops: LLVM would not keep the tile in registers.

The functions here are Numba intrinsics. Arrays reach them as addresses and strides in bytes, so that
one compiled kernel serves every layout; ``like`` is a scalar that only gives the dtype. The caller
guarantees that what it addresses is there: a full tile of ``a`` and ``b`` is read, a full tile of
``c`` is written.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import extending
from numba.core import types

from .jit import jit

intrinsic: Any = extending.intrinsic  # its type would ask callers for the typing context


@dataclass(frozen=True)
class Simd:
    """A register tile for one family of processors.

    Attributes:
        name: what the environment variable ``PYNEURAL_SIMD`` calls it.
        needs: processor features, by LLVM's names.
        vector_bytes: size of one vector register.
        rows, vectors: the tile; its registers, one row of ``b`` and one broadcast fit the register file.
        fma: emit ``llvm.fma``, which without the instruction would call a slow library function.
    """

    name: str
    needs: frozenset[str]
    vector_bytes: int
    rows: int
    vectors: int
    fma: bool


SIMD = (
    Simd("avx512", frozenset({"avx512f", "avx512vl", "avx512dq", "fma"}), 64, 8, 2, True),
    Simd("avx2", frozenset({"avx2", "fma"}), 32, 6, 2, True),
    Simd("portable", frozenset(), 16, 4, 2, False),
)


def available() -> tuple[str, ...]:
    """The names of the tiles that this processor can run, best first."""
    features = llvmlite.binding.get_host_cpu_features()
    return tuple(simd.name for simd in SIMD if all(features.get(each, False) for each in simd.needs))


def choose() -> Simd:
    """The tile named by ``PYNEURAL_SIMD``, else the best that this processor can run.

    Raises:
        ValueError: the variable names none, or one that this processor cannot run.
    """
    runnable = available()
    wanted = os.environ.get("PYNEURAL_SIMD") or runnable[0]
    if wanted not in runnable:
        raise ValueError(f"PYNEURAL_SIMD (={wanted!r}) must be one of {', '.join(runnable)} on this processor")
    return next(simd for simd in SIMD if simd.name == wanted)


CHOSEN = choose()
ROWS = CHOSEN.rows
VECTORS = CHOSEN.vectors
VECTOR_BYTES = CHOSEN.vector_bytes
TILE_BYTES = VECTORS * VECTOR_BYTES
"""Bytes of one row of a tile: its columns times the item's size."""


def simd_jit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`jit` for kernels over these intrinsics: cached apart for each `Simd`."""
    if function is None:
        return functools.partial(simd_jit, **options)
    return jit(function, name=f"{function.__name__}_{CHOSEN.name}", **options)


_INDEX = ir.IntType(64)


def _constant(value: int) -> ir.Constant:
    return ir.Constant(_INDEX, value)


class _Emitter:
    """Vector operations of one dtype on one LLVM builder."""

    def __init__(self, builder: ir.IRBuilder, dtype: types.Float) -> None:
        self.builder = builder
        self.itemsize = dtype.bitwidth // 8
        self.scalar = ir.FloatType() if dtype == types.float32 else ir.DoubleType()
        self.lanes = VECTOR_BYTES // self.itemsize
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def load(self, address: ir.Value, kind: ir.Type) -> ir.Value:
        # An array's items may lie at any address, e.g. in a field of a record.
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=1)

    def store(self, value: ir.Value, address: ir.Value) -> None:
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=1)

    def offset(self, address: ir.Value, count: int, stride: ir.Value | int) -> ir.Value:
        """``address + count * stride``"""
        if isinstance(stride, int):
            return self.builder.add(address, _constant(count * stride)) if count else address
        return self.builder.add(address, self.builder.mul(stride, _constant(count))) if count else address

    def broadcast(self, value: ir.Value) -> ir.Value:
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(a, b, mask)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        if not CHOSEN.fma:
            flags = ("contract",)  # fused where the processor can
            return self.builder.fadd(self.builder.fmul(a, b, flags=flags), c, flags=flags)
        name = f"llvm.fma.v{self.lanes}f{8 * self.itemsize}"
        function = self.builder.module.globals.get(name)
        if function is None:
            function = ir.Function(self.builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name)
        return self.builder.call(function, (a, b, c))


def _emit_tile(
    emit: _Emitter,
    vectors: int,
    row_addresses: list[ir.Value],
    depth: ir.Value,
    a_step: ir.Value,
    b: ir.Value,
    b_step: ir.Value,
    sums: list[ir.Value],
) -> list[ir.Value]:
    """The inner loop, ``depth`` > 0 times: the new sums. Leaves the builder behind the loop."""
    builder = emit.builder
    before = builder.block
    loop, after = builder.append_basic_block("depth"), builder.append_basic_block("depth.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    left, a_offset, b_row = builder.phi(_INDEX), builder.phi(_INDEX), builder.phi(_INDEX)
    for phi, start in ((left, depth), (a_offset, _constant(0)), (b_row, b)):
        phi.add_incoming(start, before)
    running = []
    for start in sums:
        phi = builder.phi(emit.vector)
        phi.add_incoming(start, before)
        running.append(phi)
    row_of_b = [emit.load(emit.offset(b_row, j, VECTOR_BYTES), emit.vector) for j in range(vectors)]
    updated = []
    for i, address in enumerate(row_addresses):
        scalar = emit.broadcast(emit.load(builder.add(address, a_offset), emit.scalar))
        for j in range(vectors):
            updated.append(emit.multiply_add(scalar, row_of_b[j], running[i * vectors + j]))
    remaining = builder.sub(left, _constant(1))
    left.add_incoming(remaining, loop)
    a_offset.add_incoming(builder.add(a_offset, a_step), loop)
    b_row.add_incoming(builder.add(b_row, b_step), loop)
    for phi, value in zip(running, updated, strict=True):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed(">", remaining, _constant(0)), loop, after)
    builder.position_at_end(after)
    return updated


def _emit_store(
    emit: _Emitter, vectors: int, sums: list[ir.Value], c: ir.Value, c_row: ir.Value, accumulate: ir.Value
) -> None:
    """Store the tile, or add it to what is there. Leaves the builder behind both."""
    builder = emit.builder
    add, put, end = (builder.append_basic_block(name) for name in ("add", "put", "stored"))
    builder.cbranch(builder.icmp_signed("!=", accumulate, _constant(0)), add, put)
    for block in (add, put):
        builder.position_at_end(block)
        for i in range(ROWS):
            for j in range(vectors):
                address = emit.offset(emit.offset(c, i, c_row), j, VECTOR_BYTES)
                value = sums[i * vectors + j]
                if block is add:
                    value = builder.fadd(value, emit.load(address, emit.vector))
                emit.store(value, address)
        builder.branch(end)
    builder.position_at_end(end)


def _merge(
    emit: _Emitter, entry: ir.Block, zeros: list[ir.Value], last: ir.Block, sums: list[ir.Value]
) -> list[ir.Value]:
    """The sums where two ways meet: zeros if the loop was passed over, else the loop's."""
    merged = []
    for zero, value in zip(zeros, sums, strict=True):
        phi = emit.builder.phi(emit.vector)
        phi.add_incoming(zero, entry)
        phi.add_incoming(value, last)
        merged.append(phi)
    return merged


def _make_panel_tile(vectors: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def tile(
        typing: Any,
        like: Any,
        depth: Any,
        a: Any,
        a_row: Any,
        a_step: Any,
        b: Any,
        b_step: Any,
        c: Any,
        c_row: Any,
        accumulate: Any,
    ) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            _, depth, a, a_row, a_step, b, b_step, c, c_row, accumulate = arguments
            emit = _Emitter(builder, signature.args[0])
            zeros = [ir.Constant(emit.vector, None)] * (ROWS * vectors)
            rows = [emit.offset(a, i, a_row) for i in range(ROWS)]
            entry = builder.block
            some, done = builder.append_basic_block("some"), builder.append_basic_block("done")
            builder.cbranch(builder.icmp_signed(">", depth, _constant(0)), some, done)
            builder.position_at_end(some)
            sums = _emit_tile(emit, vectors, rows, depth, a_step, b, b_step, zeros)
            last = builder.block
            builder.branch(done)
            builder.position_at_end(done)
            _emit_store(emit, vectors, _merge(emit, entry, zeros, last, sums), c, c_row, accumulate)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 9), codegen

    return tile


def _make_tap_tile(vectors: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def tile(
        typing: Any,
        like: Any,
        taps: Any,
        a_taps: Any,
        b_taps: Any,
        depth: Any,
        a: Any,
        a_rows: Any,
        a_step: Any,
        b: Any,
        b_step: Any,
        c: Any,
        c_row: Any,
        accumulate: Any,
    ) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            _, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, b_step, c, c_row, accumulate = arguments
            emit = _Emitter(builder, signature.args[0])
            zeros = [ir.Constant(emit.vector, None)] * (ROWS * vectors)
            rows = [builder.add(a, emit.load(emit.offset(a_rows, i, 8), _INDEX)) for i in range(ROWS)]
            entry = builder.block
            outer, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
            some = builder.and_(
                builder.icmp_signed(">", taps, _constant(0)), builder.icmp_signed(">", depth, _constant(0))
            )
            builder.cbranch(some, outer, done)
            builder.position_at_end(outer)
            tap = builder.phi(_INDEX)
            tap.add_incoming(_constant(0), entry)
            carried = []
            for zero in zeros:
                phi = builder.phi(emit.vector)
                phi.add_incoming(zero, entry)
                carried.append(phi)
            where = builder.mul(tap, _constant(8))
            a_tap = emit.load(builder.add(a_taps, where), _INDEX)
            b_tap = builder.add(b, emit.load(builder.add(b_taps, where), _INDEX))
            moved = [builder.add(row, a_tap) for row in rows]
            sums = _emit_tile(emit, vectors, moved, depth, a_step, b_tap, b_step, carried)
            last = builder.block
            following = builder.add(tap, _constant(1))
            tap.add_incoming(following, last)
            for phi, value in zip(carried, sums, strict=True):
                phi.add_incoming(value, last)
            builder.cbranch(builder.icmp_signed("<", following, taps), outer, done)
            builder.position_at_end(done)
            _emit_store(emit, vectors, _merge(emit, entry, zeros, last, sums), c, c_row, accumulate)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 12), codegen

    return tile


panel_tile = _make_panel_tile(VECTORS)
"""``panel_tile(like, depth, a, a_row, a_step, b, b_step, c, c_row, accumulate)``

``c[i, :] (+)= sum over k < depth of a[i, k] * b[k, :]`` with ``a[i, k]`` at ``a + i*a_row + k*a_step``,
``b[k, :]`` (one tile's row, contiguous) at ``b + k*b_step``, ``c[i, :]`` at ``c + i*c_row``.
"""

panel_tile_narrow = _make_panel_tile(1)
"""`panel_tile` of one vector's width, for the last columns."""

tap_tile = _make_tap_tile(VECTORS)
"""``tap_tile(like, taps, a_taps, b_taps, depth, a, a_rows, a_step, b, b_step, c, c_row, accumulate)``

As `panel_tile`, but rows of ``a`` begin anywhere and the inner dimension has two levels: the sum goes
over ``taps`` x ``depth``, ``a[i, t, k]`` at ``a + a_rows[i] + a_taps[t] + k*a_step`` and ``b[t, k, :]``
at ``b + b_taps[t] + k*b_step``; ``a_rows``, ``a_taps``, ``b_taps`` are addresses of int64 tables.
"""

tap_tile_narrow = _make_tap_tile(1)
"""`tap_tile` of one vector's width, for the last columns."""


STENCIL_ROWS = 8
"""Rows of one vector that `stencil` computes side by side."""


@intrinsic  # type: ignore[untyped-decorator]
def stencil(
    typing: Any,
    like: Any,
    taps: Any,
    a: Any,
    b_taps: Any,
    b: Any,
    b_row: Any,
    c: Any,
    c_row: Any,
    bias: Any,
    floor: Any,
) -> Any:
    """``c[i, :] = max(bias + sum over t < taps of a[t] * b[i, t, :], floor)`` for `STENCIL_ROWS` rows of one vector.

    ``a[t]`` lies at ``a + t*itemsize``, ``b[i, t, :]`` at ``b + i*b_row + b_taps[t]`` (``b_taps`` the address
    of an int64 table), ``c[i, :]`` at ``c + i*c_row``; NaN stays NaN.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, taps, a, b_taps, b, b_row, c, c_row, bias, floor = arguments
        emit = _Emitter(builder, signature.args[0])
        start, floor = emit.broadcast(bias), emit.broadcast(floor)
        rows = [emit.offset(b, i, b_row) for i in range(STENCIL_ROWS)]
        entry = builder.block
        loop, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", taps, _constant(0)), loop, done)
        builder.position_at_end(loop)
        tap = builder.phi(_INDEX)
        tap.add_incoming(_constant(0), entry)
        running = [builder.phi(emit.vector) for _ in rows]
        factor = emit.broadcast(emit.load(builder.add(a, builder.mul(tap, _constant(emit.itemsize))), emit.scalar))
        where = emit.load(builder.add(b_taps, builder.mul(tap, _constant(8))), _INDEX)
        updated = [
            emit.multiply_add(factor, emit.load(builder.add(row, where), emit.vector), total)
            for row, total in zip(rows, running, strict=True)
        ]
        following = builder.add(tap, _constant(1))
        tap.add_incoming(following, loop)
        for phi, value in zip(running, updated, strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, taps), loop, done)
        builder.position_at_end(done)
        for i, value in enumerate(_merge(emit, entry, [start] * STENCIL_ROWS, loop, updated)):
            result = builder.select(builder.fcmp_ordered("<", value, floor), floor, value)
            emit.store(result, emit.offset(c, i, c_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 7, like, like), codegen


DOT_TAPS = 8
"""Taps that `tap_dots` sums side by side."""


@intrinsic  # type: ignore[untyped-decorator]
def tap_dots(
    typing: Any,
    like: Any,
    rows: Any,
    columns: Any,
    a: Any,
    a_row: Any,
    b: Any,
    b_row: Any,
    b_taps: Any,
    sums: Any,
) -> Any:
    """``sums[t] += sum over rows and columns of a[i, j] * b[i, j + tap t]`` for `DOT_TAPS` taps, lane by lane.

    Each of ``sums`` is a vector. Whole vectors are read; lanes of ``b`` behind ``columns`` count as zero,
    and those of ``a`` must be zero.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, rows, columns, a, a_row, b, b_row, b_taps, sums = arguments
        emit = _Emitter(builder, signature.args[0])
        zero = ir.Constant(emit.vector, None)
        index = ir.VectorType(_INDEX, emit.lanes)
        lane = ir.Constant(index, list(range(emit.lanes)))
        offsets = [emit.load(emit.offset(b_taps, t, 8), _INDEX) for t in range(DOT_TAPS)]
        addresses = [emit.offset(sums, t, VECTOR_BYTES) for t in range(DOT_TAPS)]
        starts = [emit.load(address, emit.vector) for address in addresses]
        entry = builder.block
        outer, loop, latch, done = (builder.append_basic_block(name) for name in ("row", "vector", "row.end", "done"))
        some = builder.and_(
            builder.icmp_signed(">", rows, _constant(0)), builder.icmp_signed(">", columns, _constant(0))
        )
        builder.cbranch(some, outer, done)
        builder.position_at_end(outer)
        row = builder.phi(_INDEX)
        carried = [builder.phi(emit.vector) for _ in starts]
        a_line = builder.add(a, builder.mul(row, a_row))
        b_line = builder.add(b, builder.mul(row, b_row))
        builder.branch(loop)
        builder.position_at_end(loop)
        column = builder.phi(_INDEX)
        running = [builder.phi(emit.vector) for _ in starts]
        shift = builder.mul(column, _constant(emit.itemsize))
        left = builder.insert_element(
            ir.Constant(index, ir.Undefined), builder.sub(columns, column), ir.Constant(ir.IntType(32), 0)
        )
        inside = builder.icmp_signed("<", lane, emit.shuffle(left, left, [0] * emit.lanes))
        factor = emit.load(builder.add(a_line, shift), emit.vector)
        b_here = builder.add(b_line, shift)
        updated = []
        for offset, total in zip(offsets, running, strict=True):
            value = emit.load(builder.add(b_here, offset), emit.vector)
            updated.append(emit.multiply_add(factor, builder.select(inside, value, zero), total))
        next_column = builder.add(column, _constant(emit.lanes))
        builder.cbranch(builder.icmp_signed("<", next_column, columns), loop, latch)
        builder.position_at_end(latch)
        next_row = builder.add(row, _constant(1))
        builder.cbranch(builder.icmp_signed("<", next_row, rows), outer, done)
        row.add_incoming(_constant(0), entry)
        row.add_incoming(next_row, latch)
        column.add_incoming(_constant(0), outer)
        column.add_incoming(next_column, loop)
        for i, start in enumerate(starts):
            carried[i].add_incoming(start, entry)
            carried[i].add_incoming(updated[i], latch)
            running[i].add_incoming(carried[i], outer)
            running[i].add_incoming(updated[i], loop)
        builder.position_at_end(done)
        for address, value in zip(addresses, _merge(emit, entry, starts, latch, updated), strict=True):
            emit.store(value, address)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 8), codegen


def _emit_transpose(emit: _Emitter, rows: list[ir.Value]) -> list[ir.Value]:
    """Transpose a square of vectors by exchanging blocks of 1, 2, 4 ... lanes (Eklundh, 1972)."""
    lanes, block = emit.lanes, 1
    while block < lanes:
        for i in range(lanes):
            if i & block:
                continue
            a, b = rows[i], rows[i + block]
            low = [lanes + n - block if n & block else n for n in range(lanes)]
            high = [lanes + n if n & block else n + block for n in range(lanes)]
            rows[i], rows[i + block] = emit.shuffle(a, b, low), emit.shuffle(a, b, high)
        block *= 2
    return rows


@intrinsic  # type: ignore[untyped-decorator]
def transpose(typing: Any, like: Any, source: Any, source_row: Any, target: Any, target_row: Any) -> Any:
    """Copy a square of ``lanes`` x ``lanes`` items transposed; rows are contiguous on both sides."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, source_row, target, target_row = arguments
        emit = _Emitter(builder, signature.args[0])
        rows = [emit.load(emit.offset(source, i, source_row), emit.vector) for i in range(emit.lanes)]
        for i, row in enumerate(_emit_transpose(emit, rows)):
            emit.store(row, emit.offset(target, i, target_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


@intrinsic  # type: ignore[untyped-decorator]
def transpose_finish(
    typing: Any, like: Any, source: Any, source_row: Any, target: Any, target_row: Any, bias: Any, floor: Any
) -> Any:
    """`transpose` of ``max(source + bias, floor)``, ``bias`` the address of ``lanes`` items; NaN stays NaN."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, source_row, target, target_row, bias, floor = arguments
        emit = _Emitter(builder, signature.args[0])
        bias, floor = emit.load(bias, emit.vector), emit.broadcast(floor)
        rows = []
        for i in range(emit.lanes):
            value = builder.fadd(emit.load(emit.offset(source, i, source_row), emit.vector), bias)
            rows.append(builder.select(builder.fcmp_ordered("<", value, floor), floor, value))
        for i, row in enumerate(_emit_transpose(emit, rows)):
            emit.store(row, emit.offset(target, i, target_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5, like), codegen


@intrinsic  # type: ignore[untyped-decorator]
def itemsize(typing: Any, like: Any) -> Any:
    """Bytes of one item, a constant of the compiled kernel."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return _constant(signature.args[0].bitwidth // 8)

    return types.intp(like), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copy_vector(typing: Any, like: Any, source: Any, target: Any) -> Any:
    """Copy one vector of contiguous items."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, target = arguments
        emit = _Emitter(builder, signature.args[0])
        emit.store(emit.load(source, emit.vector), target)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copy_half(typing: Any, like: Any, source: Any, target: Any) -> Any:
    """Copy half a vector of contiguous items."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, target = arguments
        emit = _Emitter(builder, signature.args[0])
        emit.store(emit.load(source, ir.VectorType(emit.scalar, emit.lanes // 2)), target)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, like: Any, address: Any) -> Any:
    """The item at an address."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        emit = _Emitter(builder, signature.args[0])
        return emit.load(arguments[1], emit.scalar)

    return like(like, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, value: Any, address: Any) -> Any:
    """Put an item at an address."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _Emitter(builder, signature.args[0]).store(arguments[0], arguments[1])
        return context.get_dummy_value()

    return types.void(value, types.intp), codegen
