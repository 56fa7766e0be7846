"""Contracts of moving elements: concatenation, padding, advanced indexing and its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal, special
from .keys import selected_shape

Array = Any
Key = Any  # a tuple of ints, slices, None, Ellipsis, integer and bool arrays, at least one array among them


def _cat_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    def parts(*shapes: tuple[int, ...]) -> tuple[Array, ...]:
        return tuple(normal(rng, shape, dtype) for shape in shapes)

    yield Sample((parts((3,), (1,), (0,), (7,)),), {"dim": 0}, "1-D")
    yield Sample((parts((2, 3), (5, 3)),), {"dim": 0}, "rows")
    yield Sample((parts((3, 2), (3, 1), (3, 4)),), {"dim": -1}, "columns")
    yield Sample((parts((2, 3, 4), (2, 2, 4)),), {"dim": 1}, "middle")
    yield Sample((parts((2, 5)),), {"dim": 1}, "one array")
    yield Sample((list(parts((0, 4), (0, 3))),), {"dim": 1}, "empty, in a list")
    a, b = parts((4, 6), (8, 9))
    yield Sample(((a.T, b[::-2, 1::2].T[:, :4].repeat(2, 0)[:6]),), {"dim": 1}, "transposed")
    yield Sample(((a[::-1], a[:, ::2], a),), {"dim": 1}, "strided")
    yield Sample((parts((150, 67), (101, 67), (3, 67)),), {"dim": 0}, "large rows")
    yield Sample((parts((301, 33), (301, 31), (301, 1)),), {"dim": 1}, "large columns")
    yield Sample(((special(dtype), special(dtype)[::-1]),), {"dim": 0}, "special values")


def _wrong_cat() -> Iterator[Wrong]:
    a = np.zeros((2, 3), np.float32)
    yield Wrong(((),), {"dim": 0}, ValueError, "at least one array")
    yield Wrong(((a, np.zeros((2, 4), np.float32)),), {"dim": 0}, ValueError, r"\(2, 3\) and \(2, 4\) .* dim \(=0\)")
    yield Wrong(((a, a[0]),), {"dim": 0}, ValueError, r"\(2, 3\) and \(3,\)")
    yield Wrong(((a, a.astype(np.float64)),), {"dim": 0}, TypeError, "dtype float32 but arrays.1. has dtype float64")
    yield Wrong(((a, a),), {"dim": 2}, IndexError, r"dim \(=2\) must be in \[-2, 1\]")
    yield Wrong(((a[0, 0, ...], a[0, 0, ...]),), {"dim": 0}, ValueError, "0-d arrays")


@operation(samples=_cat_samples, wrong=_wrong_cat, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.cat")
def cat(arrays: Array, *, dim: int) -> Spec:
    """The arrays joined along an existing dimension.

    Args:
        arrays: a tuple or list of at least one array; all of one dtype, and of one shape but for ``dim``.
        dim: the dimension to join along.

    Raises:
        TypeError: if ``arrays`` is no tuple or list, the dtypes differ, or ``dim`` is no int.
        ValueError: if there is no array, one is 0-d, or the shapes do not fit.
        IndexError: if ``dim`` is out of range.
    """
    if not isinstance(arrays, (tuple, list)):
        raise TypeError(f"cat: arrays must be a tuple or list of arrays, not {type(arrays).__name__}")
    if not arrays:
        raise ValueError("cat: at least one array is needed")
    first = arrays[0]
    shape = first.shape
    if not shape:
        raise ValueError("cat: 0-d arrays cannot be joined")
    axis = check.dim("cat", dim, len(shape))
    total = 0
    for position, array in enumerate(arrays):
        if array.dtype != first.dtype:
            raise TypeError(f"cat: arrays[0] has dtype {first.dtype} but arrays[{position}] has dtype {array.dtype}")
        other = array.shape
        if len(other) != len(shape) or other[:axis] != shape[:axis] or other[axis + 1 :] != shape[axis + 1 :]:
            raise ValueError(
                f"cat: arrays[0] and arrays[{position}] of shapes {tuple(shape)} and {tuple(other)} "
                f"may differ in dim (={dim}) only"
            )
        total += other[axis]
    return Spec((*shape[:axis], total, *shape[axis + 1 :]), first.dtype)


def _pad_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((5,), (1, 2)),
        ((), ()),
        ((3, 4), (0, 0, 2, 1)),
        ((3, 4), (-1, -2)),
        ((2, 3, 4), (1, -2, -1, 3)),
        ((2, 2, 3, 5), (1, 1, 2, 2)),
        ((2, 3, 4, 2), (0, 1, 1, 0, 0, 2, 2, 1)),
        ((0, 3), (1, 1, 2, 0)),
        ((3, 4), (-2, -2)),
        ((11, 29, 61), (2, 1, 3, 4)),
    )
    for shape, pad in cases:
        yield Sample((normal(rng, shape, dtype),), {"pad": pad}, f"{shape} by {pad}")
    x = normal(rng, (8, 6), dtype)
    yield Sample((x.T,), {"pad": (1, 2, -1, 0), "value": 0}, "transposed")
    yield Sample((x[::-2, 1::3],), {"pad": (1, 1), "value": 1}, "strided, ones")
    if dtypes.is_floating(dtype):
        yield Sample((np.repeat(x, 5, 0),), {"pad": (1, 2), "value": float("-inf")}, "infinity")


def _wrong_pad() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"pad": (1, 2, 3)}, ValueError, r"pad \(=\(1, 2, 3\)\) must hold pairs")
    yield Wrong((x,), {"pad": (1,) * 6}, ValueError, r"holds 6 numbers, too many for 2 dimensions")
    yield Wrong(
        (x,), {"pad": (-2, -2)}, ValueError, r"pad \(=\(-2, -2\)\) leaves size -1 of dimension 1 of shape \(2, 3\)"
    )
    yield Wrong((x,), {"pad": (1, 0.5)}, TypeError, r"pad \(=\(1, 0.5\)\) must be a tuple of ints")
    yield Wrong((x.astype(int),), {"pad": (1, 1), "value": 0.5}, ValueError, r"value \(=0.5\) .* int64")


@operation(
    samples=_pad_samples,
    wrong=_wrong_pad,
    dtypes=dtypes.ALL,
    error="exact",
    gradient=2,
    source="torch.nn.functional.pad, mode constant",
)
def pad(x: Array, *, pad: tuple[int, ...], value: float = 0.0) -> Spec:
    """Add ``value`` before and after; a negative amount crops.

    Args:
        x: any shape and dtype.
        pad: (before, after) of the last dimension, then of the one before it, and so on.
        value: what to fill with; a whole number in range where ``x`` holds integers or bools.

    Raises:
        TypeError: if ``pad`` is no tuple of ints.
        ValueError: if ``pad`` has an odd length or more pairs than ``x`` has dimensions, a size would be
            negative, or ``value`` is none of x's dtype.
    """
    if not isinstance(pad, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in pad):
        raise TypeError(f"pad: pad (={pad!r}) must be a tuple of ints")
    if len(pad) % 2:
        raise ValueError(f"pad: pad (={pad}) must hold pairs, before and after each dimension")
    shape = list(x.shape)
    if len(pad) > 2 * len(shape):
        raise ValueError(f"pad: pad (={pad}) holds {len(pad)} numbers, too many for {len(shape)} dimensions")
    for position in range(len(pad) // 2):
        dim = len(shape) - 1 - position
        shape[dim] += int(pad[2 * position]) + int(pad[2 * position + 1])
        if shape[dim] < 0:
            raise ValueError(f"pad: pad (={pad}) leaves size {shape[dim]} of dimension {dim} of shape {tuple(x.shape)}")
    if value != 0 and not dtypes.is_floating(x.dtype):
        low, high = (0, 1) if x.dtype == dtypes.bool_ else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        if not (math.isfinite(value) and value == int(value) and low <= value <= high):
            raise ValueError(f"pad: value (={value}) is no number of dtype {x.dtype}")
    return Spec(tuple(shape), x.dtype)


def _keys(rng: np.random.Generator) -> Iterator[tuple[tuple[int, ...], Key, str]]:
    def ints(size: int, *shape: int) -> Array:
        return np.asarray(rng.integers(-size, size, shape))

    yield (7,), (ints(7, 5),), "1-D"
    yield (5, 4), (ints(5, 3),), "rows"
    yield (5, 4), (ints(5, 3, 2).astype(np.int32), ints(4, 2).astype(np.int8)), "points"
    yield (4, 3, 5), (slice(None), ints(3, 4)), "middle"
    yield (4, 3, 5), (slice(1, None, 2), ints(3, 4), slice(None, None, -2)), "between slices"
    yield (4, 3, 5), (ints(4, 2, 1), slice(None), ints(5, 3)), "separated"
    yield (4, 3, 5), (1, Ellipsis, ints(5, 2)), "an int counts as an array"
    yield (3, 4), (None, ints(3, 2), None), "new dimensions"
    yield (3, 4), (rng.random((3, 4)) < 0.5,), "mask"
    yield (3, 4, 5), (Ellipsis, rng.random((4, 5)) < 0.3), "trailing mask"
    yield (3, 4), (ints(3, 0),), "nothing"
    yield (3, 0, 2), (ints(3, 2), slice(None)), "of nothing"
    yield (6,), (np.asarray(2),), "0-d array"
    yield (31, 67), (ints(31, 613),), "many rows"
    yield (40_009,), (ints(40_009, 20_011),), "many elements"
    yield (17, 131, 29), (slice(None), ints(131, 67)), "many, middle"


def _index_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, key, name in _keys(rng):
        yield Sample((normal(rng, shape, dtype),), {"key": key}, name)
    x = normal(rng, (4, 6, 3), dtype).transpose(2, 0, 1)
    yield Sample((x,), {"key": (slice(None), np.array([3, 0, 3]))}, "transposed")
    yield Sample((x[::-1, :, ::2],), {"key": (np.array([[2, -1]]), slice(1, 3))}, "strided")


def _wrong_key(*arrays: Array, **attributes: Any) -> Iterator[Wrong]:
    five = np.array([0, 5])
    yield Wrong(arrays, {"key": (five,), **attributes}, IndexError, "index 5 is out of range for dimension 0 of size 4")
    yield Wrong(arrays, {"key": (slice(None), five - 9), **attributes}, IndexError, "index -9 .* dimension 1 of size 3")
    yield Wrong(arrays, {"key": (0, 1), **attributes}, TypeError, "at least one array")
    yield Wrong(arrays, {"key": (five, 1, 1), **attributes}, IndexError, "3 indices but the array has 2 dimensions")
    yield Wrong(arrays, {"key": (five * 0.5,), **attributes}, TypeError, "integers or bools, not float64")
    yield Wrong(arrays, {"key": (five > 1,), **attributes}, IndexError, r"must have shape \(4,\), not \(2,\)")


def _wrong_index() -> Iterator[Wrong]:
    x = np.zeros((4, 3), np.float32)
    yield from _wrong_key(x)
    clash = (np.array([0, 1]), np.array([0, 1, 2]))
    yield Wrong((x,), {"key": clash}, ValueError, r"shapes \(2,\), \(3,\) cannot be broadcast")
    yield Wrong((x,), {"key": np.array([0])}, TypeError, "key must be a tuple, not ndarray")


@operation(
    samples=_index_samples,
    wrong=_wrong_index,
    dtypes=dtypes.ALL,
    error="exact",
    gradient=2,
    source="NumPy, advanced indexing",
)
def index(x: Array, *, key: Key) -> Spec:
    """``x[key]`` with at least one index array in the key: a new array.

    An int beside index arrays counts as one of them, as in NumPy: where a slice stands between them
    the indexed dimensions come first.

    Args:
        x: any shape and dtype.
        key: a tuple of ints, slices, None, Ellipsis, integer arrays and bool arrays.

    Raises:
        TypeError: if ``key`` is no such tuple.
        IndexError: if an index or the number of indices is out of range, or a bool array's shape is not
            that of the dimensions it stands for.
        ValueError: if the index arrays cannot be broadcast together.
    """
    return Spec(selected_shape("index", x.shape, key), x.dtype)


def _index_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, key, name in _keys(rng):
        grad = normal(rng, selected_shape("index", shape, key), dtype)
        yield Sample((grad,), {"key": key, "input_shape": shape}, name)
    grad = normal(rng, (4, 5), dtype)
    yield Sample((grad.T,), {"key": (np.array([3, 0, 3, 3, 0]),), "input_shape": (6, 4)}, "transposed, repeated")
    yield Sample((grad[:, ::-2],), {"key": (np.array([1, 1, 0, 1]),), "input_shape": (2, 3)}, "strided, repeated")


def _wrong_index_backward() -> Iterator[Wrong]:
    grad = np.zeros((2, 3), np.float32)
    yield from _wrong_key(grad, input_shape=(4, 3))
    rows = {"key": (np.array([0, 1]),)}
    yield Wrong(
        (grad[:1],), {**rows, "input_shape": (4, 3)}, ValueError, r"grad must have shape \(2, 3\), not \(1, 3\)"
    )
    yield Wrong((grad,), {**rows, "input_shape": (4, -3)}, ValueError, r"input_shape \(=\(4, -3\)\)")
    yield Wrong((grad.astype(int),), {**rows, "input_shape": (4, 3)}, TypeError, "floating dtype, not int64")


@operation(samples=_index_backward_samples, wrong=_wrong_index_backward, source="the gradient of index")
def index_backward(grad: Array, *, key: Key, input_shape: tuple[int, ...]) -> Spec:
    """Zeros of ``input_shape`` with ``grad`` added at ``key``; repeated indices add up, in a fixed order.

    Args:
        grad: floating, of the shape of ``x[key]``.
        key: as for `index`.
        input_shape: the shape of ``x``.

    Raises:
        TypeError, IndexError: as for `index`; TypeError if ``grad`` is not floating.
        ValueError: if ``grad`` has another shape or ``input_shape`` a negative size.
    """
    check.floating("index_backward", grad=grad)
    if not isinstance(input_shape, tuple) or not all(isinstance(n, (int, np.integer)) and n >= 0 for n in input_shape):
        raise ValueError(f"index_backward: input_shape (={input_shape!r}) must be a tuple of sizes, none negative")
    check.shape("index_backward", "grad", grad, selected_shape("index_backward", input_shape, key))
    return Spec(input_shape, grad.dtype)


def _put_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape, key, name in _keys(rng):
        x = normal(rng, shape, dtype)
        values = normal(rng, selected_shape("index", shape, key), dtype)
        yield Sample((x, values), {"key": key}, name)
        if dtypes.is_floating(dtype) and name in ("points", "separated", "many rows"):
            yield Sample((x, values), {"key": key, "accumulate": True}, f"{name}, added")
    x, rows = normal(rng, (4, 6), dtype), np.array([3, 0, 3])
    yield Sample((x.T, normal(rng, (), dtype)), {"key": (rows,)}, "transposed, one value")
    yield Sample((x, normal(rng, (3, 1), dtype)), {"key": (rows,)}, "broadcast values")


def _wrong_put() -> Iterator[Wrong]:
    x, values = np.zeros((4, 3), np.float32), np.zeros((), np.float32)
    yield from _wrong_key(x, values)
    rows = {"key": (np.array([0, 1]),)}
    yield Wrong((x, np.zeros(2, np.float32)), rows, ValueError, r"values of shape \(2,\) .* broadcast to \(2, 3\)")
    yield Wrong((x, np.zeros(3)), rows, TypeError, "x has dtype float32 but values has dtype float64")
    yield Wrong((x > 0, np.asarray(values > 0)), {**rows, "accumulate": True}, TypeError, "accumulate .* bool")


@operation(samples=_put_samples, wrong=_wrong_put, dtypes=dtypes.ALL, writes=("x",), source="torch.Tensor.index_put_")
def index_put(x: Array, values: Array, *, key: Key, accumulate: bool = False) -> None:
    """``x[key] = values`` in place, or ``x[key] += values`` with repeated indices adding up.

    Without ``accumulate`` the last of several values for one element stays.

    Args:
        x: any shape and dtype; changed.
        values: of x's dtype, broadcast to the shape of ``x[key]``.
        key: as for `index`.
        accumulate: add instead of replacing; not for bools.

    Raises:
        TypeError, IndexError: as for `index`; TypeError if the dtypes differ or bools would be added.
        ValueError: if ``values`` cannot be broadcast to the shape of ``x[key]``, or as for `index`.
    """
    check.same_dtype("index_put", x=x, values=values)
    if accumulate and x.dtype == dtypes.bool_:
        raise TypeError("index_put: accumulate (=True) is not for dtype bool")
    shape = selected_shape("index_put", x.shape, key)
    if values.shape != shape:
        missing = len(shape) - len(values.shape)
        if missing < 0 or any(n not in (1, m) for n, m in zip(values.shape, shape[missing:], strict=True)):
            raise ValueError(f"index_put: values of shape {tuple(values.shape)} cannot be broadcast to {shape}")
