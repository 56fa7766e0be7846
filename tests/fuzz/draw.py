"""What a call is made of: sizes, shapes, strides, numbers, attributes; each drawn so that Hypothesis can shrink it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from pyneural.kernels import dtypes

Array = Any
Shape = tuple[int, ...]
Fill = Callable[[np.random.Generator, Shape, np.dtype[Any]], Array]
T = TypeVar("T")

_SIZES = st.one_of(
    st.integers(0, 5), st.sampled_from([7, 8, 9, 15, 16, 17, 31, 32, 33]), st.sampled_from([63, 65, 127, 131, 257, 600])
)
_SEEDS = st.integers(0, 2**32 - 1)
_LIMITS = (60, 60, 400, 400, 3_000, 40_000)
"""Elements of a call's largest array; the last is above every kernel's threshold of parallel work."""


class Draw:
    """Draws for one call.

    Attributes:
        dtype: what the call's floating (or other) arrays have.
        rng: numbers to fill arrays with, from a drawn seed.
        limit: elements of an array, at most.
        specials: whether arrays may hold NaN, infinity and zeros of both signs.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], dtype: np.dtype[Any], specials: bool) -> None:
        self._draw = draw
        self.dtype = dtype
        self.rng = np.random.default_rng(draw(_SEEDS))
        self.limit = self.pick(*_LIMITS)
        self.specials = specials and self.chance(8)

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return int(self._draw(st.integers(low, high)))

    def number(self, low: float, high: float) -> float:
        """A number in [low, high] of few digits."""
        return self.integer(0, 100) / 100 * (high - low) + low

    def pick(self, *options: T) -> T:
        return self._draw(st.sampled_from(options))  # type: ignore[no-any-return]

    def flag(self) -> bool:
        return bool(self._draw(st.booleans()))

    def chance(self, among: int) -> bool:
        """True once in so many."""
        return self.integer(0, among - 1) == among - 1

    def reject(self) -> None:
        """Give this call up."""
        reject()

    def some(self, options: Sequence[T]) -> list[T]:
        """A selection, in any order."""
        count = self.integer(0, len(options))
        return list(self._draw(st.permutations(options)))[:count]

    def size(self, low: int = 0) -> int:
        """A length of at least ``low``: small, around a vector's, or beyond a block's."""
        return max(int(self._draw(_SIZES)), low)

    def shape(self, least: int = 0, most: int = 5, low: int = 0) -> Shape:
        """``least`` to ``most`` dimensions, at least ``low`` long, of at most ``limit`` elements."""
        return self.fit([self.size(low) for _ in range(self.integer(least, most))], low)

    def fit(self, sizes: Sequence[int], low: int = 0) -> Shape:
        """``sizes`` with the longest cut until they have at most ``limit`` elements."""
        cut = list(sizes)
        while np.prod([max(n, 1) for n in cut], dtype=float) > self.limit:
            longest = int(np.argmax(cut))
            cut[longest] = max(cut[longest] // 2, low)
        return tuple(cut)

    def narrowed(self, shape: Shape) -> Shape:
        """A shape that broadcasts to ``shape``."""
        kept = shape[self.integer(0, len(shape)) :] if self.chance(3) else shape
        return tuple(1 if self.chance(4) else n for n in kept)

    def dim(self, ndim: int) -> int:
        """A dimension, from either end; a 0-d array has one to name."""
        return self.integer(-max(ndim, 1), max(ndim, 1) - 1)

    def dims(self, ndim: int) -> Any:
        """None, a dimension, or several."""
        kind = self.pick("all", "one", "several")
        if kind == "all":
            return None
        if kind == "one" or not ndim:
            return self.dim(ndim)
        return tuple(each - ndim if self.flag() else each for each in self.some(range(ndim)))

    def pair(self, low: int, high: int, count: int = 2) -> Any:
        """One whole number in [low, high], or ``count`` of them."""
        if self.flag():
            return self.integer(low, high)
        return tuple(self.integer(low, high) for _ in range(count))

    def array(
        self, shape: Shape, fill: Fill | None = None, dtype: np.dtype[Any] | None = None, contiguous: bool = False
    ) -> Array:
        """An array of this shape: contiguous, or a view with any order, steps and direction of its dimensions."""
        dtype, fill = dtype or self.dtype, fill or normal
        if contiguous or self.flag():
            return self._spiced(fill(self.rng, shape, dtype))
        order = self._draw(st.permutations(range(len(shape))))
        steps = [self.pick(1, 1, 1, 2, 3, -1, -2) for _ in shape]
        starts = [self.integer(0, 1) for _ in shape]
        repeated = [n > 1 and self.chance(8) for n in shape]
        lengths = [
            1 if r else s + (max(n, 1) - 1) * abs(t) + 1 if n else 0
            for n, t, s, r in zip(shape, steps, starts, repeated, strict=True)
        ]
        base = self._spiced(fill(self.rng, tuple(lengths[d] for d in order), dtype))
        view = base.transpose(np.argsort(order)) if shape else base
        key = []
        for n, t, s, r, length in zip(shape, steps, starts, repeated, lengths, strict=True):
            if r or not n:
                key.append(slice(None))
            elif t > 0:
                key.append(slice(s, None, t))
            else:
                key.append(slice(length - 1 - s, None, t))
        return np.broadcast_to(view[tuple(key)], shape)

    def maybe(self, shape: Shape, fill: Fill | None = None, dtype: np.dtype[Any] | None = None) -> Array | None:
        """An array, or None."""
        return self.array(shape, fill, dtype) if self.flag() else None

    def indices(self, low: int, high: int, shape: Shape, dtype: np.dtype[Any] | None = None) -> Array:
        """Whole numbers in [low, high); ``shape`` must be empty where there are none."""
        kind = dtype or self.pick(dtypes.int64, dtypes.int64, dtypes.int32)
        return self.array(shape, lambda rng, n, d: np.asarray(rng.integers(low, max(high, low + 1), n)).astype(d), kind)

    def _spiced(self, array: Array) -> Array:
        """With a few special values, where they are wanted."""
        if self.specials and dtypes.is_floating(array.dtype) and array.size:
            values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]).astype(array.dtype)
            flat = array.reshape(-1)
            places = self.rng.integers(0, flat.size, 1 + flat.size // 20)
            flat[places] = self.rng.choice(values, places.size)
        return array


def normal(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Standard normal floats, small integers of both signs, fair booleans."""
    if dtypes.is_floating(dtype):
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    if dtype == dtypes.bool_:
        return np.asarray(rng.random(shape) < 0.5)
    return np.asarray(rng.integers(0 if dtype == dtypes.uint8 else -9, 10, shape)).astype(dtype)


def wide(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Normal floats up to about 10."""
    return np.asarray(rng.standard_normal(shape) * 3).astype(dtype)


def unit(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Normal floats below about 1."""
    return np.asarray(rng.standard_normal(shape) * 0.3).astype(dtype)


def shifted(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Normal floats around 0.7, whose sum is no difference of equals; small integers."""
    if dtypes.is_floating(dtype):
        return np.asarray(rng.standard_normal(shape) + 0.7).astype(dtype)
    return normal(rng, shape, dtype)


def positive(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Floats of 0.25 and more, integers of 1 to 10."""
    if dtypes.is_floating(dtype):
        return np.asarray(np.abs(rng.standard_normal(shape)) + 0.25).astype(dtype)
    return np.asarray(rng.integers(1, 11, shape)).astype(dtype)


def nonzero(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """`positive` numbers of both signs."""
    return np.asarray(positive(rng, shape, dtypes.float64) * rng.choice([-1, 1], shape)).astype(dtype)


def ties(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Few different numbers: extremes are met more than once."""
    return np.asarray(rng.integers(0, 3, shape)).astype(dtype)
