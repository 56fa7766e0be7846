"""The compiled loops of the random numbers.

A task makes `BLOCKS` Philox blocks, each of the four words in an array of its own so that the rounds
vectorise, and then either weaves the words together or works on them as they lie. No function here
allows itself any floating-point liberty: the bits of the results are part of the contract.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import extending
from numba.core import types

from ..jit import jit
from ..parallel import each, share
from ..vector import bits, from_bits, select
from . import bits as constants

BLOCKS = 512

intrinsic: Any = extending.intrinsic  # its own annotations fit no use of it

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(constants.MULTIPLIER_0), np.uint64(constants.MULTIPLIER_1)
_W0, _W1 = np.uint64(constants.WEYL_0), np.uint64(constants.WEYL_1)


@jit(inline=True, fastmath=False)
def _round(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    product0, product1 = c0 * _M0, c2 * _M1
    return (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW, (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW


@jit(inline=True, fastmath=False)
def _fill(words, first, seed, offset):  # type: ignore[no-untyped-def]
    """Blocks ``first``, ``first + 1``, ... into the columns of the (4, BLOCKS) uint32 array ``words``."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    low, high = offset & _LOW, offset >> _HALF
    a, b = seed & _LOW, seed >> _HALF
    for block in range(BLOCKS):
        counter = np.uint64(first + block)
        c0, c1, c2, c3 = counter & _LOW, counter >> _HALF, low, high
        k0, k1 = a, b
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        w0[block], w1[block], w2[block], w3[block] = np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@jit(inline=True, fastmath=False)
def _weave(words, line):  # type: ignore[no-untyped-def]
    """The (4, BLOCKS) array's elements in the order of the stream."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for block in range(BLOCKS):
        at = 4 * block
        line[at], line[at + 1], line[at + 2], line[at + 3] = w0[block], w1[block], w2[block], w3[block]


@jit(inline=True, fastmath=False)
def _weave64(words, line):  # type: ignore[no-untyped-def]
    """Pairs of words as 64-bit values, the earlier word high, in the order of the stream."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for block in range(BLOCKS):
        line[2 * block] = np.uint64(w0[block]) << _HALF | np.uint64(w1[block])
        line[2 * block + 1] = np.uint64(w2[block]) << _HALF | np.uint64(w3[block])


def _stream(name: str, per_task: int, scratch: Any, consume: Any) -> Any:
    """A kernel ``(x, out, seed, offset, a, b, c)`` in tasks of ``per_task`` elements.

    ``consume(words, line, x, out, a, b, c)`` turns one task's words into its slice of ``out``; ``line``
    is scratch of ``per_task`` elements.
    """

    @jit(inline=True, fastmath=False)
    def part(task, x, out, seed, offset, a, b, c):  # type: ignore[no-untyped-def]
        words = np.empty((4, BLOCKS), np.uint32)
        line = np.empty(per_task, scratch)
        _fill(words, task * BLOCKS, seed, offset)
        first = task * per_task
        last = min(first + per_task, out.size)
        consume(words, line, x[first:last], out[first:last], a, b, c)

    @jit(name=name, fastmath=False)
    def kernel(x, out, seed, offset, a, b, c):  # type: ignore[no-untyped-def]
        tasks = (out.size + per_task - 1) // per_task
        each(part, (x, out, seed, offset, a, b, c), tasks, share(tasks, out.size))

    return kernel


@jit(inline=True, fastmath=False)
def _copy(words, line, x, out, a, b, c):  # type: ignore[no-untyped-def]
    _weave(words, line)
    for k in range(out.size):
        out[k] = line[k]


@jit(inline=True, fastmath=False)
def _copy64(words, line, x, out, a, b, c):  # type: ignore[no-untyped-def]
    _weave64(words, line)
    for k in range(out.size):
        out[k] = line[k]


@jit(inline=True, fastmath=False)
def _uniform(words, line, x, out, bottom, top, length):  # type: ignore[no-untyped-def]
    _weave(words, line)
    last = np.nextafter(top, bottom)
    for k in range(out.size):
        unit = np.float32(np.int32(line[k] >> np.uint32(8))) * np.float32(2.0**-24)
        value = bottom + unit * length
        out[k] = select(value >= top, last, value)


@jit(inline=True, fastmath=False)
def _uniform64(words, line, x, out, bottom, top, length):  # type: ignore[no-untyped-def]
    _weave64(words, line)
    last = np.nextafter(top, bottom)
    for k in range(out.size):
        unit = np.float64(np.int64(line[k] >> np.uint64(11))) * 2.0**-53
        value = bottom + unit * length
        out[k] = select(value >= top, last, value)


@jit(inline=True, fastmath=False)
def _randint(words, line, x, out, low, length, unused):  # type: ignore[no-untyped-def]
    _weave64(words, line)
    b0, b1 = length & _LOW, length >> _HALF
    for k in range(out.size):
        a0, a1 = line[k] & _LOW, line[k] >> _HALF
        middle = a1 * b0 + (a0 * b0 >> _HALF)
        upper = a1 * b1 + (middle >> _HALF) + (a0 * b1 + (middle & _LOW) >> _HALF)
        out[k] = np.int64(low + upper)


@jit(inline=True, fastmath=False)
def _dropout(words, line, x, out, threshold, scale, unused):  # type: ignore[no-untyped-def]
    _weave(words, line)
    for k in range(out.size):
        out[k] = select(np.uint64(line[k]) >= threshold, x[k] * scale, x.dtype.type(0.0))


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _polynomial(typing_context: Any, x: Any, coefficients: Any) -> Any:
    """Horner's rule, highest power first, in separate multiplications and additions."""
    if not (isinstance(coefficients, types.UniTuple) and coefficients.dtype == x):
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        result = builder.extract_value(values[1], 0)
        for i in range(1, coefficients.count):
            result = builder.fadd(builder.fmul(result, values[0]), builder.extract_value(values[1], i))
        return result

    return x(x, coefficients), emit


def _box_muller(real: Any, signed: Any, unsigned: Any, width: int, fraction: int) -> Any:
    """``pair(u, v)``: two normal numbers from two unsigned words (of 32 or 64 bits)."""
    name = np.dtype(real).name
    log, sin, cos = (tuple(real(c) for c in table[name]) for table in (constants.LOG, constants.SIN, constants.COS))
    ln2, sqrt_half, half_pi = real(constants.LN2), real(constants.SQRT_HALF), real(constants.HALF_PI)
    one, two, minus_two = real(1.0), real(2.0), real(-2.0)
    shift = unsigned(0 if width == 32 else 11)
    unit, half_unit = real(2.0 ** -(width - int(shift))), real(2.0 ** -(width - int(shift) + 1))
    eighth, quarter_bits, quarter = unsigned(2 ** (width - 3)), unsigned(width - 2), real(2.0 ** -(width - 2))
    fraction_bits, exponent_bias = signed(fraction), signed(126 if width == 32 else 1022)
    fraction_mask = signed(2**fraction - 1)
    half_exponent = signed(exponent_bias << fraction_bits)

    @jit(inline=True, fastmath=False)
    def pair(u, v):  # type: ignore[no-untyped-def]
        x = real(unsigned(u >> shift)) * unit + half_unit
        whole = bits(x)
        exponent = real(signed((whole >> fraction_bits) - exponent_bias))
        mantissa = from_bits(signed((whole & fraction_mask) | half_exponent))
        small = mantissa < sqrt_half
        mantissa = select(small, mantissa + mantissa, mantissa)
        exponent = select(small, exponent - one, exponent)
        s = (mantissa - one) / (mantissa + one)
        square = s * s
        logarithm = exponent * ln2 + (s + s * (square * _polynomial(square, log))) * two
        radius = math.sqrt(minus_two * logarithm)

        quadrant = unsigned(unsigned(v + eighth) >> quarter_bits)
        turn = real(signed(unsigned(v - unsigned(quadrant << quarter_bits)))) * quarter
        angle = turn * half_pi
        square = angle * angle
        sine = angle + angle * (square * _polynomial(square, sin))
        cosine = one + square * _polynomial(square, cos)
        odd = (quadrant & unsigned(1)) != unsigned(0)
        a, b = select(odd, sine, cosine), select(odd, cosine, sine)
        a = select((quadrant == unsigned(1)) | (quadrant == unsigned(2)), -a, a)
        b = select(quadrant >= unsigned(2), -b, b)
        return radius * a, radius * b

    return pair


_pair32 = _box_muller(np.float32, np.int32, np.uint32, 32, 23)
_pair64 = _box_muller(np.float64, np.int64, np.uint64, 64, 52)


@jit(inline=True, fastmath=False)
def _normal(words, line, x, out, mean, std, unused):  # type: ignore[no-untyped-def]
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    z = np.empty((4, BLOCKS), np.float32)
    z0, z1, z2, z3 = z[0], z[1], z[2], z[3]
    for block in range(BLOCKS):
        a, b = _pair32(w0[block], w1[block])
        z0[block], z1[block] = a * std + mean, b * std + mean
    for block in range(BLOCKS):
        a, b = _pair32(w2[block], w3[block])
        z2[block], z3[block] = a * std + mean, b * std + mean
    _weave(z, line)
    for k in range(out.size):
        out[k] = line[k]


@jit(inline=True, fastmath=False)
def _normal64(words, line, x, out, mean, std, unused):  # type: ignore[no-untyped-def]
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    z = np.empty((2, BLOCKS), np.float64)
    z0, z1 = z[0], z[1]
    for block in range(BLOCKS):
        u = np.uint64(w0[block]) << _HALF | np.uint64(w1[block])
        a, b = _pair64(u, np.uint64(w2[block]) << _HALF | np.uint64(w3[block]))
        z0[block], z1[block] = a * std + mean, b * std + mean
    for block in range(BLOCKS):
        line[2 * block], line[2 * block + 1] = z0[block], z1[block]
    for k in range(out.size):
        out[k] = line[k]


words32 = _stream("words32", 4 * BLOCKS, np.uint32, _copy)
words64 = _stream("words64", 2 * BLOCKS, np.uint64, _copy64)
uniform32 = _stream("uniform32", 4 * BLOCKS, np.uint32, _uniform)
uniform64 = _stream("uniform64", 2 * BLOCKS, np.uint64, _uniform64)
normal32 = _stream("normal32", 4 * BLOCKS, np.float32, _normal)
normal64 = _stream("normal64", 2 * BLOCKS, np.float64, _normal64)
integers = _stream("integers", 2 * BLOCKS, np.uint64, _randint)
drop = _stream("drop", 4 * BLOCKS, np.uint32, _dropout)

DIGIT = 11  # bits a pass of `sort` orders by: its counters stay in the first-level cache


@jit(fastmath=False)
def sort(keys, order, spare_keys, spare_order):  # type: ignore[no-untyped-def]
    """``order``: the indices that sort ``keys`` stably, digit by digit from the lowest, in an even number of passes."""
    n = keys.size
    mask = np.uint64((1 << DIGIT) - 1)
    counts = np.empty((1 << DIGIT) + 1, np.int64)
    for k in range(n):
        order[k] = k
    for digit in range((64 + DIGIT - 1) // DIGIT):
        shift = np.uint64(digit * DIGIT)
        counts[:] = 0
        for k in range(n):
            counts[np.int64(keys[k] >> shift & mask) + 1] += 1
        for d in range(1 << DIGIT):
            counts[d + 1] += counts[d]
        for k in range(n):
            d = np.int64(keys[k] >> shift & mask)
            spare_keys[counts[d]], spare_order[counts[d]] = keys[k], order[k]
            counts[d] += 1
        keys, spare_keys, order, spare_order = spare_keys, keys, spare_order, order
