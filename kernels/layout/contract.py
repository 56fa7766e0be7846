"""Contracts of moving elements: concatenation, flips, rolls, triangles, advanced indexing and its gradients."""

from __future__ import annotations

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


def _flip_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[tuple[tuple[int, ...], Any], ...] = (
        ((), ()),
        ((7,), 0),
        ((3, 5), (1,)),
        ((3, 5), (0,)),
        ((2, 3, 5), (0, 2)),
        ((2, 3, 4, 5), (-3,)),
        ((2, 3, 4, 5), (3, 1, 0)),
        ((2, 3), ()),
        ((3, 0), (0,)),
        ((131, 127), (1,)),
        ((13, 31, 67), (1,)),
    )
    for shape, dims in cases:
        yield Sample((normal(rng, shape, dtype),), {"dims": dims}, f"{shape} along {dims}")
    x = normal(rng, (8, 6), dtype)
    yield Sample((x.T,), {"dims": (1,)}, "transposed")
    yield Sample((x[::-2, 1::3],), {"dims": (0, 1)}, "strided")
    yield Sample((special(dtype),), {"dims": (0,)}, "special values")


def _wrong_flip() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"dims": (2,)}, IndexError, r"dims \(=2\) must be in \[-2, 1\] for 2 dimensions")
    yield Wrong((x,), {"dims": (0, -2)}, ValueError, r"dims \(=\(0, -2\)\) names a dimension twice")
    yield Wrong((x,), {"dims": 1.0}, TypeError, "dims must be an int or ints, not float")


def axes(operation: str, dims: Any, ndim: int) -> tuple[int, ...]:
    """An int or ints as dimensions in their order."""
    if not isinstance(dims, (int, np.integer, tuple, list)):
        raise TypeError(f"{operation}: dims must be an int or ints, not {type(dims).__name__}")
    return tuple(
        check.dim(operation, each, ndim, "dims") for each in (dims if isinstance(dims, (tuple, list)) else (dims,))
    )


@operation(samples=_flip_samples, wrong=_wrong_flip, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.flip")
def flip(x: Array, *, dims: Any) -> Spec:
    """The elements in reverse order along ``dims``.

    Args:
        x: any shape and dtype.
        dims: an int or ints, none twice; of none a copy.

    Raises:
        TypeError: if ``dims`` holds anything but ints.
        IndexError: if a dimension is out of range.
        ValueError: if ``dims`` names a dimension twice.
    """
    found = axes("flip", dims, len(x.shape))
    if len(set(found)) != len(found):
        raise ValueError(f"flip: dims (={dims}) names a dimension twice")
    return Spec(x.shape, x.dtype)


def _roll_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases: tuple[tuple[tuple[int, ...], Any, Any], ...] = (
        ((), 1, ()),
        ((7,), 2, 0),
        ((7,), -9, 0),
        ((3, 5), 4, None),
        ((3, 5), (1, 2), (0, 1)),
        ((2, 3, 5), (1, -2, 1), (1, 2, 1)),
        ((2, 3, 4, 5), (1,), (-3,)),
        ((3, 0), 1, 0),
        ((2, 3), 0, 1),
        ((131, 127), (5,), (1,)),
        ((13, 31, 67), (3, -1), (0, 1)),
    )
    for shape, shifts, dims in cases:
        if shape or dims is None:
            yield Sample((normal(rng, shape, dtype),), {"shifts": shifts, "dims": dims}, f"{shape} by {shifts}, {dims}")
    x = normal(rng, (8, 6), dtype)
    yield Sample((x.T,), {"shifts": 7, "dims": None}, "transposed")
    yield Sample((x[::-2, 1::3],), {"shifts": (1, 1), "dims": (0, 1)}, "strided")
    yield Sample((special(dtype),), {"shifts": 5, "dims": 0}, "special values")


def _wrong_roll() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x,), {"shifts": 1, "dims": 2}, IndexError, r"dims \(=2\) must be in \[-2, 1\] for 2 dimensions")
    yield Wrong(
        (x,), {"shifts": (1, 2), "dims": 0}, ValueError, r"shifts \(=\(1, 2\)\) and dims \(=0\) must have one length"
    )
    yield Wrong((x,), {"shifts": (1, 2)}, ValueError, r"shifts \(=\(1, 2\)\) must be one int without dims")
    yield Wrong((x,), {"shifts": 0.5, "dims": 0}, TypeError, r"shifts \(=0.5\) must be an int or ints")


@operation(samples=_roll_samples, wrong=_wrong_roll, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.roll")
def roll(x: Array, *, shifts: Any, dims: Any = None) -> Spec:
    """The elements moved on by ``shifts`` along ``dims``; what leaves at the end comes in at the beginning.

    Args:
        x: any shape and dtype.
        shifts: an int or ints.
        dims: as many dimensions; repeated ones add up. None for the array flattened.

    Raises:
        TypeError: if ``shifts`` or ``dims`` holds anything but ints.
        IndexError: if a dimension is out of range.
        ValueError: if there are not as many shifts as dimensions.
    """
    several = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    if not all(isinstance(each, (int, np.integer)) for each in several):
        raise TypeError(f"roll: shifts (={shifts!r}) must be an int or ints")
    if dims is None:
        if len(several) != 1:
            raise ValueError(f"roll: shifts (={shifts}) must be one int without dims")
    elif len(axes("roll", dims, len(x.shape))) != len(several):
        raise ValueError(f"roll: shifts (={shifts}) and dims (={dims}) must have one length")
    return Spec(x.shape, x.dtype)


def _triangle_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    cases = (
        ((3, 5), 0),
        ((5, 3), 1),
        ((1, 1), 0),
        ((2, 3, 4, 4), -1),
        ((4, 4), -9),
        ((4, 4), 9),
        ((0, 3), 0),
        ((2, 3, 0), 1),
    )
    for shape, diagonal in (*cases, ((131, 127), 3), ((7, 67, 53), -2)):
        yield Sample((normal(rng, shape, dtype),), {"diagonal": diagonal}, f"{shape}, diagonal {diagonal}")
    x = normal(rng, (8, 6), dtype)
    yield Sample((x.T,), {"diagonal": 1}, "transposed")
    yield Sample((x[::-2, 1::3],), {"diagonal": 0}, "strided")
    yield Sample((special(dtype).reshape(7, 31),), {"diagonal": 2}, "special values")


def _wrong_triangle() -> Iterator[Wrong]:
    x = np.zeros((2, 3), np.float32)
    yield Wrong((x[0],), {"diagonal": 0}, ValueError, r"at least 2 dimensions, not 1 \(shape \(3,\)\)")
    yield Wrong((x,), {"diagonal": 0.5}, TypeError, r"diagonal \(=0.5\) must be an int")


def _triangle(operation: str, x: Array, diagonal: int) -> Spec:
    shape = x.shape
    if len(shape) < 2:
        raise ValueError(f"{operation}: x must have at least 2 dimensions, not {len(shape)} (shape {tuple(shape)})")
    if not isinstance(diagonal, (int, np.integer)):
        raise TypeError(f"{operation}: diagonal (={diagonal!r}) must be an int")
    return Spec(shape, x.dtype)


@operation(
    samples=_triangle_samples, wrong=_wrong_triangle, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.tril"
)
def tril(x: Array, *, diagonal: int = 0) -> Spec:
    """Matrices with zeros in the place of all but what is on and below a diagonal.

    Args:
        x: any dtype, (..., rows, columns).
        diagonal: how far above the main diagonal it is.

    Raises:
        TypeError: if ``diagonal`` is no int.
        ValueError: if ``x`` has fewer than 2 dimensions.
    """
    return _triangle("tril", x, diagonal)


@operation(
    samples=_triangle_samples, wrong=_wrong_triangle, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.triu"
)
def triu(x: Array, *, diagonal: int = 0) -> Spec:
    """Matrices with zeros in the place of all but what is on and above a diagonal.

    Args:
        x: any dtype, (..., rows, columns).
        diagonal: how far above the main diagonal it is.

    Raises:
        TypeError: if ``diagonal`` is no int.
        ValueError: if ``x`` has fewer than 2 dimensions.
    """
    return _triangle("triu", x, diagonal)


def _keys(rng: np.random.Generator) -> Iterator[tuple[tuple[int, ...], Key, str]]:
    def ints(size: int, *shape: int) -> Array:
        return np.asarray(rng.integers(-size, size, shape))

    yield (7,), (ints(7, 5),), "1-D"
    yield (5, 4), (ints(5, 3),), "rows"
    yield (5, 4), (ints(5, 3, 2).astype(np.int32), ints(4, 2).astype(np.int8)), "points"
    yield (4, 3, 5), (slice(None), ints(3, 4)), "middle"
    yield (4, 3, 5), (slice(1, None, 2), ints(3, 4), slice(None, None, -2)), "between slices"
    yield (4, 3, 5), (ints(4, 2, 1), slice(None), ints(5, 3)), "separated"
    yield (2, 3, 4, 5), (slice(None), ints(3, 2), slice(1, 3), ints(5, 2)), "separated, behind a slice"
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
    twice = np.asarray(rng.integers(0, 4, (5, 3))).T
    yield Sample((x, normal(rng, (5,), dtype)), {"key": (twice, twice[::-1])}, "twice, by transposed indices")


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
