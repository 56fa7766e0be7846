"""Contracts of looking things up by index arrays: embedding, index_select, gather, scatter_add, one_hot.

Unlike the keys of `kernels.layout`, which follow NumPy, indices here follow PyTorch: none is negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check, dtypes
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal, special

Array = Any

_INDEX_DTYPES = frozenset((dtypes.int64, dtypes.int32))
_UNSIGNED: dict[int, Any] = {8: np.dtype("uint64"), 4: np.dtype("uint32")}
_NUMBERS = (*dtypes.FLOATS, *dtypes.INTEGERS)


def _index_array(operation: str, name: str, index: Array) -> None:
    """Raise TypeError unless ``index`` holds int64 or int32 numbers."""
    if index.dtype not in _INDEX_DTYPES:
        raise TypeError(f"{operation}: {name} must have dtype int64 or int32, not {index.dtype}")


def _in_range(operation: str, name: str, index: Array, size: int, what: str) -> None:
    """Raise IndexError unless all of ``index`` is in ``[0, size)``; host arrays only, others are not read."""
    if not isinstance(index, np.ndarray) or not index.size:
        return
    # As an unsigned number a negative one is too large: one pass finds both kinds.
    if index.view(_UNSIGNED[index.dtype.itemsize]).max() < size:
        return
    at = tuple(int(i) for i in np.argwhere((index < 0) | (index >= size))[0])
    raise IndexError(f"{operation}: {name} holds {index[at]} at {at}, which is not in [0, {size}), {what}")


def _ints(rng: np.random.Generator, size: int, *shape: int) -> Array:
    return np.asarray(rng.integers(0, size, shape))


_TABLES: tuple[tuple[str, tuple[int, int], tuple[int, ...]], ...] = (
    ("1-D", (7, 5), (4,)),
    ("one index", (7, 5), ()),
    ("2-D", (5, 3), (2, 4)),
    ("one row", (1, 9), (3,)),
    ("one column", (6, 1), (5, 1)),
    ("no index", (5, 3), (2, 0)),
    ("no columns", (5, 0), (3,)),
    ("empty table", (0, 3), (0,)),
    ("odd sizes", (33, 31), (3, 11)),
    ("large", (127, 67), (17, 31)),
    ("many rows, few indices", (1009, 33), (7,)),
)


def _embedding_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, table, shape in _TABLES:
        yield Sample((normal(rng, table, dtype), _ints(rng, table[0], *shape)), {}, name)
    yield Sample((normal(rng, (5, 7), dtype).T, _ints(rng, 7, 3, 4).astype(np.int32).T), {}, "int32, both transposed")
    yield Sample((normal(rng, (8, 9), dtype)[::-2, 1::3], _ints(rng, 4, 9)[::-2]), {}, "stepped")
    yield Sample((special(dtype).reshape(7, 31), _ints(rng, 7, 11)), {}, "special values")


def _wrong_embedding() -> Iterator[Wrong]:
    weight, indices = np.zeros((4, 3), np.float32), np.array([[0, 1], [3, 2]])
    rows = r"which is not in \[0, 4\), the rows of weight"
    yield Wrong((weight, indices + 1), {}, IndexError, rf"indices holds 4 at \(1, 0\), {rows}")
    yield Wrong((weight, (indices - 2).astype(np.int32)), {}, IndexError, rf"indices holds -2 at \(0, 0\), {rows}")
    yield Wrong((weight, indices * 1.0), {}, TypeError, "indices must have dtype int64 or int32, not float64")
    yield Wrong((weight[0], indices), {}, ValueError, r"weight must have 2 dimensions, not 1 \(shape \(3,\)\)")
    yield Wrong((weight.astype(int), indices), {}, TypeError, "weight must have a floating dtype, not int64")


@operation(
    samples=_embedding_samples,
    wrong=_wrong_embedding,
    error="exact",
    gradient=2,
    source="torch.nn.functional.embedding; Bengio et al., A Neural Probabilistic Language Model, JMLR 2003",
)
def embedding(weight: Array, indices: Array) -> Spec:
    """The rows of ``weight`` that ``indices`` name.

    Args:
        weight: floating, (num_embeddings, embedding_dim).
        indices: int64 or int32, any shape (*), each in [0, num_embeddings).

    Returns:
        (*, embedding_dim), of weight's dtype.

    Raises:
        TypeError: if ``weight`` is not floating or ``indices`` neither int64 nor int32.
        ValueError: if ``weight`` is not 2-D.
        IndexError: if an index is out of range; the message says which, and where it stands.
    """
    check.floating("embedding", weight=weight)
    _index_array("embedding", "indices", indices)
    check.ndim("embedding", "weight", weight, 2)
    rows, columns = weight.shape
    _in_range("embedding", "indices", indices, rows, "the rows of weight")
    return Spec((*indices.shape, columns), weight.dtype)


def _embedding_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for number, (name, (rows, columns), shape) in enumerate(_TABLES):
        attributes: dict[str, Any] = {"num_embeddings": rows}
        if number % 3 == 2:
            attributes["padding_idx"] = rows // 2
        if number % 2 == 1:
            attributes["scale_grad_by_freq"] = True
        yield Sample((normal(rng, (*shape, columns), dtype), _ints(rng, rows, *shape)), attributes, name)
    grad, few = normal(rng, (601, 37), dtype), _ints(rng, 3, 601)
    yield Sample((grad, few), {"num_embeddings": 11}, "long sums")
    yield Sample((grad, few), {"num_embeddings": 5, "padding_idx": 1, "scale_grad_by_freq": True}, "mean, one left out")
    grad, indices = normal(rng, (5, 4, 3), dtype), _ints(rng, 6, 4, 3).astype(np.int32)
    yield Sample((grad.transpose(2, 1, 0), indices.T), {"num_embeddings": 6}, "int32, both transposed")
    yield Sample((grad[:, ::-2, ::2], indices[:5:1, :2].repeat(2, 0)[1:6]), {"num_embeddings": 6}, "stepped")


def _wrong_embedding_backward() -> Iterator[Wrong]:
    grad, indices = np.zeros((2, 3), np.float32), np.array([0, 3])
    yield Wrong((grad, indices), {"num_embeddings": 3}, IndexError, r"indices holds 3 at \(1,\), .* in \[0, 3\)")
    yield Wrong((grad[:1], indices), {"num_embeddings": 4}, ValueError, r"shape \(1, 3\) .* indices of shape \(2,\)")
    yield Wrong((grad, indices), {"num_embeddings": -1}, ValueError, r"num_embeddings \(=-1\) must not be negative")
    yield Wrong(
        (grad, indices), {"num_embeddings": 4, "padding_idx": 4}, ValueError, r"padding_idx \(=4\) must be in \[0, 3\]"
    )


@operation(
    samples=_embedding_backward_samples, wrong=_wrong_embedding_backward, source="the gradient of embedding by weight"
)
def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
) -> Spec:
    """Zeros, with each row of ``grad`` added to the row that its index names.

    The rows of one index are added in the order in which they stand, whatever the number of threads:
    the result is the same bits each time.

    Args:
        grad: floating, (*, embedding_dim).
        indices: int64 or int32, (*).
        num_embeddings: rows of the result.
        padding_idx: a row that stays zero.
        scale_grad_by_freq: divide each row by how often its index occurs.

    Returns:
        (num_embeddings, embedding_dim), of grad's dtype.

    Raises:
        TypeError: if ``grad`` is not floating, or ``indices`` neither int64 nor int32.
        ValueError: if shapes or attributes do not fit.
        IndexError: if an index is out of range.
    """
    check.floating("embedding_backward", grad=grad)
    _index_array("embedding_backward", "indices", indices)
    if num_embeddings < 0:
        raise ValueError(f"embedding_backward: num_embeddings (={num_embeddings}) must not be negative")
    if not grad.shape or grad.shape[:-1] != indices.shape:
        raise ValueError(
            f"embedding_backward: grad of shape {tuple(grad.shape)} must have one dimension more than indices "
            f"of shape {tuple(indices.shape)}"
        )
    if padding_idx is not None and not 0 <= padding_idx < max(num_embeddings, 1):
        raise ValueError(f"embedding_backward: padding_idx (={padding_idx}) must be in [0, {num_embeddings - 1}]")
    _in_range("embedding_backward", "indices", indices, num_embeddings, "the rows of the result")
    return Spec((int(num_embeddings), grad.shape[-1]), grad.dtype)


_SELECTIONS: tuple[tuple[str, tuple[int, ...], int, int], ...] = (
    ("1-D", (7,), 0, 5),
    ("rows", (5, 4), 0, 7),
    ("columns", (4, 5), 1, 3),
    ("middle", (2, 7, 3), -2, 4),
    ("one", (3, 1), 1, 3),
    ("nothing", (3, 4), 1, 0),
    ("of nothing", (3, 0, 2), 0, 2),
    ("large rows", (131, 127), 0, 139),
    ("large columns", (131, 127), 1, 140),
    ("large middle", (11, 13, 67), 1, 31),
)


def _index_select_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, dim, count in _SELECTIONS:
        yield Sample((normal(rng, shape, dtype), _ints(rng, shape[dim], count)), {"dim": dim}, name)
    x = normal(rng, (4, 6, 3), dtype).transpose(2, 0, 1)
    yield Sample((x, np.array([3, 0, 3], np.int32)), {"dim": 1}, "transposed, int32")
    yield Sample((x[::-1, :, ::2], np.array([2, 9, 1, 9, 0])[::-2]), {"dim": 2}, "stepped")
    yield Sample((normal(rng, (), dtype), np.array([0])), {"dim": 0}, "0-d array")
    yield Sample((normal(rng, (3, 2), dtype), np.array(2)), {"dim": 0}, "0-d index")


def _wrong_index_select() -> Iterator[Wrong]:
    x, index = np.zeros((4, 3), np.float32), np.array([0, 1, 3])
    yield Wrong((x, index), {"dim": 1}, IndexError, r"index holds 3 at \(2,\), .* in \[0, 3\), dimension 1 of x")
    yield Wrong((x, index - 1), {"dim": 0}, IndexError, r"index holds -1 at \(0,\), .* in \[0, 4\)")
    yield Wrong((x, index[None]), {"dim": 0}, ValueError, r"index must have at most 1 dimension, not shape \(1, 3\)")
    yield Wrong((x, index.astype(np.uint8)), {"dim": 0}, TypeError, "index must have dtype int64 or int32, not uint8")
    yield Wrong((x, index), {"dim": 2}, IndexError, r"dim \(=2\) must be in \[-2, 1\]")


@operation(
    samples=_index_select_samples,
    wrong=_wrong_index_select,
    dtypes=dtypes.ALL,
    error="exact",
    gradient=2,
    source="torch.index_select",
)
def index_select(x: Array, index: Array, *, dim: int) -> Spec:
    """The slices of ``x`` along ``dim`` that ``index`` names, in its order.

    Args:
        x: any shape and dtype; a 0-d array counts as one of length 1, and the result is 0-d.
        index: int64 or int32, 1-D of any length, or 0-d for one slice.
        dim: the dimension to choose along.

    Returns:
        The shape of ``x`` with the length of ``index`` at ``dim``.

    Raises:
        TypeError: if ``index`` is neither int64 nor int32, or ``dim`` no int.
        ValueError: if ``index`` has more than one dimension, or not one element for a 0-d ``x``.
        IndexError: if ``dim`` or an index is out of range.
    """
    shape = x.shape
    axis = check.dim("index_select", dim, len(shape))
    _index_array("index_select", "index", index)
    if len(index.shape) > 1:
        raise ValueError(f"index_select: index must have at most 1 dimension, not shape {tuple(index.shape)}")
    count = index.shape[0] if index.shape else 1
    if not shape:
        if count != 1:
            raise ValueError(f"index_select: index of shape {tuple(index.shape)} must have one element for a 0-d x")
        _in_range("index_select", "index", index, 1, "the one element of x")
        return Spec((), x.dtype)
    _in_range("index_select", "index", index, shape[axis], f"dimension {axis} of x")
    return Spec((*shape[:axis], count, *shape[axis + 1 :]), x.dtype)


def _index_select_backward_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, dim, count in _SELECTIONS:
        axis = dim % len(shape)
        grad = normal(rng, (*shape[:axis], count, *shape[axis + 1 :]), dtype)
        yield Sample((grad, _ints(rng, shape[dim], count)), {"dim": dim, "size": shape[dim]}, name)
    grad = normal(rng, (4, 6, 3), dtype).transpose(2, 0, 1)
    yield Sample((grad, np.array([3, 0, 3, 3], np.int32)), {"dim": 1, "size": 5}, "transposed, int32")
    yield Sample((grad[::-1, :, ::2], np.array([1, 9, 1, 9, 0])[::-2]), {"dim": 2, "size": 2}, "stepped")


def _wrong_index_select_backward() -> Iterator[Wrong]:
    grad, index = np.zeros((4, 3), np.float32), np.array([0, 1, 5])
    yield Wrong((grad, index), {"dim": 1, "size": 5}, IndexError, r"index holds 5 at \(2,\), .* in \[0, 5\)")
    yield Wrong((grad, index), {"dim": 0, "size": 9}, ValueError, r"length 4 at dim \(=0\) .* index of shape \(3,\)")
    yield Wrong((grad, index), {"dim": 1, "size": -2}, ValueError, r"size \(=-2\) must not be negative")


@operation(
    samples=_index_select_backward_samples,
    wrong=_wrong_index_select_backward,
    source="the gradient of index_select",
)
def index_select_backward(grad: Array, index: Array, *, dim: int, size: int) -> Spec:
    """Zeros, with each slice of ``grad`` along ``dim`` added where ``index`` names, in a fixed order.

    Args:
        grad: floating, at least 1-D.
        index: int64 or int32, 1-D, as long as ``grad`` along ``dim``.
        dim, size: the dimension, and its length in the result.

    Raises:
        TypeError: if ``grad`` is not floating, ``index`` neither int64 nor int32, or ``dim`` no int.
        ValueError: if the lengths do not fit or ``size`` is negative.
        IndexError: if ``dim`` or an index is out of range.
    """
    check.floating("index_select_backward", grad=grad)
    _index_array("index_select_backward", "index", index)
    shape = grad.shape
    axis = check.dim("index_select_backward", dim, len(shape))
    if size < 0:
        raise ValueError(f"index_select_backward: size (={size}) must not be negative")
    if not shape or index.shape != (shape[axis],):
        raise ValueError(
            f"index_select_backward: grad of length {shape[axis] if shape else 'none'} at dim (={dim}) needs as many "
            f"indices, not an index of shape {tuple(index.shape)}"
        )
    _in_range("index_select_backward", "index", index, size, f"dimension {axis} of the result")
    return Spec((*shape[:axis], int(size), *shape[axis + 1 :]), grad.dtype)


_GATHERS: tuple[tuple[str, tuple[int, ...], tuple[int, ...], int], ...] = (
    ("1-D", (7,), (5,), 0),
    ("rows", (5, 4), (7, 4), 0),
    ("columns", (4, 5), (4, 3), 1),
    ("one column", (33, 11), (33, 1), -1),
    ("middle", (2, 5, 3), (2, 4, 3), 1),
    ("smaller index", (4, 3, 5), (2, 7, 3), 1),
    ("nothing", (3, 4), (3, 0), 1),
    ("of nothing", (3, 0, 2), (2, 0, 1), 0),
    ("large rows", (131, 127), (150, 127), 0),
    ("large columns", (131, 127), (131, 130), 1),
    ("large, one line", (20_011,), (17_001,), 0),
)


def _gather_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, index_shape, dim in _GATHERS:
        yield Sample((normal(rng, shape, dtype), _ints(rng, shape[dim], *index_shape)), {"dim": dim}, name)
    x = normal(rng, (4, 6, 3), dtype).transpose(2, 0, 1)
    yield Sample((x, _ints(rng, 4, 6, 2, 3).T.astype(np.int32)), {"dim": 1}, "transposed, int32")
    index = np.broadcast_to(_ints(rng, 3, 9)[::-2, None, None], (5, 4, 6))
    yield Sample((x[::-1, :, ::-1], index), {"dim": 0}, "expanded index")
    yield Sample((normal(rng, (), dtype), np.array(0)), {"dim": 0}, "0-d")


def _wrong_gather() -> Iterator[Wrong]:
    x, index = np.zeros((4, 3), np.float32), np.array([[0, 1, 3]])
    yield Wrong((x, index), {"dim": 1}, IndexError, r"index holds 3 at \(0, 2\), .* in \[0, 3\), dimension 1 of x")
    yield Wrong((x, index - 1), {"dim": 0}, IndexError, r"index holds -1 at \(0, 0\), .* in \[0, 4\)")
    yield Wrong(
        (x, index[0]), {"dim": 0}, ValueError, r"index of shape \(3,\) .* as many dimensions as x of .* \(4, 3\)"
    )
    yield Wrong(
        (x, index.repeat(2, 1)), {"dim": 0}, ValueError, r"shape \(1, 6\) is larger than x of shape \(4, 3\) at"
    )
    yield Wrong((x, index * 0.5), {"dim": 0}, TypeError, "index must have dtype int64 or int32, not float64")
    yield Wrong((x, index), {"dim": -3}, IndexError, r"dim \(=-3\) must be in \[-2, 1\]")


def _fits(operation: str, index: Array, name: str, array: Array, skipped: int) -> None:
    """Raise ValueError unless ``index`` is no larger than ``array`` in any dimension but ``skipped``."""
    shape, outer = index.shape, array.shape
    if shape == outer:
        return
    if len(shape) != len(outer):
        raise ValueError(
            f"{operation}: index of shape {tuple(shape)} must have as many dimensions as {name} of shape {tuple(outer)}"
        )
    for i, (n, m) in enumerate(zip(shape, outer, strict=True)):
        if n > m and i != skipped:
            raise ValueError(
                f"{operation}: index of shape {tuple(shape)} is larger than {name} of shape {tuple(outer)} "
                f"at dimension {i}"
            )


@operation(
    samples=_gather_samples, wrong=_wrong_gather, dtypes=dtypes.ALL, error="exact", gradient=2, source="torch.gather"
)
def gather(x: Array, index: Array, *, dim: int) -> Spec:
    """``out[i][j][k] = x[i][index[i][j][k]][k]`` for ``dim=1`` of three dimensions, and so on.

    Args:
        x: any shape and dtype.
        index: int64 or int32; as many dimensions as ``x``, none but ``dim`` longer than x's.
        dim: the dimension that the indices stand for.

    Returns:
        The shape of ``index``, the dtype of ``x``.

    Raises:
        TypeError: if ``index`` is neither int64 nor int32, or ``dim`` no int.
        ValueError: if the shape of ``index`` does not fit.
        IndexError: if ``dim`` or an index is out of range.
    """
    axis = check.dim("gather", dim, len(x.shape))
    _index_array("gather", "index", index)
    _fits("gather", index, "x", x, axis)
    _in_range("gather", "index", index, x.shape[axis] if x.shape else 1, f"dimension {axis} of x")
    return Spec(index.shape, x.dtype)


def _scatter_add_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for name, shape, index_shape, dim in _GATHERS:
        index = _ints(rng, shape[dim], *index_shape)
        yield Sample((normal(rng, shape, dtype), index, normal(rng, index_shape, dtype)), {"dim": dim}, name)
    x, source = normal(rng, (3, 5), dtype), normal(rng, (4, 7), dtype)
    yield Sample((x.T, _ints(rng, 5, 3, 2).T.repeat(2, 0), source), {"dim": 0}, "transposed, larger source")
    index = np.broadcast_to(_ints(rng, 3, 7)[:, None], (7, 2)).astype(np.int32)
    yield Sample((x[:, ::-2], index, source.T[:, ::2]), {"dim": 0}, "stepped, int32")
    yield Sample((normal(rng, (), dtype), np.array(0), normal(rng, (), dtype)), {"dim": 0}, "0-d")
    yield Sample((normal(rng, (2, 11), dtype), _ints(rng, 2, 2, 503), normal(rng, (2, 503), dtype)), {"dim": 1}, "sums")


def _wrong_scatter_add() -> Iterator[Wrong]:
    x, index = np.zeros((4, 3), np.float32), np.array([[0, 1, 3]])
    yield Wrong((x, index, x), {"dim": 1}, IndexError, r"index holds 3 at \(0, 2\), .* in \[0, 3\), dimension 1 of x")
    yield Wrong((x, index, x[:, :2]), {"dim": 0}, ValueError, r"is larger than source of shape \(4, 2\) at dimension 1")
    yield Wrong((x[:, :2], index, x), {"dim": 0}, ValueError, r"is larger than x of shape \(4, 2\) at dimension 1")
    yield Wrong((x, index, x.astype(np.float64)), {"dim": 0}, TypeError, "x has dtype float32 but source .* float64")
    yield Wrong((x > 0, index, x > 0), {"dim": 0}, TypeError, "x must have a floating or integer dtype, not bool")


@operation(
    samples=_scatter_add_samples,
    wrong=_wrong_scatter_add,
    dtypes=_NUMBERS,
    gradient=2,
    source="torch.scatter_add",
)
def scatter_add(x: Array, index: Array, source: Array, *, dim: int) -> Spec:
    """A copy of ``x`` with ``out[i][index[i][j][k]][k] += source[i][j][k]`` for ``dim=1``, and so on.

    What goes to one element is added in the order in which it stands along ``dim``.

    Args:
        x: floating or integer, any shape.
        index: int64 or int32; as many dimensions as ``x`` and ``source``, none longer than source's and
            none but ``dim`` longer than x's.
        source: of x's dtype; what lies outside the shape of ``index`` is not added.
        dim: the dimension that the indices stand for.

    Raises:
        TypeError: if the dtypes differ or are bool, ``index`` is neither int64 nor int32, or ``dim`` no int.
        ValueError: if the shape of ``index`` does not fit.
        IndexError: if ``dim`` or an index is out of range.
    """
    check.same_dtype("scatter_add", x=x, source=source)
    if x.dtype == dtypes.bool_:
        raise TypeError(f"scatter_add: x must have a floating or integer dtype, not {x.dtype}")
    axis = check.dim("scatter_add", dim, len(x.shape))
    _index_array("scatter_add", "index", index)
    _fits("scatter_add", index, "x", x, axis)
    _fits("scatter_add", index, "source", source, -1)
    _in_range("scatter_add", "index", index, x.shape[axis] if x.shape else 1, f"dimension {axis} of x")
    return Spec(x.shape, x.dtype)


def _one_hot_samples(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[Sample]:
    for shape in ((), (1,), (0,), (33,), (3, 5), (2, 0, 3), (2, 3, 31)):
        yield Sample((_ints(rng, 7, *shape).astype(dtype),), {"num_classes": 7}, f"shape {shape}")
    yield Sample((_ints(rng, 5, 6, 8).astype(dtype).T[::-2, 1:],), {"num_classes": 6}, "strided")
    yield Sample((_ints(rng, 257, 300).astype(dtype),), {"num_classes": 257}, "large")
    yield Sample((np.zeros(3, dtype),), {"num_classes": 1}, "one class")


def _wrong_one_hot() -> Iterator[Wrong]:
    indices = np.array([0, 3])
    yield Wrong((indices,), {"num_classes": 3}, IndexError, r"indices holds 3 at \(1,\), which is not in \[0, 3\)")
    yield Wrong((indices - 1,), {"num_classes": 3}, IndexError, r"indices holds -1 at \(0,\)")
    yield Wrong((indices,), {"num_classes": 0}, ValueError, r"num_classes \(=0\) must be positive")
    yield Wrong((indices * 1.0,), {"num_classes": 4}, TypeError, "indices must have dtype int64 or int32, not float64")


@operation(
    samples=_one_hot_samples,
    wrong=_wrong_one_hot,
    dtypes=(dtypes.int64, dtypes.int32),
    error="exact",
    source="torch.nn.functional.one_hot",
)
def one_hot(indices: Array, *, num_classes: int) -> Spec:
    """1 at each index and 0 elsewhere, along a new last dimension.

    Args:
        indices: int64 or int32, any shape (*).
        num_classes: length of the new dimension.

    Returns:
        int64, (*, num_classes).

    Raises:
        TypeError: if ``indices`` is neither int64 nor int32.
        ValueError: if ``num_classes`` is not positive.
        IndexError: if an index is out of range.
    """
    _index_array("one_hot", "indices", indices)
    if num_classes <= 0:
        raise ValueError(f"one_hot: num_classes (={num_classes}) must be positive")
    _in_range("one_hot", "indices", indices, num_classes, "the classes")
    return Spec((*indices.shape, int(num_classes)), dtypes.int64)
