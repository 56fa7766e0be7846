"""Sample inputs that contracts share: odd sizes, strides, broadcasting, empty arrays, special values.

Values come from a `Fill`, e.g. `normal`; shapes and strides from the generators below. Arrays that
hold NaN or infinity, and those that take a kernel's parallel path, have more than 200 elements, so
that finite differences are taken on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .contract import Sample

Array = Any
DType = np.dtype[Any]
Fill = Callable[[np.random.Generator, "tuple[int, ...]", DType], Array]

LARGE = 16_411
"""A prime above `jit.SERIAL`: the parallel path, with a remainder for every vector width."""

LARGE_2D = (131, 127)
"""A matrix above `jit.SERIAL`, no side of which is a multiple of a vector."""


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Standard normal floats; small integers of both signs where the dtype has them; fair booleans."""
    if dtypes.is_floating(dtype):
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    if dtype == dtypes.bool_:
        return np.asarray(rng.integers(0, 2, shape)).astype(dtype)
    low = 0 if np.iinfo(dtype).min == 0 else -9
    return np.asarray(rng.integers(low, 10, shape)).astype(dtype)


def positive(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Numbers of 0.25 and more (floats), 1 to 10 (integers)."""
    if dtypes.is_floating(dtype):
        return np.asarray(np.abs(rng.standard_normal(shape)) + 0.25).astype(dtype)
    return np.asarray(rng.integers(1, 11, shape)).astype(dtype)


def nonzero(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """`positive` numbers under random signs."""
    signs = np.asarray(rng.integers(0, 2, shape)) * 2 - 1
    return np.asarray(positive(rng, shape, dtypes.float64) * signs).astype(dtype)


def spread(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Signed numbers of many magnitudes, about 1e-6 to 100."""
    return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 2, shape)).astype(dtype)


def scaled(fill: Fill, factor: float) -> Fill:
    """``fill``'s numbers times ``factor``."""
    return lambda rng, shape, dtype: np.asarray(fill(rng, shape, dtypes.float64) * factor).astype(dtype)


def special(dtype: DType, size: int = 217) -> Array:
    """NaN, infinities, zeros of both signs, the largest and the smallest numbers, repeated to ``size``."""
    info: Any
    if not dtypes.is_floating(dtype):
        if dtype == dtypes.bool_:
            return np.resize(np.array([True, False, True]), size)
        info = np.iinfo(dtype)
        return np.resize(np.array([0, 1, info.max, info.min, info.max - 1, 2, 3], dtype), size)
    # bfloat16 has float32's range; float16's limits come from itself.
    info = np.finfo(np.float32 if dtype == dtypes.bfloat16 else dtype)
    top = 3.3895313892515355e38 if dtype == dtypes.bfloat16 else float(info.max)
    tiny = float(info.tiny)
    values = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, top, -top, tiny, -tiny, 0.5, -2.0]
    return np.resize(np.array(values).astype(dtype), size)


def views(rng: np.random.Generator, dtype: DType, fill: Fill = normal) -> Iterator[tuple[str, Array]]:
    """One array of each kind of stride that a user can hand over."""
    yield "transposed", fill(rng, (5, 7), dtype).T
    yield "permuted", fill(rng, (3, 5, 4), dtype).transpose(2, 0, 1)
    yield "stepped", fill(rng, (67,), dtype)[::2]
    yield "stepped columns", fill(rng, (3, 5, 13), dtype)[:, 1:, ::3]
    yield "reversed", fill(rng, (6, 7), dtype)[::-1, ::-1]
    yield "expanded", np.broadcast_to(fill(rng, (4, 1, 3), dtype), (4, 5, 3))
    yield "six dimensions", fill(rng, (2, 3, 1, 2, 3, 2), dtype).transpose(5, 1, 3, 2, 0, 4)


def arrays(rng: np.random.Generator, dtype: DType, fill: Fill = normal) -> Iterator[tuple[str, Array]]:
    """Arrays of odd shapes and strides, an empty one and a large one, each with its name."""
    for shape in ((), (0,), (1,), (31,), (32,), (33,), (2, 3, 5, 3)):
        yield f"shape {shape}", fill(rng, shape, dtype)
    yield "empty with dimensions", fill(rng, (3, 0, 5), dtype)
    yield from views(rng, dtype, fill)
    yield "large", fill(rng, (LARGE,), dtype)


def unary(
    fill: Fill = normal, variants: Sequence[dict[str, Any]] = ({},), specials: bool = True
) -> Callable[[np.random.Generator, DType], Iterable[Sample]]:
    """Samples of an operation of one array; ``variants`` of its attributes are dealt out in turn."""

    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        for i, (name, x) in enumerate(arrays(rng, dtype, fill)):
            yield Sample((x,), dict(variants[i % len(variants)]), name)
        if specials:
            for variant in variants[:2]:
                yield Sample((special(dtype),), dict(variant), "special values")

    return samples


def same_shape(
    first: Fill = normal, second: Fill = normal, variants: Sequence[dict[str, Any]] = ({},), specials: bool = True
) -> Callable[[np.random.Generator, DType], Iterable[Sample]]:
    """Samples of an operation of two arrays that have one shape, such as a backward kernel."""

    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        for i, (name, x) in enumerate(arrays(rng, dtype, second)):
            yield Sample((first(rng, x.shape, dtype), x), dict(variants[i % len(variants)]), name)
        yield Sample(
            (first(rng, (7, 5), dtype).T, second(rng, (10, 14), dtype)[::-2, ::2]), dict(variants[0]), "both strided"
        )
        if specials:
            x = special(dtype)
            yield Sample((first(rng, x.shape, dtype), x), dict(variants[0]), "special values")

    return samples


def broadcast(
    first: Fill = normal, second: Fill = normal, specials: bool = True
) -> Callable[[np.random.Generator, DType], Iterable[Sample]]:
    """Samples of an operation of two arrays that broadcast."""

    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        def pair(name: str, a: tuple[int, ...], b: tuple[int, ...]) -> Sample:
            return Sample((first(rng, a, dtype), second(rng, b, dtype)), {}, name)

        yield pair("scalars", (), ())
        yield pair("empty", (0,), (0,))
        yield pair("empty by broadcasting", (3, 0), (1,))
        yield Sample((first(rng, (5, 3), dtype).T[..., None], second(rng, (3, 5, 0), dtype)), {}, "strided, empty")
        yield pair("one element", (1,), (1,))
        yield pair("same shape", (3, 11), (3, 11))
        yield pair("scalar first", (), (33,))
        yield pair("scalar second", (4, 8), ())
        yield pair("row", (5, 31), (31,))
        yield pair("column", (7, 1), (7, 5))
        yield pair("outer", (5, 1), (1, 7))
        yield pair("channels", (2, 3, 4, 5), (3, 1, 1))
        yield pair("stretched behind a new dimension", (1, 4, 5), (1, 5))
        yield pair("six dimensions", (2, 1, 2, 1, 3, 1), (1, 3, 1, 2, 1, 2))
        yield Sample((first(rng, (5, 7), dtype).T, second(rng, (7, 5), dtype)), {}, "transposed")
        yield Sample((first(rng, (23,), dtype)[::-2], second(rng, (4, 24), dtype)[::2, ::2]), {}, "stepped")
        steps = (slice(None, None, 2),) * 4
        yield Sample((first(rng, (2, 3, 4, 5), dtype), second(rng, (4, 6, 8, 10), dtype)[steps]), {}, "stepped in 4-D")
        yield pair("large", LARGE_2D, LARGE_2D)
        yield pair("large row", (127,), LARGE_2D)
        yield pair("large column", LARGE_2D, (131, 1))
        yield Sample((first(rng, LARGE_2D, dtype).T, second(rng, (), dtype)), {}, "large transposed")
        if specials:
            values = special(dtype, 13)
            yield Sample((values[:, None].repeat(2, 1).reshape(-1, 1), values), {}, "special values")

    return samples


def rows(
    fill: Fill = normal, pairs: bool = False, specials: bool = True
) -> Callable[[np.random.Generator, DType], Iterable[Sample]]:
    """Samples of an operation along ``dim`` of one array, or of two of one shape where ``pairs``."""

    def samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
        def sample(name: str, dim: int, *arrays: Array) -> Sample:
            return Sample(arrays, {"dim": dim}, name)

        def of(shape: tuple[int, ...]) -> tuple[Array, ...]:
            return tuple(fill(rng, shape, dtype) for _ in range(2 if pairs else 1))

        for shape, dim in (
            *(((), 0), ((1,), 0), ((33,), -1), ((3, 5), 0), ((5, 31), 1), ((2, 3, 5), 1), ((3, 2, 4, 3), -4)),
            *(((0, 3), 1), ((3, 0), 1), ((4, 1), 1), ((2, 67), 1)),
            *((LARGE_2D, 1), ((4_099, 17), 0), ((29, 607), 0), ((5, 67, 53), 1)),
        ):
            yield sample(f"shape {shape}, dim {dim}", dim, *of(shape))
        yield sample("transposed", 1, *(x.T for x in of((7, 5))))
        yield sample("stepped", -1, *(x[::-1, ::2] for x in of((4, 26))))
        yield sample("rows far apart", 1, *(x * 3 for x in of((11, 7))))
        if specials:
            x = fill(rng, (8, 31), dtype)
            x[0, 3] = np.nan
            x[1, 4] = np.inf
            x[2, 5] = -np.inf
            x[3, :] = -np.inf
            x[4, :] = np.inf
            x[5, 1:] = -np.inf
            x[6, :] *= 1000
            yield sample("special values", 1, *((fill(rng, x.shape, dtype),) if pairs else ()), x)
            if not pairs:
                yield sample("special values, inner dim", 0, np.ascontiguousarray(x.T))

    return samples
