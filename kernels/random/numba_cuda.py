"""Random numbers with Numba's CUDA target: a thread makes blocks of four words; `bits.py` explains the arithmetic.

Products are rounded by themselves: no compiler may join them with a sum, for the bits are part of the contract.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import dtypes
from ..cuda_memory import empty
from ..numba_launch import Kernel, cuda, device, flat, flat_grid, kernel, rounded_product, smaller, square_root, written
from ..numba_launch import real_of as _real_of
from . import bits

Array = Any

_LOW, _HALF, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(0)
_M0, _M1 = np.uint64(bits.MULTIPLIER_0), np.uint64(bits.MULTIPLIER_1)
_W0, _W1 = np.uint64(bits.WEYL_0), np.uint64(bits.WEYL_1)
_ROUNDS = bits.ROUNDS


def _philox(block: int, seed: Any, offset: Any) -> Any:
    """The four words of a block of the stream, as uint64."""
    counter = np.uint64(block)
    c0, c1, c2, c3 = counter & _LOW, counter >> _HALF, offset & _LOW, offset >> _HALF
    k0, k1 = seed & _LOW, seed >> _HALF
    for _ in range(_ROUNDS):
        product0, product1 = c0 * _M0, c2 * _M1
        c0, c1 = (product1 >> _HALF) ^ c1 ^ k0, product1 & _LOW
        c2, c3 = (product0 >> _HALF) ^ c3 ^ k1, product0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


philox = device(_philox)


def _word(block: Any, place: int) -> Any:
    """One of the four words of a block."""
    if place < 2:
        return block[0] if place == 0 else block[1]
    return block[2] if place == 2 else block[3]


word = device(_word)


def _wide_word(block: Any, place: int) -> Any:
    """One of the two 64-bit values of a block, the earlier word high."""
    return (block[0] << _HALF) | block[1] if place == 0 else (block[2] << _HALF) | block[3]


wide_word = device(_wide_word)


@kernel
def random_words(out: Array, count: int, seed: Any, offset: Any) -> None:
    for block in range(cuda.grid(1), (count + 3) // 4, cuda.gridsize(1)):
        words = philox(block, seed, offset)
        for place in range(smaller(4, count - 4 * block)):
            out[4 * block + place] = word(words, place)


@kernel
def random_wide_words(out: Array, count: int, seed: Any, offset: Any) -> None:
    for block in range(cuda.grid(1), (count + 1) // 2, cuda.gridsize(1)):
        words = philox(block, seed, offset)
        for place in range(smaller(2, count - 2 * block)):
            out[2 * block + place] = wide_word(words, place)


def _key(seed: int, offset: int) -> tuple[Any, Any]:
    return np.uint64(seed), np.uint64(offset)


def _blocks(out: Array, words: int) -> tuple[int, int]:
    return flat_grid(-(-out.size // words))


def random_bits(*, shape: tuple[int, ...], seed: int, offset: int, out: Array) -> None:
    if out.size:
        with written(out) as result:
            random_words[_blocks(out, 4)](result, out.size, *_key(seed, offset))


@functools.cache
def _uniform(double: bool, half: bool) -> Kernel:
    real: Any = np.float64 if double else np.float32
    each, shift, unit = (2, np.uint64(11), real(2.0**-53)) if double else (4, np.uint64(8), real(2.0**-24))
    pick, times = wide_word if double else word, rounded_product(real)

    def uniform(out: Array, count: int, seed: Any, offset: Any, bottom: Any, top: Any, last: Any, length: Any) -> None:
        for block in range(cuda.grid(1), (count + each - 1) // each, cuda.gridsize(1)):
            words = philox(block, seed, offset)
            for place in range(smaller(each, count - each * block)):
                value = bottom + times(times(real(pick(words, place) >> shift), unit), length)
                if value >= top:  # rounding may reach the upper bound, which is excluded
                    value = last
                if half:  # rounded down, to a multiple of float16's step there
                    _, exponent = math.frexp(value)
                    step = math.ldexp(1.0, exponent - 11 if exponent > -13 else -24)
                    value = real(math.floor(value / step) * step)
                out[each * block + place] = value

    return Kernel(uniform)


def uniform(
    *,
    shape: tuple[int, ...],
    seed: int,
    offset: int,
    dtype: np.dtype[Any],
    low: float = 0.0,
    high: float = 1.0,
    out: Array,
) -> None:
    if out.size == 0:
        return
    double = dtype == dtypes.float64
    bottom, top, length = bits.bounds(dtype, low, high)
    with written(out) as result:
        run = _uniform(double, dtypes.is_half(dtype))
        attributes = (bottom, top, np.nextafter(top, bottom), length)
        run[_blocks(out, 2 if double else 4)](result, out.size, *_key(seed, offset), *attributes)


@functools.cache
def _polynomial(coefficients: tuple[float, ...], real: Any) -> Any:
    """A polynomial by Horner's rule, highest power first."""
    times, first, rest = rounded_product(real), real(coefficients[0]), tuple(map(real, coefficients[1:]))

    def polynomial(x: Any) -> Any:
        result = first
        for i in range(len(rest)):
            result = times(result, x) + rest[i]
        return result

    return device(polynomial)


@functools.cache
def _log(real: Any) -> Any:
    """Natural logarithm of positive normal numbers: exponent times ln 2 plus an atanh series."""
    times, series = rounded_product(real), _polynomial(bits.LOG[np.dtype(real).name], real)
    root, one, two, ln2 = real(bits.SQRT_HALF), real(1.0), real(2.0), real(bits.LN2)

    def log(x: Any) -> Any:
        split, exponent = math.frexp(x)
        fraction = real(split)
        if fraction < root:
            fraction = fraction + fraction
            exponent -= 1
        s = (fraction - one) / (fraction + one)
        square = times(s, s)
        tail = s + times(s, times(square, series(square)))
        return times(real(exponent), ln2) + times(tail, two)

    return device(log)


@functools.cache
def _normal(double: bool) -> Kernel:
    real: Any = np.float64 if double else np.float32
    name = np.dtype(real).name
    times, log = rounded_product(real), _log(real)
    sine_series, cosine_series = _polynomial(bits.SIN[name], real), _polynomial(bits.COS[name], real)
    width = 64 if double else 32
    each, pick = (2, wide_word) if double else (4, word)
    drop, unit, half_unit = (
        (np.uint64(11), real(2.0**-53), real(2.0**-54)) if double else (_ZERO, real(2.0**-32), real(2.0**-33))
    )
    eighth, quarter = np.uint64(2 ** (width - 3)), np.uint64(width - 2)
    mask, back = np.uint64(2**width - 1), np.uint64(2 ** (width - 1))
    turn_unit, half_pi, one, minus_two = real(2.0 ** -(width - 2)), real(bits.HALF_PI), real(1.0), real(-2.0)

    def normal(out: Array, count: int, seed: Any, offset: Any, mean: Any, std: Any) -> None:
        for block in range(cuda.grid(1), (count + each - 1) // each, cuda.gridsize(1)):
            words = philox(block, seed, offset)
            for pair in range(0, smaller(each, count - each * block), 2):
                uniform = times(real(pick(words, pair) >> drop), unit) + half_unit
                angle_word = pick(words, pair + 1)
                quadrant = ((angle_word + eighth) & mask) >> quarter
                rest = (angle_word - (quadrant << quarter)) & mask
                # A signed number of that width.
                turn = real(rest) if rest < back else -real((~rest + np.uint64(1)) & mask)
                angle = times(times(turn, turn_unit), half_pi)
                square = times(angle, angle)
                sine = angle + times(angle, times(square, sine_series(square)))
                cosine = one + times(square, cosine_series(square))
                radius = square_root(times(minus_two, log(uniform)))
                odd = quadrant == np.uint64(1) or quadrant == np.uint64(3)
                x, y = (sine, cosine) if odd else (cosine, sine)
                if quadrant == np.uint64(1) or quadrant == np.uint64(2):
                    x = -x
                if quadrant >= np.uint64(2):
                    y = -y
                at = each * block + pair
                out[at] = times(times(radius, x), std) + mean
                if at + 1 < count:
                    out[at + 1] = times(times(radius, y), std) + mean

    return Kernel(normal)


def normal(
    *,
    shape: tuple[int, ...],
    seed: int,
    offset: int,
    dtype: np.dtype[Any],
    mean: float = 0.0,
    std: float = 1.0,
    out: Array,
) -> None:
    if out.size == 0:
        return
    double, real = dtype == dtypes.float64, _real_of(dtype)
    with written(out) as result:
        attributes = (*_key(seed, offset), real(mean), real(std))
        _normal(double)[_blocks(out, 2 if double else 4)](result, out.size, *attributes)


def _multiply_high(a: Any, b: Any) -> Any:
    """The upper 64 bits of the 128-bit product."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + (a0 * b0 >> _HALF)
    return a1 * b1 + (middle >> _HALF) + ((a0 * b1 + (middle & _LOW)) >> _HALF)


multiply_high = device(_multiply_high)


@kernel
def random_integers(out: Array, count: int, seed: Any, offset: Any, low: Any, span: Any) -> None:
    for block in range(cuda.grid(1), (count + 1) // 2, cuda.gridsize(1)):
        words = philox(block, seed, offset)
        for place in range(smaller(2, count - 2 * block)):
            out[2 * block + place] = multiply_high(wide_word(words, place), span) + low


def randint(*, shape: tuple[int, ...], seed: int, offset: int, low: int, high: int, out: Array) -> None:
    if out.size:
        with written(out) as result:  # as unsigned, which wraps around to the same bits
            attributes = (*_key(seed, offset), np.uint64(low % 2**64), np.uint64(high - low))
            random_integers[_blocks(out, 2)](result.view(np.uint64), out.size, *attributes)


@kernel
def ranks(keys: Array, out: Array, count: int) -> None:
    """Each place goes to where its key stands among all, earlier ones first where they are equal."""
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        own, rank = keys[i], 0
        for j in range(count):
            other = keys[j]
            if other < own or (other == own and j < i):
                rank += 1
        out[rank] = i


def permutation(*, n: int, seed: int, offset: int, out: Array) -> None:
    if n == 0:
        return
    keys = empty((n,), np.dtype(np.uint64), like=out)
    random_wide_words[_blocks(keys, 2)](keys, n, *_key(seed, offset))
    with written(out) as result:
        ranks[flat_grid(n)](keys, result, n)


@functools.cache
def _dropout(real: Any) -> Kernel:
    zero = real(0.0)

    def dropout(x: Array, out: Array, count: int, seed: Any, offset: Any, threshold: Any, scale: Any) -> None:
        for block in range(cuda.grid(1), (count + 3) // 4, cuda.gridsize(1)):
            words = philox(block, seed, offset)
            for place in range(smaller(4, count - 4 * block)):
                at = 4 * block + place
                out[at] = real(x[at]) * scale if word(words, place) >= threshold else zero

    return Kernel(dropout)


def dropout(x: Array, *, p: float, seed: int, offset: int, out: Array) -> None:
    if x.size:
        attributes = (bits.threshold(p), bits.keep_scale(dtypes.accumulator(x.dtype), p))
        with written(out) as result:
            run = _dropout(_real_of(x.dtype))
            run[_blocks(out, 4)](flat(x), result, x.size, *_key(seed, offset), *attributes)
