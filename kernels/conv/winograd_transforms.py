"""The transforms of Winograd's F(4x4, 3x3), as LLVM vector IR: each lane is a channel.

A convolution with 3 taps gives 4 results from 6 items by 6 products instead of 12: items, taps and results are
polynomials, multiplied at 6 points (Winograd, Arithmetic Complexity of Computations, 1980; Lavin and Gray, Fast
Algorithms for Convolutional Neural Networks, 2016). In two dimensions 36 products stand for 144.

The points are 0, infinity, and +-`P` and +-`Q`, which are exact like the usual 1 and 2 but err less than half as much:
in float32 the root mean square error is about twice that of a plain sum (docs/architecture.md has figures).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from ..simd import Emitter, intrinsic

P, Q = 0.625, 1.5
PARTS = 36
"""Products of one tile of 4x4 results."""

_P2, _Q2 = P * P, Q * Q
_SUM, _PRODUCT = _P2 + _Q2, _P2 * _Q2
# Of the polynomial with a zero at each finite point, its derivative there.
_AT_ZERO, _AT_P, _AT_Q = _PRODUCT, 2 * _P2 * (_P2 - _Q2), 2 * _Q2 * (_Q2 - _P2)

Values = list[ir.Value]


class _Lines:
    """One-dimensional transforms of vectors."""

    def __init__(self, emit: Emitter) -> None:
        self._emit, self._builder = emit, emit.builder

    def _constant(self, value: float) -> ir.Constant:
        return ir.Constant(self._emit.vector, [value] * self._emit.lanes)

    def _scaled(self, a: ir.Value, factor: float) -> ir.Value:
        return self._builder.fmul(a, self._constant(factor))

    def _plus(self, a: ir.Value, factor: float, c: ir.Value) -> ir.Value:
        """``a * factor + c``"""
        return self._emit.multiply_add(a, self._constant(factor), c)

    def _pair(self, even: ir.Value, odd: ir.Value) -> Values:
        """Their sum and their difference."""
        return [self._builder.fadd(even, odd), self._builder.fsub(even, odd)]

    def items(self, d: Values) -> Values:
        """6 items at the 6 points."""
        first = self._plus(d[0], _PRODUCT, self._plus(d[2], -_SUM, d[4]))
        last = self._plus(d[1], _PRODUCT, self._plus(d[3], -_SUM, d[5]))
        found = [first]
        for point, other in ((P, _Q2), (Q, _P2)):
            odd = self._scaled(self._plus(d[1], -other, d[3]), point)
            found += self._pair(self._plus(d[2], -other, d[4]), odd)
        return [*found, last]

    def taps(self, g: Values) -> Values:
        """3 taps, or 4, at the 6 points, divided by what the products are too large by."""
        found = [self._scaled(g[0], 1 / _AT_ZERO)]
        for point, scale in ((P, 1 / _AT_P), (Q, 1 / _AT_Q)):
            odd = g[1] if len(g) == 3 else self._plus(g[3], point * point, g[1])
            even = self._plus(g[2], point * point, g[0])
            found += self._pair(self._scaled(even, scale), self._scaled(odd, point * scale))
        return [*found, g[-1]]

    def gradients(self, v: Values) -> Values:
        """3 results of the products of 6 items and 4 taps."""
        (p_sum, p_difference), (q_sum, q_difference) = self._pair(v[1], v[2]), self._pair(v[3], v[4])
        return [
            self._builder.fadd(v[0], self._builder.fadd(p_sum, q_sum)),
            self._plus(p_difference, P, self._scaled(q_difference, Q)),
            self._plus(p_sum, _P2, self._plus(q_sum, _Q2, v[5])),
        ]

    def results(self, v: Values) -> Values:
        """4 results of the products of 6 items and 3 taps."""
        (p_sum, p_difference), (q_sum, q_difference) = self._pair(v[1], v[2]), self._pair(v[3], v[4])
        return [
            self._builder.fadd(v[0], self._builder.fadd(p_sum, q_sum)),
            self._plus(p_difference, P, self._scaled(q_difference, Q)),
            self._plus(p_sum, _P2, self._scaled(q_sum, _Q2)),
            self._plus(p_difference, P * _P2, self._plus(q_difference, Q * _Q2, v[5])),
        ]


def _square(rows: list[Values], line: Any) -> list[Values]:
    """``line`` along every column, then along every row."""
    columns = [line(list(column)) for column in zip(*rows, strict=True)]
    return [line(list(row)) for row in zip(*columns, strict=True)]


def _make(name: str, rows: int, doc: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def transform(
        typing: Any,
        like: Any,
        source: Any,
        source_row: Any,
        source_column: Any,
        target: Any,
        target_row: Any,
        target_column: Any,
    ) -> Any:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            _, source, source_row, source_column, target, target_row, target_column = arguments
            emit = Emitter(builder, signature.args[0])

            def places(start: ir.Value, row: ir.Value, column: ir.Value, size: int) -> list[Values]:
                lines = [emit.offset(start, i, row) for i in range(size)]
                return [[emit.offset(line, j, column) for j in range(size)] for line in lines]

            given = [
                [emit.load(place, emit.vector) for place in line]
                for line in places(source, source_row, source_column, rows)
            ]
            found = _square(given, getattr(_Lines(emit), name))
            for line, values in zip(places(target, target_row, target_column, len(found)), found, strict=True):
                for place, value in zip(line, values, strict=True):
                    emit.store(value, place)
            return _lost(emit, [value for values in found for value in values])

        return types.boolean(like, *[types.intp] * 6), codegen

    transform.__doc__ = doc
    return transform


def _lost(emit: Emitter, values: Values) -> ir.Value:
    """Whether any lane is infinite or NaN: all bits of its exponent are set. ``x - x`` would be taken for zero."""
    builder = emit.builder
    integer = ir.IntType(8 * emit.itemsize)
    ones = 0x7F800000 if emit.itemsize == 4 else 0x7FF0000000000000
    exponent = ir.Constant(ir.VectorType(integer, emit.lanes), [ones] * emit.lanes)
    found = ir.Constant(ir.VectorType(ir.IntType(1), emit.lanes), [False] * emit.lanes)
    for value in values:
        bits = builder.and_(builder.bitcast(value, exponent.type), exponent)
        found = builder.or_(found, builder.icmp_unsigned("==", bits, exponent))
    lanes = builder.bitcast(found, ir.IntType(emit.lanes))
    return builder.icmp_unsigned("!=", lanes, ir.Constant(lanes.type, 0))


# Each tells whether one of its results is infinite or NaN.

transform_items = _make(
    "items", 6, "6x6 vectors, at ``source + i*row + j*column``, into as many at ``target``: a tile of the input."
)
transform_taps = _make("taps", 3, "3x3 vectors into 6x6: a convolution's filter.")
transform_grads = _make("taps", 4, "4x4 vectors into 6x6: a tile of the result's gradient, which filters the input.")
transform_gradients = _make("gradients", 6, "6x6 vectors, products summed over tiles, into 3x3: a filter's gradient.")
transform_results = _make("results", 6, "6x6 vectors, products summed over channels, into 4x4: a tile of the result.")
