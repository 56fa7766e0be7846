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


def merge(
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
            _emit_store(emit, vectors, merge(emit, entry, zeros, last, sums), c, c_row, accumulate)
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
            _emit_store(emit, vectors, merge(emit, entry, zeros, last, sums), c, c_row, accumulate)
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
