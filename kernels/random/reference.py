"""Random numbers in plain NumPy; `bits.py` explains the arithmetic that every backend repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from . import bits

Array = Any


def random_bits(*, shape: tuple[int, ...], seed: int, offset: int) -> Array:
    return _words(_count(shape), seed, offset).reshape(shape)


def uniform(
    *, shape: tuple[int, ...], seed: int, offset: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0
) -> Array:
    wide = dtypes.accumulator(dtype)
    if wide == dtypes.float64:
        unit = (_words64(_count(shape), seed, offset) >> np.uint64(11)).astype(wide) * wide.type(2.0**-53)
    else:
        unit = (_words(_count(shape), seed, offset) >> np.uint32(8)).astype(wide) * wide.type(2.0**-24)
    bottom, top, length = bits.bounds(dtype, low, high)
    result = bottom + unit * length
    # Rounding may reach the upper bound, which is excluded.
    result = np.where(result >= top, np.nextafter(top, bottom), result)
    return _round_down(result, dtype).reshape(shape)


def normal(
    *, shape: tuple[int, ...], seed: int, offset: int, dtype: np.dtype[Any], mean: float = 0.0, std: float = 1.0
) -> Array:
    wide = dtypes.accumulator(dtype)
    count = _count(shape)
    if wide == dtypes.float64:
        words = _words64(count + count % 2, seed, offset)
        unit = (words[0::2] >> np.uint64(11)).astype(wide) * wide.type(2.0**-53) + wide.type(2.0**-54)
        quadrant, turn = _quarter_turns(words[1::2], 64)
    else:
        words = _words(count + count % 2, seed, offset)
        unit = words[0::2].astype(wide) * wide.type(2.0**-32) + wide.type(2.0**-33)
        quadrant, turn = _quarter_turns(words[1::2], 32)
    radius = np.sqrt(wide.type(-2.0) * _log(unit))
    sine, cosine = _sin_cos(turn.astype(wide))
    odd = (quadrant & 1) == 1
    swapped_cosine: Array = np.where(odd, sine, cosine)
    swapped_sine: Array = np.where(odd, cosine, sine)
    x = np.where((quadrant == 1) | (quadrant == 2), -swapped_cosine, swapped_cosine)
    y = np.where(quadrant >= 2, -swapped_sine, swapped_sine)
    z = np.stack([radius * x, radius * y], axis=1).reshape(-1)[:count]
    return (z * wide.type(std) + wide.type(mean)).astype(dtype).reshape(shape)


def randint(*, shape: tuple[int, ...], seed: int, offset: int, low: int, high: int) -> Array:
    product = _multiply_high(_words64(_count(shape), seed, offset), np.uint64(high - low))
    return (product + np.uint64(low % 2**64)).view(np.int64).reshape(shape)


def permutation(*, n: int, seed: int, offset: int) -> Array:
    return np.argsort(_words64(n, seed, offset), kind="stable").astype(np.int64)


def dropout(x: Array, *, p: float, seed: int, offset: int) -> Array:
    wide = dtypes.accumulator(x.dtype)
    kept = _words(x.size, seed, offset).astype(np.uint64) >= bits.threshold(p)
    return np.where(kept.reshape(x.shape), x.astype(wide) * bits.keep_scale(wide, p), wide.type(0)).astype(x.dtype)


def _philox(counter: Array, key: Array) -> Array:
    """Philox 4x32-10: ``counter`` (n, 4) and ``key`` (2,) of uint32 to (n, 4) random uint32 words."""
    low_word = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    c0, c1, c2, c3 = (np.asarray(counter)[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = (int(word) for word in key)
    for _ in range(bits.ROUNDS):
        product0 = c0 * np.uint64(bits.MULTIPLIER_0)
        product1 = c2 * np.uint64(bits.MULTIPLIER_1)
        c0, c1, c2, c3 = (
            (product1 >> half) ^ c1 ^ np.uint64(k0),
            product1 & low_word,
            (product0 >> half) ^ c3 ^ np.uint64(k1),
            product0 & low_word,
        )
        k0, k1 = (k0 + bits.WEYL_0) % 2**32, (k1 + bits.WEYL_1) % 2**32
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _words(count: int, seed: int, offset: int) -> Array:
    """The first ``count`` 32-bit words of the stream."""
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    counter = np.empty((blocks.size, 4), np.uint32)
    counter[:, 0] = blocks & np.uint64(0xFFFFFFFF)
    counter[:, 1] = blocks >> np.uint64(32)
    counter[:, 2] = offset % 2**32
    counter[:, 3] = offset // 2**32
    return _philox(counter, (seed % 2**32, seed // 2**32)).reshape(-1)[:count]


def _words64(count: int, seed: int, offset: int) -> Array:
    """The first ``count`` 64-bit values of the stream, the earlier word high."""
    words = _words(2 * count, seed, offset).astype(np.uint64)
    return words[0::2] << np.uint64(32) | words[1::2]


def _multiply_high(a: Array, b: Any) -> Array:
    """The upper 64 bits of the 128-bit products ``a * b``."""
    low_word, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & low_word, a >> half, b & low_word, b >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    return a1 * b1 + (middle >> half) + (a0 * b1 + (middle & low_word) >> half)


def _quarter_turns(words: Array, width: int) -> tuple[Array, Array]:
    """A random full turn as its nearest quadrant and the signed rest in quarter turns, [-1/2, 1/2)."""
    unsigned, signed = words.dtype.type, {32: np.int32, 64: np.int64}[width]
    quadrant = words + unsigned(2 ** (width - 3)) >> unsigned(width - 2)
    rest = (words - (quadrant << unsigned(width - 2))).view(signed)
    turn = rest.astype(np.float32 if width == 32 else np.float64)
    return quadrant, turn * turn.dtype.type(2.0 ** -(width - 2))


def _log(x: Array) -> Array:
    """Natural logarithm of positive normal ``x``: exponent times ln 2 plus an atanh series."""
    wide = x.dtype.type
    fraction, exponent = np.frexp(x)
    small = fraction < wide(bits.SQRT_HALF)
    fraction = np.where(small, fraction + fraction, fraction)
    exponent = np.where(small, exponent - 1, exponent).astype(x.dtype)
    shifted = fraction - wide(1.0)
    s = shifted / (fraction + wide(1.0))
    square = s * s
    series = _horner(square, bits.LOG[x.dtype.name])
    return exponent * wide(bits.LN2) + (s + s * (square * series)) * wide(2.0)


def _sin_cos(turn: Array) -> tuple[Array, Array]:
    """Sine and cosine of ``turn`` quarter turns, for ``|turn| <= 1/2``, by their Taylor series."""
    wide = turn.dtype.type
    angle = turn * wide(bits.HALF_PI)
    square = angle * angle
    sine = angle + angle * (square * _horner(square, bits.SIN[turn.dtype.name]))
    cosine = wide(1.0) + square * _horner(square, bits.COS[turn.dtype.name])
    return sine, cosine


def _horner(x: Array, coefficients: tuple[float, ...]) -> Array:
    """The polynomial with ``coefficients``, highest power first."""
    result = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        result = result * x + x.dtype.type(coefficient)
    return result


def _round_down(x: Array, dtype: np.dtype[Any]) -> Array:
    """``x`` as ``dtype``, rounded toward minus infinity."""
    nearest = x.astype(dtype)
    below = np.nextafter(nearest, dtype.type(-np.inf))
    return np.where(nearest.astype(x.dtype) > x, below, nearest)
