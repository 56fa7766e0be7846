"""Looking things up by index arrays as Numba kernels: a thread copies one element, with its bits as they are."""

from __future__ import annotations

from typing import Any

from .. import check
from ..cuda_launch import bits
from ..cuda_launch import size as _size
from ..numba_launch import Dims, copy, cuda, flat, flat_grid, kernel, offset, padded_dims, written
from .numba_cuda_add import add_along

Array = Any


@kernel
def take(x: Array, index: Array, out: Array, n: int, chosen: int, inner: int, count: int) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        row = i // inner
        out[i] = x[(row // chosen * n + index[row % chosen]) * inner + i % inner]


@kernel
def gather_along(shape: Any, steps: Any, step: int, x: Array, index: Array, out: Array, count: int) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        out[i] = x[offset(i, shape, steps) + index[i] * step]


@kernel
def mark(index: Array, out: Array, classes: int, count: int) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        out[i] = 1 if index[i // classes] == i % classes else 0


def _steps(shape: tuple[int, ...]) -> Dims:
    """The strides of a contiguous array, in elements."""
    return tuple(_size(shape[d + 1 :]) for d in range(len(shape)))


def _take(x: Array, axis: int, index: Array, out: Array) -> None:
    if out.size == 0:
        return
    inner = _size(x.shape[axis + 1 :])
    with written(out) as result:
        take[flat_grid(out.size)](bits(flat(x)), flat(index), bits(result), x.shape[axis], index.size, inner, out.size)


def embedding(weight: Array, indices: Array, *, out: Array) -> None:
    _take(weight, 0, indices, out)


def index_select(x: Array, index: Array, *, dim: int, out: Array) -> None:
    if x.ndim:
        _take(x, check.dim("index_select", dim, x.ndim), index, out)
    else:
        copy(x, out)


def gather(x: Array, index: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis, steps = check.dim("gather", dim, x.ndim), _steps(x.shape)
    others = tuple(0 if d == axis else step for d, step in enumerate(steps))
    shape, (padded,) = padded_dims("gather", index.shape, others)
    with written(out) as result:
        gather_along[flat_grid(out.size)](
            shape, padded, steps[axis] if steps else 0, bits(flat(x)), flat(index), bits(result), out.size
        )


def scatter_add(x: Array, index: Array, source: Array, *, dim: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("scatter_add", dim, x.ndim)
    steps = list(zip(*(_steps(each.shape) for each in (x, index, source)), strict=True)) or [(0, 0, 0)]
    lines = [(n, steps[d]) for d, n in enumerate(index.shape) if d != axis]
    count, n = (index.shape[axis], x.shape[axis]) if x.ndim else (1, 1)
    with written(out) as result:
        add_along(
            "scatter_add", flat(source), flat(index), result, lines, steps[axis if x.ndim else 0], count, n,
            start=flat(x),
        )  # fmt: skip


def embedding_backward(
    grad: Array,
    indices: Array,
    *,
    num_embeddings: int,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    out: Array,
) -> None:
    if out.size == 0:
        return
    columns = grad.shape[-1]
    with written(out) as result:
        add_along(
            "embedding_backward", flat(grad), flat(indices), result, [(columns, (1, 0, 1))], (columns, 1, columns),
            indices.size, num_embeddings, left_out=-1 if padding_idx is None else padding_idx,
            mean_of=columns if scale_grad_by_freq else 0,
        )  # fmt: skip


def index_select_backward(grad: Array, index: Array, *, dim: int, size: int, out: Array) -> None:
    if out.size == 0:
        return
    axis = check.dim("index_select_backward", dim, grad.ndim)
    outer, inner, count = _size(grad.shape[:axis]), _size(grad.shape[axis + 1 :]), index.size
    lines = [(outer, (size * inner, 0, count * inner)), (inner, (1, 0, 1))]
    with written(out) as result:
        add_along(
            "index_select_backward", flat(grad), flat(index), result, lines, (inner, 1, inner), count, size
        )  # fmt: skip


def one_hot(indices: Array, *, num_classes: int, out: Array) -> None:
    if out.size:
        with written(out) as result:
            mark[flat_grid(out.size)](flat(indices), result, num_classes, out.size)
