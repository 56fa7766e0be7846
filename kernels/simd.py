"""Vectors in Numba kernels: which width this processor has, and what moves items about in vectors.

The functions are Numba intrinsics that emit LLVM vector IR. Arrays reach them as addresses and strides
in bytes, so that one compiled kernel serves every layout; ``like`` is a scalar that only gives the
dtype. The caller guarantees that what it addresses is there.
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
from numba.core import cgutils, types

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


INDEX = ir.IntType(64)


def constant(value: int) -> ir.Constant:
    return ir.Constant(INDEX, value)


class Emitter:
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
            return self.builder.add(address, constant(count * stride)) if count else address
        return self.builder.add(address, self.builder.mul(stride, constant(count))) if count else address

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


def _emit_transpose(emit: Emitter, rows: list[ir.Value]) -> list[ir.Value]:
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
        emit = Emitter(builder, signature.args[0])
        rows = [emit.load(emit.offset(source, i, source_row), emit.vector) for i in range(emit.lanes)]
        for i, row in enumerate(_emit_transpose(emit, rows)):
            emit.store(row, emit.offset(target, i, target_row))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typing: Any, address: Any) -> Any:
    """Ask for the line at ``address`` to come into the second cache."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        builder.call(function, [builder.inttoptr(arguments[0], pointer), flag(0), flag(2), flag(1)])
        return context.get_dummy_value()

    return types.void(types.intp), codegen


LINE = 64
"""Bytes that caches move together."""


@jit(inline=True)  # type: ignore[untyped-decorator]
def fetch(address: int, size: int) -> None:
    """Ask for ``size`` bytes to come into the second cache; they need not be there at all."""
    for line in range(address & -LINE, address + size, LINE):
        _prefetch(line)


@intrinsic  # type: ignore[untyped-decorator]
def transpose_strip(typing: Any, like: Any, source: Any, source_row: Any, rows: Any, target: Any) -> Any:
    """Copy ``ROWS`` rows of ``lanes`` items transposed, without gaps; the last of ``rows`` is repeated."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, source_row, rows, target = arguments
        emit = Emitter(builder, signature.args[0])
        for first in range(0, ROWS, emit.lanes):
            count = min(emit.lanes, ROWS - first)
            square = []
            for i in range(first, first + count):
                there = builder.icmp_signed("<", constant(i), rows)
                row = builder.select(there, constant(i), builder.sub(rows, constant(1)))
                square.append(emit.load(builder.add(source, builder.mul(row, source_row)), emit.vector))
            square += [ir.Constant(emit.vector, ir.Undefined)] * (emit.lanes - count)
            for step, column in enumerate(_emit_transpose(emit, square)):
                part = emit.shuffle(column, column, list(range(count)))
                emit.store(part, emit.offset(target, step * ROWS + first, emit.itemsize))
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 4), codegen


@intrinsic  # type: ignore[untyped-decorator]
def transpose_finish(
    typing: Any, like: Any, source: Any, source_row: Any, target: Any, target_row: Any, bias: Any, floor: Any
) -> Any:
    """`transpose` of ``max(source + bias, floor)``, ``bias`` the address of ``lanes`` items; NaN stays NaN."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, source_row, target, target_row, bias, floor = arguments
        emit = Emitter(builder, signature.args[0])
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
        return constant(signature.args[0].bitwidth // 8)

    return types.intp(like), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copy_vector(typing: Any, like: Any, source: Any, target: Any) -> Any:
    """Copy one vector of contiguous items."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, target = arguments
        emit = Emitter(builder, signature.args[0])
        emit.store(emit.load(source, emit.vector), target)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copy_half(typing: Any, like: Any, source: Any, target: Any) -> Any:
    """Copy half a vector of contiguous items."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        _, source, target = arguments
        emit = Emitter(builder, signature.args[0])
        emit.store(emit.load(source, ir.VectorType(emit.scalar, emit.lanes // 2)), target)
        return context.get_dummy_value()

    return types.void(like, types.intp, types.intp), codegen


def _emit_moves(builder: ir.IRBuilder, size: int, count: ir.Value, move: Callable[[int, ir.Value], None]) -> None:
    """``move(lanes, first)`` for vectors that cover ``count`` items of ``size`` bytes: whole ones, the last
    overlapping the one before; for fewer items two shorter ones, down to a single item."""
    whole = VECTOR_BYTES // size
    end, loop, last, short = (builder.append_basic_block(name) for name in ("end", "vector", "last", "short"))
    entry = builder.block
    builder.cbranch(builder.icmp_signed(">=", count, constant(whole)), loop, short)
    builder.position_at_end(loop)
    first = builder.phi(INDEX)
    first.add_incoming(constant(0), entry)
    move(whole, first)
    following = builder.add(first, constant(whole))
    first.add_incoming(following, builder.block)
    rest = builder.sub(count, following)
    builder.cbranch(builder.icmp_signed(">=", rest, constant(whole)), loop, last)
    builder.position_at_end(last)
    with builder.if_then(builder.icmp_signed(">", rest, constant(0))):
        move(whole, builder.sub(count, constant(whole)))
    builder.branch(end)
    builder.position_at_end(short)
    lanes = whole // 2
    while lanes:
        enough, fewer = builder.append_basic_block("enough"), builder.append_basic_block("fewer")
        builder.cbranch(builder.icmp_signed(">=", count, constant(lanes)), enough, fewer)
        builder.position_at_end(enough)
        move(lanes, constant(0))
        move(lanes, builder.sub(count, constant(lanes)))
        builder.branch(end)
        builder.position_at_end(fewer)
        lanes //= 2
    builder.branch(end)
    builder.position_at_end(end)


def _make_copy(step: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def copy(typing: Any, like: Any, source: Any, target: Any, count: Any) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            _, source, target, count = arguments
            size = signature.args[0].bitwidth // 8
            item = ir.IntType(8 * size)

            def move(lanes: int, first: ir.Value) -> None:
                vector = ir.VectorType(item, lanes)
                shift = builder.mul(first, constant(size))
                if step > 0:
                    place = builder.add(source, shift)
                else:
                    place = builder.sub(source, builder.add(shift, constant((lanes - 1) * size)))
                value = builder.load(builder.inttoptr(place, vector.as_pointer()), align=1)
                if step < 0:
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(lanes))[::-1])
                    value = builder.shuffle_vector(value, ir.Constant(vector, ir.Undefined), mask)
                where = builder.inttoptr(builder.add(target, shift), vector.as_pointer())
                builder.store(value, where, align=1)

            _emit_moves(builder, size, count, move)
            return context.get_dummy_value()

        return types.void(like, *[types.intp] * 3), codegen

    return copy


copy_items = _make_copy(1)
"""``copy_items(like, source, target, count)``: copy contiguous items; the two places do not overlap."""

reverse_items = _make_copy(-1)
"""`copy_items` backwards: ``source`` is the address of the last item, which comes first."""


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, like: Any, address: Any) -> Any:
    """The item at an address."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        emit = Emitter(builder, signature.args[0])
        return emit.load(arguments[1], emit.scalar)

    return like(like, types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, value: Any, address: Any) -> Any:
    """Put an item at an address."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        Emitter(builder, signature.args[0]).store(arguments[0], arguments[1])
        return context.get_dummy_value()

    return types.void(value, types.intp), codegen
