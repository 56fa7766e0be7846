"""Register tiles with pixels in the lanes: stencils, and dot products of planes, for `planes` and `planes_gradient`.

Intrinsics as those of `microkernel`. Rows of source pixels are read where they begin, at any address: a row that
serves several taps is loaded anew for each column of the filter, and once for all of its rows by the functions for
3x3.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ..microkernel import merge
from ..simd import INDEX, ROWS, VECTOR_BYTES, VECTORS, Emitter, constant, intrinsic

STENCIL_ROWS = 8
"""Rows of one vector that `stencil` computes side by side."""


def _put(emit: Emitter, value: ir.Value, floor: ir.Value, address: ir.Value) -> None:
    """Store the value, or the floor where that is larger; NaN stays NaN."""
    emit.store(emit.builder.select(emit.builder.fcmp_ordered("<", value, floor), floor, value), address)


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
        for i, value in enumerate(merge(emit, entry, [start] * STENCIL_ROWS, loop, updated)):
            _put(emit, value, floor, emit.offset(c, i, c_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 7, like, like), codegen


SQUARE = 9
"""Taps of a filter of 3x3, which come row by row."""


@intrinsic  # type: ignore[untyped-decorator]
def stencil_3x3(
    typing: Any, like: Any, a: Any, b_taps: Any, b: Any, b_row: Any, c: Any, c_row: Any, bias: Any, floor: Any
) -> Any:
    """`stencil` of `SQUARE` taps, each three of which lie ``b_row`` behind the three before: the first three count."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, a, b_taps, b, b_row, c, c_row, bias, floor = arguments
        emit = Emitter(builder, signature.args[0])
        floor = emit.broadcast(floor)
        factors = [emit.broadcast(emit.load(emit.offset(a, t, emit.itemsize), emit.scalar)) for t in range(SQUARE)]
        columns = [builder.add(b, emit.load(emit.offset(b_taps, t, 8), INDEX)) for t in range(3)]
        sums = [emit.broadcast(bias)] * STENCIL_ROWS
        for row in range(STENCIL_ROWS + 2):
            pixels = [emit.load(emit.offset(column, row, b_row), emit.vector) for column in columns]
            for above in range(3):
                if 0 <= row - above < STENCIL_ROWS:
                    for t, value in enumerate(pixels):
                        sums[row - above] = emit.multiply_add(factors[3 * above + t], value, sums[row - above])
        for i, value in enumerate(sums):
            _put(emit, value, floor, emit.offset(c, i, c_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 6, like, like), codegen


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
            for number, value in enumerate(merge(emit, entry, sums, loop, updated)):
                row_of_c = emit.offset(c, number // vectors, c_row)
                _put(emit, value, floor, emit.offset(row_of_c, number % vectors, VECTOR_BYTES))
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


def _inside(emit: Emitter, count: ir.Value) -> ir.Value:
    """Which lanes are among the first ``count``."""
    number, zero = ir.IntType(32), ir.Constant(ir.IntType(32), 0)
    index = ir.VectorType(number, emit.lanes)
    first = emit.builder.insert_element(ir.Constant(index, ir.Undefined), emit.builder.trunc(count, number), zero)
    wanted = emit.shuffle(first, first, [0] * emit.lanes)
    return emit.builder.icmp_signed("<", ir.Constant(index, list(range(emit.lanes))), wanted)


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
        inside = _inside(emit, builder.sub(columns, column))
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
        for address, value in zip(addresses, merge(emit, entry, starts, latch, updated), strict=True):
            emit.store(value, address)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 8), codegen


@intrinsic  # type: ignore[untyped-decorator]
def tap_dots_3x3(
    typing: Any, like: Any, rows: Any, columns: Any, a: Any, a_row: Any, b: Any, b_row: Any, b_taps: Any, sums: Any
) -> Any:
    """`tap_dots` of taps of which each three lie ``b_row`` behind the three before: the first three count."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, rows, columns, a, a_row, b, b_row, b_taps, sums = arguments
        emit = Emitter(builder, signature.args[0])
        zero = ir.Constant(emit.vector, None)
        addresses = [emit.offset(sums, t, VECTOR_BYTES) for t in range(SQUARE)]
        offsets = [emit.load(emit.offset(b_taps, t, 8), INDEX) for t in range(3)]
        starts = [emit.load(address, emit.vector) for address in addresses]
        names = ("vector", "second", "row", "below", "done")
        entry, (outer, second, loop, below, done) = builder.block, map(builder.append_basic_block, names)
        some = builder.and_(builder.icmp_signed(">", rows, constant(0)), builder.icmp_signed(">", columns, constant(0)))
        builder.cbranch(some, outer, done)

        # Of a row of b, the rows of a that it is 0, 1 and 2 rows below. At both ends some are not there: they must not
        # be zeros, which would make NaN of what is not finite.
        builder.position_at_end(outer)
        column = builder.phi(INDEX)
        carried = [builder.phi(emit.vector) for _ in starts]
        shift = builder.mul(column, constant(emit.itemsize))
        inside = _inside(emit, builder.sub(columns, column))
        a_here = builder.add(a, shift)
        b_here = [builder.add(builder.add(b, shift), offset) for offset in offsets]

        def row_of_a(row: ir.Value) -> ir.Value:
            return emit.load(builder.add(a_here, builder.mul(row, a_row)), emit.vector)

        def row_of_b(row: ir.Value) -> list[ir.Value]:
            line = builder.mul(row, b_row)
            loaded = (emit.load(builder.add(address, line), emit.vector) for address in b_here)
            return [builder.select(inside, value, zero) for value in loaded]

        def added(totals: list[ir.Value], pixels: list[ir.Value], factors: dict[int, ir.Value]) -> list[ir.Value]:
            result = list(totals)
            for place, factor in factors.items():
                for t, value in enumerate(pixels, 3 * place):
                    result[t] = emit.multiply_add(factor, value, result[t])
            return result

        at_0 = row_of_a(constant(0))
        after_0 = added(carried, row_of_b(constant(0)), {0: at_0})
        builder.cbranch(builder.icmp_signed(">", rows, constant(1)), second, below)

        builder.position_at_end(second)
        at_1 = row_of_a(constant(1))
        after_1 = added(after_0, row_of_b(constant(1)), {0: at_1, 1: at_0})
        builder.cbranch(builder.icmp_signed(">", rows, constant(2)), loop, below)

        builder.position_at_end(loop)
        row, last, before = builder.phi(INDEX), builder.phi(emit.vector), builder.phi(emit.vector)
        running = [builder.phi(emit.vector) for _ in starts]
        here = row_of_a(row)
        updated = added(running, row_of_b(row), {0: here, 1: last, 2: before})
        following = builder.add(row, constant(1))
        for phi, first, value in zip(
            (row, last, before, *running), (constant(2), at_1, at_0, *after_1), (following, here, last, *updated),
            strict=True,
        ):  # fmt: skip
            phi.add_incoming(first, second)
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, rows), loop, below)

        builder.position_at_end(below)
        ends = [builder.phi(emit.vector) for _ in range(2 + len(starts))]
        for block, values in (
            (outer, (at_0, zero, *after_0)), (second, (at_1, at_0, *after_1)), (loop, (here, last, *updated)),
        ):  # fmt: skip
            for phi, value in zip(ends, values, strict=True):
                phi.add_incoming(value, block)
        last, before, *totals = ends
        pixels = row_of_b(rows)
        totals = added(totals, pixels, {1: last})
        several = builder.icmp_signed(">", rows, constant(1))
        totals = added(totals, [builder.select(several, value, zero) for value in pixels], {2: before})
        totals = added(totals, row_of_b(builder.add(rows, constant(1))), {2: last})
        next_column = builder.add(column, constant(emit.lanes))
        builder.cbranch(builder.icmp_signed("<", next_column, columns), outer, done)
        column.add_incoming(constant(0), entry)
        column.add_incoming(next_column, below)
        for phi, start, value in zip(carried, starts, totals, strict=True):
            phi.add_incoming(start, entry)
            phi.add_incoming(value, below)

        builder.position_at_end(done)
        for address, value in zip(addresses, merge(emit, entry, starts, below, totals), strict=True):
            emit.store(value, address)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 8), codegen
