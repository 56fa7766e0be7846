"""Contracts of the random numbers: pure functions of (seed, offset, element index).

Every operation reads one stream of Philox 4x32-10 blocks: the key is the 64-bit seed, the counter
is (block index, offset), both 64 bits with the low word first, and a block is four 32-bit words.
Element ``i`` of a result takes word ``i % 4`` of block ``i // 4``; where it needs 64 bits it takes
words ``2 * (i % 2)`` (high) and ``2 * (i % 2) + 1`` (low) of block ``i // 2``. Elements count in C
order, and the arithmetic after the bits is defined to the last rounding (`bits.py`), so every
backend gives the same array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation

Array = Any

_PHILOX = "Philox 4x32-10: Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011"
_UINT32 = np.dtype("uint32")
_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (5,), (31,), (4, 8), (3, 0, 2), (3, 5, 7), (40_001,))


def _word64(operation: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{operation}: {name} must be an int, not {type(value).__name__}")
    if not 0 <= value < 2**64:
        raise ValueError(f"{operation}: {name} (={value}) must be in [0, 2**64)")


def _stream(operation: str, shape: Any, seed: Any, offset: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple):
        raise TypeError(f"{operation}: shape must be a tuple of ints, not {type(shape).__name__}")
    for n in shape:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"{operation}: shape (={shape}) must hold ints")
        if n < 0:
            raise ValueError(f"{operation}: shape (={shape}) must not hold a negative size")
    _word64(operation, "seed", seed)
    _word64(operation, "offset", offset)
    return shape


def _floating(operation: str, dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or not dtypes.is_floating(dtype):
        raise TypeError(f"{operation}: dtype must be a floating NumPy dtype, not {dtype!r}")
    return dtype


def _samples(**attributes: Any) -> Callable[[np.random.Generator, np.dtype[Any]], Iterator[Sample]]:
    """Samples over all shapes with fresh seeds, each with ``attributes`` added."""

    def samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
        for shape in _SHAPES:
            stream = {"shape": shape, "seed": int(rng.integers(2**63)), "offset": int(rng.integers(2**40))}
            yield Sample((), {**stream, **attributes}, f"{shape}")
        yield Sample(
            (), {"shape": (9,), "seed": 2**64 - 1, "offset": 2**64 - 1, **attributes}, "largest seed and offset"
        )

    return samples


def _wrong_stream(**attributes: Any) -> Iterator[Wrong]:
    good = {"shape": (2,), "seed": 0, "offset": 0, **attributes}
    yield Wrong((), {**good, "shape": (2, -3)}, ValueError, r"shape \(=\(2, -3\)\)")
    yield Wrong((), {**good, "shape": [2]}, TypeError, "shape must be a tuple of ints, not list")
    yield Wrong((), {**good, "seed": -1}, ValueError, r"seed \(=-1\) must be in \[0, 2\*\*64\)")
    yield Wrong((), {**good, "offset": 0.5}, TypeError, "offset must be an int, not float")


@operation(samples=_samples(), wrong=_wrong_stream, dtypes=(dtypes.int64,), error="exact", source=_PHILOX)
def random_bits(*, shape: tuple[int, ...], seed: int, offset: int) -> Spec:
    """Uniform 32-bit words, dtype uint32.

    Args:
        shape: shape of the result.
        seed: key of the stream, in [0, 2**64).
        offset: which of the seed's 2**64 streams, in [0, 2**64).

    Raises:
        TypeError: if ``shape`` is no tuple of ints, or ``seed`` or ``offset`` no int.
        ValueError: if a size is negative, or ``seed`` or ``offset`` out of range.
    """
    return Spec(_stream("random_bits", shape, seed, offset), _UINT32)


def _uniform_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    yield from _samples(dtype=dtype)(rng, dtype)
    yield from list(_samples(dtype=dtype, low=-0.3, high=1.7)(rng, dtype))[5:8]
    yield Sample((), {"shape": (7,), "seed": 1, "offset": 2, "dtype": dtype, "low": 2.0, "high": 2.0}, "empty interval")
    yield Sample((), {"shape": (999,), "seed": 3, "offset": 4, "dtype": dtype, "low": -1e-6, "high": 1e-6}, "subnormal")


def _wrong_uniform() -> Iterator[Wrong]:
    good = {"shape": (2,), "seed": 0, "offset": 0, "dtype": dtypes.float32}
    yield from _wrong_stream(dtype=dtypes.float32)
    yield Wrong((), {**good, "dtype": dtypes.int64}, TypeError, "floating NumPy dtype, not dtype.'int64'")
    yield Wrong((), {**good, "low": 2.0, "high": 1.0}, ValueError, r"low \(=2.0\) must not exceed high \(=1.0\)")
    yield Wrong((), {**good, "high": float("inf")}, ValueError, r"\[0.0, inf\) must be finite in float32")
    yield Wrong((), {**good, "dtype": dtypes.float16, "high": 1e5}, ValueError, r"\[0.0, 100000.0\) .* float16")


@operation(samples=_uniform_samples, wrong=_wrong_uniform, error="exact", source=_PHILOX)
def uniform(
    *, shape: tuple[int, ...], seed: int, offset: int, dtype: np.dtype[Any], low: float = 0.0, high: float = 1.0
) -> Spec:
    """Uniform numbers in [low, high), or ``low`` everywhere if the bounds are equal.

    float64 takes 53 random bits, every other dtype 24; the halves are computed in float32 and rounded
    down, so ``high`` never appears. ``low`` and ``high`` are rounded to ``dtype`` first.

    Args:
        shape, seed, offset: as for `random_bits`.
        dtype: floating dtype of the result.
        low, high: finite bounds, ``low <= high``.

    Raises:
        TypeError: if ``dtype`` is not floating, or as `random_bits`.
        ValueError: if ``low > high`` or the bounds or their distance overflow ``dtype``.
    """
    result = Spec(_stream("uniform", shape, seed, offset), _floating("uniform", dtype))
    if low > high:
        raise ValueError(f"uniform: low (={low}) must not exceed high (={high})")
    if low != 0.0 or high != 1.0:
        with np.errstate(over="ignore", invalid="ignore"):
            bounds = np.array([low, high, high - low]).astype(dtype).astype(np.float64)
        if not np.isfinite(bounds).all():
            raise ValueError(f"uniform: bounds and length of [{low}, {high}) must be finite in {dtype}")
    return result


def _normal_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    yield from _samples(dtype=dtype)(rng, dtype)
    yield from list(_samples(dtype=dtype, mean=-0.3, std=1.7)(rng, dtype))[5:8]
    yield Sample((), {"shape": (7,), "seed": 1, "offset": 2, "dtype": dtype, "mean": 2.0, "std": 0.0}, "no spread")


def _wrong_normal() -> Iterator[Wrong]:
    good = {"shape": (2,), "seed": 0, "offset": 0, "dtype": dtypes.float32}
    yield from _wrong_stream(dtype=dtypes.float32)
    yield Wrong((), {**good, "dtype": dtypes.bool_}, TypeError, "floating NumPy dtype, not dtype.'bool'")
    yield Wrong((), {**good, "std": -0.5}, ValueError, r"std \(=-0.5\) must not be negative")


@operation(
    samples=_normal_samples,
    wrong=_wrong_normal,
    error="exact",
    source=_PHILOX + "; Box and Muller, A Note on the Generation of Random Normal Deviates, 1958",
)
def normal(
    *, shape: tuple[int, ...], seed: int, offset: int, dtype: np.dtype[Any], mean: float = 0.0, std: float = 1.0
) -> Spec:
    """Normally distributed numbers ``mean + std * z``.

    Elements ``2 j`` and ``2 j + 1`` are the cosine and sine parts of one Box-Muller pair, from two
    32-bit words (word pair ``j % 2`` of block ``j // 2``; ``|z| <= 6.8``), for float64 from two 64-bit
    values (block ``j``). Logarithm, cosine and sine are series in plain IEEE additions,
    multiplications and divisions, the same on every device. The halves are computed in float32.

    Args:
        shape, seed, offset: as for `random_bits`.
        dtype: floating dtype of the result.
        mean, std: location and standard deviation, ``std >= 0``.

    Raises:
        TypeError: if ``dtype`` is not floating, or as `random_bits`.
        ValueError: if ``std < 0``, or as `random_bits`.
    """
    result = Spec(_stream("normal", shape, seed, offset), _floating("normal", dtype))
    if not std >= 0:
        raise ValueError(f"normal: std (={std}) must not be negative")
    return result


def _randint_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    yield from _samples(low=-5, high=12)(rng, dtype)
    yield Sample((), {"shape": (9,), "seed": 1, "offset": 2, "low": 3, "high": 4}, "one value")
    extremes = {"low": -(2**63), "high": 2**63 - 1}
    yield Sample((), {"shape": (99,), "seed": 1, "offset": 2, **extremes}, "widest range")


def _wrong_randint() -> Iterator[Wrong]:
    good = {"shape": (2,), "seed": 0, "offset": 0, "low": 0, "high": 10}
    yield from _wrong_stream(low=0, high=10)
    yield Wrong((), {**good, "low": 10}, ValueError, r"low \(=10\) must be less than high \(=10\)")
    yield Wrong((), {**good, "high": 2**63}, ValueError, r"high \(=9223372036854775808\) .* int64")
    yield Wrong((), {**good, "high": 2.5}, TypeError, "high must be an int, not float")


@operation(
    samples=_randint_samples,
    wrong=_wrong_randint,
    dtypes=(dtypes.int64,),
    error="exact",
    source=_PHILOX + "; multiply-shift: Lemire, Fast Random Integer Generation in an Interval, 2019",
)
def randint(*, shape: tuple[int, ...], seed: int, offset: int, low: int, high: int) -> Spec:
    """Uniform int64 numbers in [low, high).

    The value is ``low + floor(bits * (high - low) / 2**64)`` with 64 random bits: no value's
    probability is off by more than 2**-64.

    Args:
        shape, seed, offset: as for `random_bits`.
        low, high: bounds in the range of int64, ``low < high``.

    Raises:
        TypeError: if a bound is no int, or as `random_bits`.
        ValueError: if ``low >= high`` or a bound is not an int64, or as `random_bits`.
    """
    for name, bound in (("low", low), ("high", high)):
        if isinstance(bound, bool) or not isinstance(bound, (int, np.integer)):
            raise TypeError(f"randint: {name} must be an int, not {type(bound).__name__}")
        if not -(2**63) <= bound < 2**63:
            raise ValueError(f"randint: {name} (={bound}) must be in the range of int64")
    if low >= high:
        raise ValueError(f"randint: low (={low}) must be less than high (={high})")
    return Spec(_stream("randint", shape, seed, offset), dtypes.int64)


def _permutation_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for n in (0, 1, 2, 31, 257, 20_011):
        yield Sample((), {"n": n, "seed": int(rng.integers(2**63)), "offset": int(rng.integers(2**40))}, f"n = {n}")


def _wrong_permutation() -> Iterator[Wrong]:
    yield Wrong((), {"n": -1, "seed": 0, "offset": 0}, ValueError, r"n \(=-1\) must not be negative")
    yield Wrong((), {"n": 2.0, "seed": 0, "offset": 0}, TypeError, "n must be an int, not float")
    yield Wrong((), {"n": 2, "seed": 2**64, "offset": 0}, ValueError, r"seed \(=18446744073709551616\)")


@operation(
    samples=_permutation_samples, wrong=_wrong_permutation, dtypes=(dtypes.int64,), error="exact", source=_PHILOX
)
def permutation(*, n: int, seed: int, offset: int) -> Spec:
    """A random permutation of 0, 1, ..., n - 1 as int64, shape (n,).

    The indices sorted by 64-bit random keys, equal keys in index order.

    Args:
        n: length.
        seed, offset: as for `random_bits`.

    Raises:
        TypeError: if ``n``, ``seed`` or ``offset`` is no int.
        ValueError: if ``n`` is negative, or ``seed`` or ``offset`` out of range.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"permutation: n must be an int, not {type(n).__name__}")
    if n < 0:
        raise ValueError(f"permutation: n (={n}) must not be negative")
    return Spec(_stream("permutation", (int(n),), seed, offset), dtypes.int64)


def _dropout_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, p in zip(_SHAPES, (0.5, 0.5, 0.1, 0.3, 0.0, 0.9, 0.5, 0.25, 0.1), strict=True):
        x = rng.standard_normal(shape).astype(dtype)
        yield Sample((x,), {"p": p, "seed": int(rng.integers(2**63)), "offset": int(rng.integers(2**40))}, f"{shape}")
    x = rng.standard_normal((7, 6)).astype(dtype)
    yield Sample((x.T,), {"p": 0.5, "seed": 1, "offset": 2}, "transposed")
    yield Sample((x[::-2, ::3],), {"p": 0.5, "seed": 1, "offset": 2}, "strided")
    yield Sample((x,), {"p": 1.0, "seed": 1, "offset": 2}, "all dropped")
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0] * 8).astype(dtype)
    yield Sample((special,), {"p": 0.5, "seed": 1, "offset": 2}, "special values")


def _wrong_dropout() -> Iterator[Wrong]:
    x = np.zeros(3, np.float32)
    stream = {"seed": 0, "offset": 0}
    yield Wrong((x,), {"p": 1.5, **stream}, ValueError, r"p \(=1.5\) must be in \[0, 1\]")
    yield Wrong((x,), {"p": float("nan"), **stream}, ValueError, r"p \(=nan\) must be in \[0, 1\]")
    yield Wrong((x.astype(np.int32),), {"p": 0.5, **stream}, TypeError, "x must have a floating dtype, not int32")
    yield Wrong((x,), {"p": 0.5, "seed": -2, "offset": 0}, ValueError, r"seed \(=-2\)")


@operation(
    samples=_dropout_samples,
    wrong=_wrong_dropout,
    error="elementwise",
    source="Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 2014",
)
def dropout(x: Array, *, p: float, seed: int, offset: int) -> Spec:
    """``x / (1 - p)`` where the element's random word is at least ``p * 2**32``, else 0.

    The mask depends on ``seed``, ``offset`` and the element's index in C order only: the same call on
    the gradient is the backward. A dropped element is 0 even where ``x`` is NaN or infinite.

    Args:
        x: floating array of any shape.
        p: probability of dropping, in [0, 1].
        seed, offset: as for `random_bits`.

    Raises:
        TypeError: if ``x`` is not floating, or ``seed`` or ``offset`` no int.
        ValueError: if ``p`` is not in [0, 1], or ``seed`` or ``offset`` out of range.
    """
    check.floating("dropout", x=x)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p (={p}) must be in [0, 1]")
    _word64("dropout", "seed", seed)
    _word64("dropout", "offset", offset)
    return Spec(x.shape, x.dtype)
