"""Contracts of cumulative sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal

Array = Any

_CASES: tuple[tuple[tuple[int, ...], int], ...] = (
    ((), 0),
    ((1,), 0),
    ((33,), -1),
    ((5, 31), 1),
    ((9, 7), 0),
    ((2, 3, 5), 1),
    ((3, 0), 1),
    ((0, 3), 1),
    ((613, 67), 1),
    ((613, 67), 0),
    ((29, 607), 0),
    ((3, 40_009), 1),
    ((5, 67, 53), 1),
)


def _fill(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    x = normal(rng, shape, dtype)
    return np.asarray(x + 0.5).astype(dtype) if dtypes.is_floating(dtype) else x


def _samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, dim in _CASES:
        yield Sample((_fill(rng, shape, dtype),), {"dim": dim}, f"{shape}, dim {dim}")
    yield Sample((_fill(rng, (9, 7), dtype).T,), {"dim": 1}, "transposed")
    yield Sample((_fill(rng, (12, 15), dtype)[::-2, 1::3],), {"dim": 0}, "strided")
    if dtypes.is_floating(dtype):
        x = _fill(rng, (9, 31), dtype)
        x[1, 3], x[2, 5], x[3, 30], x[4, [3, 9]] = np.nan, np.inf, -np.inf, (np.inf, -np.inf)
        yield Sample((x,), {"dim": 1}, "NaN and infinity in rows")
        yield Sample((x.T.copy(),), {"dim": 0}, "NaN and infinity in columns")


def _wrong() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"dim": 2}, IndexError, r"dim \(=2\) must be in \[-2, 1\] for 2 dimensions")
    yield Wrong((x,), {"dim": -3}, IndexError, r"dim \(=-3\)")
    yield Wrong((x,), {"dim": (0, 1)}, TypeError, "dim must be an int, not tuple")


@operation(
    samples=_samples,
    wrong=_wrong,
    dtypes=(*dtypes.FLOATS, *dtypes.INTEGERS, dtypes.bool_),
    gradient=2,
    source="torch.cumsum",
)
def cumsum(x: Array, *, dim: int) -> Spec:
    """The sums of the elements up to and with each along ``dim``.

    Args:
        x: any shape; floats, integers or bool. Integers and bool give int64, modulo 2**64.
        dim: the dimension.

    Returns:
        An array of x's shape.

    Raises:
        TypeError: if ``dim`` is no int.
        IndexError: if ``dim`` is out of range.
    """
    check.dim("cumsum", dim, len(x.shape))
    return Spec(x.shape, x.dtype if dtypes.is_floating(x.dtype) else dtypes.int64)


def _wrong_backward() -> Iterator[Wrong]:
    yield from _wrong()
    yield Wrong((np.zeros(3, np.int32),), {"dim": 0}, TypeError, "grad must have a floating dtype, not int32")


@operation(samples=_samples, wrong=_wrong_backward, source="the gradient of cumsum")
def cumsum_backward(grad: Array, *, dim: int) -> Spec:
    """The gradient of `cumsum`: the sums of the elements from each to the end of ``dim``.

    Args:
        grad: floating, any shape.
        dim: the dimension.

    Returns:
        An array of grad's shape and dtype.

    Raises:
        TypeError: if ``grad`` is not floating or ``dim`` no int.
        IndexError: if ``dim`` is out of range.
    """
    check.floating("cumsum_backward", grad=grad)
    check.dim("cumsum_backward", dim, len(grad.shape))
    return Spec(grad.shape, grad.dtype)
