"""The register-tiled micro-kernel under every matrix product and convolution, as LLVM vector IR.

A tile of ``ROWS`` x ``VECTORS`` vector registers holds sums while one loop runs over the inner
dimension: load ``VECTORS`` vectors of ``b``, broadcast ``ROWS`` scalars of ``a``, multiply and add.
That is the outer-product form of Goto and van de Geijn, "Anatomy of high-performance matrix
multiplication" (2008). Numba cannot express it in loops: LLVM would not keep the tile in registers.

The functions here are intrinsics as in `simd`: addresses, strides in bytes. A full tile of ``a`` and
``b`` is read, a full tile of ``c`` is written.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .simd import INDEX, ROWS, VECTOR_BYTES, VECTORS, Emitter, constant, intrinsic


def _emit_tile(
    emit: Emitter,
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
    left, a_offset, b_row = builder.phi(INDEX), builder.phi(INDEX), builder.phi(INDEX)
    for phi, start in ((left, depth), (a_offset, constant(0)), (b_row, b)):
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
    remaining = builder.sub(left, constant(1))
    left.add_incoming(remaining, loop)
    a_offset.add_incoming(builder.add(a_offset, a_step), loop)
    b_row.add_incoming(builder.add(b_row, b_step), loop)
    for phi, value in zip(running, updated, strict=True):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed(">", remaining, constant(0)), loop, after)
    builder.position_at_end(after)
    return updated


def _emit_store(
    emit: Emitter, vectors: int, sums: list[ir.Value], c: ir.Value, c_row: ir.Value, accumulate: ir.Value
) -> None:
    """Store the tile, or add it to what is there. Leaves the builder behind both."""
    builder = emit.builder
    add, put, end = (builder.append_basic_block(name) for name in ("add", "put", "stored"))
    builder.cbranch(builder.icmp_signed("!=", accumulate, constant(0)), add, put)
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
    emit: Emitter, entry: ir.Block, zeros: list[ir.Value], last: ir.Block, sums: list[ir.Value]
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
            emit = Emitter(builder, signature.args[0])
            zeros = [ir.Constant(emit.vector, None)] * (ROWS * vectors)
            rows = [emit.offset(a, i, a_row) for i in range(ROWS)]
            entry = builder.block
            some, done = builder.append_basic_block("some"), builder.append_basic_block("done")
            builder.cbranch(builder.icmp_signed(">", depth, constant(0)), some, done)
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
            emit = Emitter(builder, signature.args[0])
            zeros = [ir.Constant(emit.vector, None)] * (ROWS * vectors)
            rows = [builder.add(a, emit.load(emit.offset(a_rows, i, 8), INDEX)) for i in range(ROWS)]
            entry = builder.block
            outer, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
            some = builder.and_(
                builder.icmp_signed(">", taps, constant(0)), builder.icmp_signed(">", depth, constant(0))
            )
            builder.cbranch(some, outer, done)
            builder.position_at_end(outer)
            tap = builder.phi(INDEX)
            tap.add_incoming(constant(0), entry)
            carried = []
            for zero in zeros:
                phi = builder.phi(emit.vector)
                phi.add_incoming(zero, entry)
                carried.append(phi)
            where = builder.mul(tap, constant(8))
            a_tap = emit.load(builder.add(a_taps, where), INDEX)
            b_tap = builder.add(b, emit.load(builder.add(b_taps, where), INDEX))
            moved = [builder.add(row, a_tap) for row in rows]
            sums = _emit_tile(emit, vectors, moved, depth, a_step, b_tap, b_step, carried)
            last = builder.block
            following = builder.add(tap, constant(1))
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


@intrinsic  # type: ignore[untyped-decorator]
def put_tile(typing: Any, like: Any, tile: Any, c: Any, c_row: Any, accumulate: Any) -> Any:
    """``c[i, :] (+)= tile[i, :]`` of a whole tile without gaps."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, tile, c, c_row, accumulate = arguments
        emit = Emitter(builder, signature.args[0])
        sums = [emit.load(emit.offset(tile, i, VECTOR_BYTES), emit.vector) for i in range(ROWS * VECTORS)]
        _emit_store(emit, VECTORS, sums, c, c_row, accumulate)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


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
        emit = Emitter(builder, signature.args[0])
        start, floor = emit.broadcast(bias), emit.broadcast(floor)
        rows = [emit.offset(b, i, b_row) for i in range(STENCIL_ROWS)]
        entry = builder.block
        loop, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", taps, constant(0)), loop, done)
        builder.position_at_end(loop)
        tap = builder.phi(INDEX)
        tap.add_incoming(constant(0), entry)
        running = [builder.phi(emit.vector) for _ in rows]
        factor = emit.broadcast(emit.load(builder.add(a, builder.mul(tap, constant(emit.itemsize))), emit.scalar))
        where = emit.load(builder.add(b_taps, builder.mul(tap, constant(8))), INDEX)
        updated = [
            emit.multiply_add(factor, emit.load(builder.add(row, where), emit.vector), total)
            for row, total in zip(rows, running, strict=True)
        ]
        following = builder.add(tap, constant(1))
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


def _make_channel_stencil(vectors: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def channels(
        typing: Any, like: Any, taps: Any, a: Any, b_taps: Any, b: Any, c: Any, c_row: Any, bias: Any, floor: Any
    ) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            _, taps, a, b_taps, b, c, c_row, bias, floor = arguments
            emit = Emitter(builder, signature.args[0])
            floor = emit.broadcast(floor)
            starts = [emit.broadcast(emit.load(emit.offset(bias, i, emit.itemsize), emit.scalar)) for i in range(ROWS)]
            sums = [start for start in starts for _ in range(vectors)]
            entry = builder.block
            loop, done = builder.append_basic_block("tap"), builder.append_basic_block("done")
            builder.cbranch(builder.icmp_signed(">", taps, constant(0)), loop, done)
            builder.position_at_end(loop)
            tap = builder.phi(INDEX)
            tap.add_incoming(constant(0), entry)
            running = [builder.phi(emit.vector) for _ in sums]
            factors = builder.add(a, builder.mul(tap, constant(ROWS * emit.itemsize)))
            pixels = builder.add(b, emit.load(builder.add(b_taps, builder.mul(tap, constant(8))), INDEX))
            row = [emit.load(emit.offset(pixels, j, VECTOR_BYTES), emit.vector) for j in range(vectors)]
            updated = []
            for i in range(ROWS):
                factor = emit.broadcast(emit.load(emit.offset(factors, i, emit.itemsize), emit.scalar))
                updated += [emit.multiply_add(factor, row[j], running[i * vectors + j]) for j in range(vectors)]
            following = builder.add(tap, constant(1))
            tap.add_incoming(following, loop)
            for phi, start, value in zip(running, sums, updated, strict=True):
                phi.add_incoming(start, entry)
                phi.add_incoming(value, loop)
            builder.cbranch(builder.icmp_signed("<", following, taps), loop, done)
            builder.position_at_end(done)
            for number, value in enumerate(_merge(emit, entry, sums, loop, updated)):
                result = builder.select(builder.fcmp_ordered("<", value, floor), floor, value)
                row_of_c = emit.offset(c, number // vectors, c_row)
                emit.store(result, emit.offset(row_of_c, number % vectors, VECTOR_BYTES))
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 7, like), codegen

    return channels


channel_stencil = _make_channel_stencil(VECTORS)
"""``channel_stencil(like, taps, a, b_taps, b, c, c_row, bias, floor)``

``c[i, :] = max(bias[i] + sum over t < taps of a[t, i] * b[t, :], floor)`` for `ROWS` channels of one tile's row of
pixels: ``a`` and ``bias`` without gaps, ``b[t, :]`` at ``b + b_taps[t]`` (``b_taps`` the address of an int64 table),
``c[i, :]`` at ``c + i*c_row``; NaN stays NaN.
"""

channel_stencil_narrow = _make_channel_stencil(1)
"""`channel_stencil` of one vector's width, for the last pixels."""


DOT_TAPS = 9
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
        emit = Emitter(builder, signature.args[0])
        zero = ir.Constant(emit.vector, None)
        index = ir.VectorType(ir.IntType(32), emit.lanes)
        lane = ir.Constant(index, list(range(emit.lanes)))
        offsets = [emit.load(emit.offset(b_taps, t, 8), INDEX) for t in range(DOT_TAPS)]
        addresses = [emit.offset(sums, t, VECTOR_BYTES) for t in range(DOT_TAPS)]
        starts = [emit.load(address, emit.vector) for address in addresses]
        entry = builder.block
        outer, loop, latch, done = (builder.append_basic_block(name) for name in ("row", "vector", "row.end", "done"))
        some = builder.and_(builder.icmp_signed(">", rows, constant(0)), builder.icmp_signed(">", columns, constant(0)))
        builder.cbranch(some, outer, done)
        builder.position_at_end(outer)
        row = builder.phi(INDEX)
        carried = [builder.phi(emit.vector) for _ in starts]
        a_line = builder.add(a, builder.mul(row, a_row))
        b_line = builder.add(b, builder.mul(row, b_row))
        builder.branch(loop)
        builder.position_at_end(loop)
        column = builder.phi(INDEX)
        running = [builder.phi(emit.vector) for _ in starts]
        shift = builder.mul(column, constant(emit.itemsize))
        left = builder.insert_element(
            ir.Constant(index, ir.Undefined),
            builder.trunc(builder.sub(columns, column), index.element),
            ir.Constant(ir.IntType(32), 0),
        )
        inside = builder.icmp_signed("<", lane, emit.shuffle(left, left, [0] * emit.lanes))
        factor = emit.load(builder.add(a_line, shift), emit.vector)
        b_here = builder.add(b_line, shift)
        updated = []
        for offset, total in zip(offsets, running, strict=True):
            value = emit.load(builder.add(b_here, offset), emit.vector)
            updated.append(emit.multiply_add(factor, builder.select(inside, value, zero), total))
        next_column = builder.add(column, constant(emit.lanes))
        builder.cbranch(builder.icmp_signed("<", next_column, columns), loop, latch)
        builder.position_at_end(latch)
        next_row = builder.add(row, constant(1))
        builder.cbranch(builder.icmp_signed("<", next_row, rows), outer, done)
        row.add_incoming(constant(0), entry)
        row.add_incoming(next_row, latch)
        column.add_incoming(constant(0), outer)
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
