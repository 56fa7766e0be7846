"""Contracts of the reductions: sums, products, spreads, extrema, their places, and truth, over any dimensions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import special

Array = Any
Dims = Any  # None, an int, or a sequence of ints

_NUMBERS = (*dtypes.FLOATS, *dtypes.INTEGERS)


def _samples(
    *, center: float = 0.0, empty: bool = True
) -> Callable[[np.random.Generator, np.dtype[Any]], Iterator[Sample]]:
    """Reductions of every layout. A ``center`` keeps a long sum from cancelling to an arbitrarily small number."""

    def fill(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if dtypes.is_floating(dtype):
            return np.asarray(rng.standard_normal(shape) + center).astype(dtype)
        return np.asarray(rng.integers(0 if dtype == dtypes.uint8 else -50, 50, shape)).astype(dtype)

    def samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
        yield Sample((fill(rng, (), dtype),), {}, "0-d")
        yield Sample((fill(rng, (1,), dtype),), {"dim": 0}, "one element")
        yield Sample((fill(rng, (13, 11), dtype),), {"keepdim": True}, "all, keepdim")
        yield Sample((fill(rng, (5, 33), dtype),), {"dim": -1}, "rows")
        yield Sample((fill(rng, (33, 5), dtype),), {"dim": 0, "keepdim": True}, "columns")
        yield Sample((fill(rng, (3, 7, 5), dtype),), {"dim": 1}, "middle")
        yield Sample((fill(rng, (4, 3, 2, 5), dtype),), {"dim": (0, 2, 3)}, "channels")
        yield Sample((fill(rng, (2, 3, 4, 5), dtype),), {"dim": (1, 3)}, "alternating")
        yield Sample((fill(rng, (2, 3, 2, 2, 3), dtype),), {"dim": (-5, 2, 4), "keepdim": True}, "three groups")
        yield Sample((fill(rng, (9, 7), dtype).T,), {"dim": 0}, "transposed")
        yield Sample((fill(rng, (9, 7, 4), dtype).transpose(1, 2, 0),), {"dim": 1}, "permuted")
        yield Sample(
            (fill(rng, (4, 3, 2, 5), dtype).transpose(2, 0, 1, 3),), {"dim": 3}, "three kept, none in its place"
        )
        yield Sample((fill(rng, (12, 15), dtype)[::-2, 1::3],), {"dim": 1}, "strided")
        if empty:
            yield Sample((fill(rng, (3, 0), dtype),), {"dim": 1}, "of nothing")
        yield Sample((fill(rng, (0, 3), dtype),), {"dim": 1}, "empty result")
        yield Sample((fill(rng, (40_009,), dtype),), {}, "long")
        yield Sample((fill(rng, (3, 12_007), dtype),), {"dim": 1}, "long rows")
        yield Sample((fill(rng, (4_099, 17), dtype),), {"dim": 0}, "long columns")
        yield Sample((fill(rng, (29, 607), dtype),), {"dim": 0}, "many columns")
        yield Sample((fill(rng, (17, 5, 19, 20), dtype),), {"dim": (0, 2, 3)}, "long channels")
        if dtypes.is_floating(dtype):
            x = fill(rng, (7, 31), dtype)
            x[1, 3], x[2, 5], x[3, 30], x[4, [0, 9]], x[5] = np.nan, np.inf, -np.inf, (np.inf, -np.inf), -0.0
            yield Sample((x,), {"dim": 1}, "NaN and infinity in rows")
            yield Sample((x,), {"dim": 0}, "NaN and infinity in columns")

    return samples


def _wrong(**attributes: Any) -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"dim": 2, **attributes}, IndexError, r"dim \(=2\) must be in \[-2, 1\] for 2 dimensions")
    yield Wrong((x,), {"dim": -3, **attributes}, IndexError, r"dim \(=-3\)")
    yield Wrong((x,), {"dim": 1.0, **attributes}, TypeError, "float")


def _wrong_dims() -> Iterator[Wrong]:
    yield from _wrong()
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"dim": (0, -2)}, ValueError, r"dim \(=\(0, -2\)\) names a dimension twice")
    yield Wrong((x,), {"dim": (0, 5)}, IndexError, r"dim \(=5\)")


def _wrong_floating() -> Iterator[Wrong]:
    yield from _wrong_dims()
    yield Wrong((np.zeros(3, np.int32),), {}, TypeError, "x must have a floating dtype, not int32")


def _wrong_extremum() -> Iterator[Wrong]:
    yield from _wrong_dims()
    x = np.zeros((2, 0), np.float32)
    yield Wrong((x,), {"dim": 1}, IndexError, r"shape \(2, 0\) has no element to reduce over dim \(=1\)")
    yield Wrong((x,), {}, IndexError, r"shape \(2, 0\) has no element to reduce over dim \(=None\)")


def _dims(name: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    if dim is not None and not isinstance(dim, (int, tuple, list, np.integer)):
        raise TypeError(f"{name}: dim must be None, an int or ints, not {type(dim).__name__}")
    return check.dims(name, dim, ndim)


def _shape(name: str, x: Array, dim: Dims, keepdim: bool) -> tuple[int, ...]:
    # Numbers of other types may equal an int, and must not be taken for it.
    kinds: Any = tuple(map(type, dim)) if type(dim) is tuple else type(dim)
    if dim is None or kinds is int or type(kinds) is tuple:
        return _reduced_shape(name, x.shape, dim, kinds, keepdim)
    return check.reduced_shape(x.shape, _dims(name, dim, len(x.shape)), keepdim)


@functools.lru_cache(maxsize=1024)
def _reduced_shape(name: str, shape: tuple[int, ...], dim: Dims, kinds: Any, keepdim: bool) -> tuple[int, ...]:
    return check.reduced_shape(shape, _dims(name, dim, len(shape)), keepdim)


def _nonempty(name: str, x: Array, dim: Dims) -> None:
    if 0 in x.shape and (dim is None or 0 in [x.shape[d] for d in _dims(name, dim, len(x.shape))]):
        raise IndexError(f"{name}: shape {tuple(x.shape)} has no element to reduce over dim (={dim})")


@operation(
    samples=_samples(center=0.5),
    wrong=_wrong_dims,
    dtypes=(*dtypes.FLOATS, *dtypes.INTEGERS, dtypes.bool_),
    gradient=2,
    source="torch.sum",
)
def sum(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """The sum over ``dim``; 0 where nothing is summed.

    Args:
        x: any shape; floats, integers or bool. Integers and bool give int64, modulo 2**64.
        dim: None or an empty tuple for all dimensions, an int, or ints.
        keepdim: keep the reduced dimensions with size 1.

    Raises:
        TypeError: if ``dim`` holds anything but ints.
        IndexError: if a dimension is out of range.
        ValueError: if ``dim`` names a dimension twice.
    """
    dtype = x.dtype
    return Spec(_shape("sum", x, dim, keepdim), dtype if dtypes.is_floating(dtype) else dtypes.int64)


@operation(samples=_samples(center=0.5), wrong=_wrong_floating, gradient=2, source="torch.mean")
def mean(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """The arithmetic mean over ``dim``; NaN where there is nothing to average.

    Args:
        x: floating, any shape.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError: if ``x`` is not floating or ``dim`` holds anything but ints.
        IndexError, ValueError: as for `sum`.
    """
    check.floating("mean", x=x)
    return Spec(_shape("mean", x, dim, keepdim), x.dtype)


def _var_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    yield from _samples()(rng, dtype)
    x = rng.standard_normal((6, 5)).astype(dtype)
    yield Sample((x,), {"dim": 1, "correction": 0}, "population")
    yield Sample((x,), {"dim": 0, "correction": 7}, "more correction than elements")
    yield Sample(((rng.standard_normal((31, 257)) + 300).astype(dtype),), {"dim": 1}, "far from zero")


def _wrong_var() -> Iterator[Wrong]:
    yield from _wrong_floating()
    yield Wrong((np.zeros((2, 3)),), {"correction": "1"}, TypeError, "correction must be a number, not str")


@operation(
    samples=_var_samples,
    wrong=_wrong_var,
    gradient=2,
    source="torch.var; two passes: Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983",
)
def var(x: Array, *, dim: Dims = None, correction: float = 1, keepdim: bool = False) -> Spec:
    """The variance over ``dim``: squared deviations from the mean, summed, over ``max(n - correction, 0)``.

    Args:
        x: floating, any shape.
        dim, keepdim: as for `sum`.
        correction: 1 for Bessel's correction, 0 for the population's variance.

    Raises:
        TypeError: if ``x`` is not floating, ``correction`` no number, or ``dim`` holds anything but ints.
        IndexError, ValueError: as for `sum`.
    """
    check.floating("var", x=x)
    if not isinstance(correction, (int, float, np.integer, np.floating)):
        raise TypeError(f"var: correction must be a number, not {type(correction).__name__}")
    return Spec(_shape("var", x, dim, keepdim), x.dtype)


@operation(
    samples=_var_samples,
    wrong=_wrong_var,
    gradient=2,
    source="torch.std; two passes: Chan, Golub and LeVeque, Algorithms for Computing the Sample Variance, 1983",
)
def std(x: Array, *, dim: Dims = None, correction: float = 1, keepdim: bool = False) -> Spec:
    """The standard deviation over ``dim``: the square root of `var`.

    Args:
        x: floating, any shape.
        dim, correction, keepdim: as for `var`.

    Raises:
        TypeError: if ``x`` is not floating, ``correction`` no number, or ``dim`` holds anything but ints.
        IndexError, ValueError: as for `sum`.
    """
    check.floating("std", x=x)
    if not isinstance(correction, (int, float, np.integer, np.floating)):
        raise TypeError(f"std: correction must be a number, not {type(correction).__name__}")
    return Spec(_shape("std", x, dim, keepdim), x.dtype)


def _prod_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    """Factors near 1 in magnitude, so that long products neither vanish nor overflow."""
    for sample in _samples()(rng, dtype):
        if dtypes.is_floating(dtype):
            x = sample.args[0]
            count = x.size if "dim" not in sample.kwargs else 700
            signs, powers = np.where(rng.random(x.shape) < 0.5, -1.0, 1.0), rng.standard_normal(x.shape)
            finite = np.asarray(signs * np.exp(powers / max(count, 1) ** 0.5)).astype(dtype)
            yield Sample((np.where(np.isfinite(x), finite, x).astype(dtype),), sample.kwargs, sample.name)
        else:
            yield sample
    x = rng.standard_normal((5, 4)).astype(dtype)
    x[0, 1], x[1, [0, 2]] = 0, 0
    yield Sample((x,), {"dim": 1}, "zeros")


@operation(
    samples=_prod_samples,
    wrong=_wrong_dims,
    dtypes=(*dtypes.FLOATS, *dtypes.INTEGERS, dtypes.bool_),
    gradient=2,
    source="torch.prod",
)
def prod(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """The product over ``dim``; 1 where nothing is multiplied.

    Args:
        x: any shape; floats, integers or bool. Integers and bool give int64, modulo 2**64.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError, IndexError, ValueError: as for `sum`.
    """
    dtype = x.dtype
    return Spec(_shape("prod", x, dim, keepdim), dtype if dtypes.is_floating(dtype) else dtypes.int64)


def _extremum_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    yield from _samples(empty=False)(rng, dtype)
    yield Sample((special(dtype).reshape(7, 31),), {"dim": 1}, "special values")


@operation(
    samples=_extremum_samples,
    wrong=_wrong_extremum,
    dtypes=_NUMBERS,
    error="exact",
    gradient=1,
    source="torch.amax",
)
def amax(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """The largest element over ``dim``; NaN where there is one.

    Args:
        x: any shape; floats or integers.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError, ValueError: as for `sum`.
        IndexError: if a dimension is out of range, or there is no element to choose from.
    """
    _nonempty("amax", x, dim)
    return Spec(_shape("amax", x, dim, keepdim), x.dtype)


@operation(
    samples=_extremum_samples,
    wrong=_wrong_extremum,
    dtypes=_NUMBERS,
    error="exact",
    gradient=1,
    source="torch.amin",
)
def amin(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """The smallest element over ``dim``; NaN where there is one.

    Args:
        x: any shape; floats or integers.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError, ValueError: as for `sum`.
        IndexError: if a dimension is out of range, or there is no element to choose from.
    """
    _nonempty("amin", x, dim)
    return Spec(_shape("amin", x, dim, keepdim), x.dtype)


def _argmax_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for sample in _samples(empty=False)(rng, dtype):
        if not isinstance(sample.kwargs.get("dim"), tuple):
            yield sample
    ties = rng.integers(0, 4, (29, 31)).astype(dtype)
    yield Sample((ties,), {"dim": 1}, "ties in rows")
    yield Sample((ties,), {"dim": 0, "keepdim": True}, "ties in columns")
    yield Sample((special(dtype),), {}, "special values in one row")
    longest = rng.integers(0, 100, (2, 66_001)).astype(dtype)  # rows of several parts, with ties between them
    if dtypes.is_floating(dtype):
        longest[1, [40_000, 60_000]] = np.nan
    yield Sample((longest,), {"dim": 1}, "ties and NaN in long rows")


def _wrong_argmax() -> Iterator[Wrong]:
    yield from _wrong()
    x = np.zeros((2, 0), np.float32)
    yield Wrong((x,), {"dim": (0, 1)}, TypeError, "dim must be None or an int, not tuple")
    yield Wrong((x,), {"dim": 1}, IndexError, r"shape \(2, 0\) has no element to reduce over dim \(=1\)")


@operation(samples=_argmax_samples, wrong=_wrong_argmax, dtypes=_NUMBERS, error="exact", source="torch.argmax")
def argmax(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Spec:
    """The index of the first largest element along ``dim`` as int64; NaN counts as largest.

    Args:
        x: any shape; floats or integers.
        dim: None for the index into the array flattened in C order, or one dimension.
        keepdim: keep the reduced dimensions with size 1.

    Raises:
        TypeError: if ``dim`` is neither None nor an int.
        IndexError: if ``dim`` is out of range, or there is no element to choose from.
    """
    if dim is not None and not isinstance(dim, (int, np.integer)):
        raise TypeError(f"argmax: dim must be None or an int, not {type(dim).__name__}")
    _nonempty("argmax", x, dim)
    return Spec(_shape("argmax", x, dim, keepdim), dtypes.int64)


@operation(samples=_argmax_samples, wrong=_wrong_argmax, dtypes=_NUMBERS, error="exact", source="torch.argmin")
def argmin(x: Array, *, dim: int | None = None, keepdim: bool = False) -> Spec:
    """The index of the first smallest element along ``dim`` as int64; NaN counts as smallest.

    Args:
        x: any shape; floats or integers.
        dim: None for the index into the array flattened in C order, or one dimension.
        keepdim: keep the reduced dimensions with size 1.

    Raises:
        TypeError: if ``dim`` is neither None nor an int.
        IndexError: if ``dim`` is out of range, or there is no element to choose from.
    """
    if dim is not None and not isinstance(dim, (int, np.integer)):
        raise TypeError(f"argmin: dim must be None or an int, not {type(dim).__name__}")
    _nonempty("argmin", x, dim)
    return Spec(_shape("argmin", x, dim, keepdim), dtypes.int64)


def _truth_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    """Arrays of mostly, or hardly any, zeros; the last element of a long one decides."""
    for position, sample in enumerate(_samples()(rng, dtype if dtypes.is_floating(dtype) else dtypes.int8)):
        x = sample.args[0]
        few = position % 2 == 1
        zeros = rng.random(x.shape) < (0.1 if few else 0.9)
        if x.size > 3:  # one of the rarer kind at least
            zeros.flat[rng.integers(x.size)] = few
        yield Sample((np.where(zeros, x.dtype.type(0), x).astype(dtype),), sample.kwargs, sample.name)
    for value in (0, 1):
        x = np.full(140_003, value, dtype)
        x[-1] = 1 - value
        yield Sample((x,), {}, f"the last of many is {1 - value}")


@operation(
    samples=_truth_samples,
    wrong=_wrong_dims,
    dtypes=(*dtypes.FLOATS, *dtypes.INTEGERS, dtypes.bool_),
    error="exact",
    source="torch.any",
)
def any(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """Whether any element over ``dim`` is not zero, as bool; NaN is not. False of no element.

    Args:
        x: any shape and dtype.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError, IndexError, ValueError: as for `sum`.
    """
    return Spec(_shape("any", x, dim, keepdim), dtypes.bool_)


@operation(
    samples=_truth_samples,
    wrong=_wrong_dims,
    dtypes=(*dtypes.FLOATS, *dtypes.INTEGERS, dtypes.bool_),
    error="exact",
    source="torch.all",
)
def all(x: Array, *, dim: Dims = None, keepdim: bool = False) -> Spec:
    """Whether all elements over ``dim`` are not zero, as bool; NaN is not. True of no element.

    Args:
        x: any shape and dtype.
        dim, keepdim: as for `sum`.

    Raises:
        TypeError, IndexError, ValueError: as for `sum`.
    """
    return Spec(_shape("all", x, dim, keepdim), dtypes.bool_)
