"""Looking things up by index tensors, and adding up by them."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend, check, dtypes
from pyneural.tensor import Tensor

from .elementwise import div, eq, lt, where
from .layout import expand, pad, reshape, unsqueeze
from .operands import cast, require_tensor
from .reduce import amax


class Embedding(Function):
    def __init__(self, padding_idx: int | None, scale_grad_by_freq: bool) -> None:
        self.padding_idx, self.scale_grad_by_freq = padding_idx, scale_grad_by_freq

    def forward(self, kernels: Backend, weight: Tensor, indices: Tensor) -> Any:
        self.save(indices)
        return kernels.embedding(weight.array, indices.array)

    def backward(self, grad: Tensor) -> Any:
        (indices,) = self.saved
        rows = self.shapes[0][0]
        return EmbeddingBackward(rows, self.padding_idx, self.scale_grad_by_freq)(grad, indices), None


class EmbeddingBackward(Function):
    def __init__(self, rows: int, padding_idx: int | None, scale_grad_by_freq: bool) -> None:
        self.rows, self.padding_idx, self.scale_grad_by_freq = rows, padding_idx, scale_grad_by_freq

    def forward(self, kernels: Backend, grad: Tensor, indices: Tensor) -> Any:
        self.save(indices)
        return kernels.embedding_backward(
            grad.array,
            indices.array,
            num_embeddings=self.rows,
            padding_idx=self.padding_idx,
            scale_grad_by_freq=self.scale_grad_by_freq,
        )

    def backward(self, cotangent: Tensor) -> Any:
        (indices,) = self.saved
        # The gradient is linear in grad: each row goes to one place, by a factor of its own.
        rows = Embedding(None, False)(cotangent, indices)
        if self.scale_grad_by_freq:
            ones = cotangent.new_ones((*indices.shape, 1))
            counts = EmbeddingBackward(self.rows, None, False)(ones, indices)
            rows = div(rows, Embedding(None, False)(counts, indices))
        if self.padding_idx is not None:
            rows = where(unsqueeze(eq(indices, self.padding_idx), -1), 0.0, rows)
        return rows, None


class IndexSelect(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor, index: Tensor) -> Any:
        self.save(index)
        return kernels.index_select(x.array, index.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        (index,) = self.saved
        return IndexSelectBackward(self.dim, self.shapes[0][self.dim])(grad, index), None


class IndexSelectBackward(Function):
    def __init__(self, dim: int, size: int) -> None:
        self.dim, self.size = dim, size

    def forward(self, kernels: Backend, grad: Tensor, index: Tensor) -> Any:
        self.save(index)
        return kernels.index_select_backward(grad.array, index.array, dim=self.dim, size=self.size)

    def backward(self, cotangent: Tensor) -> Any:
        (index,) = self.saved
        return IndexSelect(self.dim)(cotangent, index), None


class Gather(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor, index: Tensor) -> Any:
        self.save(index)
        return kernels.gather(x.array, index.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        (index,) = self.saved
        return ScatterAdd(self.dim)(grad.new_zeros(self.shapes[0]), index, grad), None


class ScatterAdd(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor, index: Tensor, source: Tensor) -> Any:
        self.save(index)
        return kernels.scatter_add(x.array, index.array, source.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        (index,) = self.saved
        by_source = None
        if self.needs[2]:
            by_source = Gather(self.dim)(grad, index)
            if index.shape != self.shapes[2]:  # the rest of source was not added
                missing = [m - n for n, m in zip(index.shape, self.shapes[2], strict=True)]
                by_source = pad(by_source, [n for each in reversed(missing) for n in (0, each)])
        return grad, None, by_source


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names.

    Args:
        input: int64 or int32, any shape (*), each in [0, num_embeddings).
        weight: floating, (num_embeddings, embedding_dim).
        padding_idx: a row that gets no gradient; negative from the end.
        max_norm, norm_type: not supported: a lookup does not change the weights.
        scale_grad_by_freq: divide the gradient of a row by how often ``input`` names it.
        sparse: not supported: gradients are dense.

    Returns:
        (*, embedding_dim).

    Raises:
        IndexError: an index out of range.
        ValueError: ``padding_idx`` out of range, or ``weight`` is not 2-D.
        NotImplementedError: ``max_norm`` or ``sparse``.
    """
    require_tensor("embedding", input=input, weight=weight)
    if max_norm is not None:
        raise NotImplementedError(f"embedding: max_norm (={max_norm}) is not supported")
    if sparse:
        raise NotImplementedError("embedding: sparse (=True) is not supported")
    if padding_idx is not None:
        rows = weight.shape[0] if weight.ndim else 0
        if not -rows <= padding_idx < rows:
            raise ValueError(f"embedding: padding_idx (={padding_idx}) must be in [{-rows}, {rows - 1}]")
        padding_idx %= rows
    return Embedding(padding_idx, scale_grad_by_freq)(weight, input)  # type: ignore[no-any-return]


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of ``input`` along ``dim`` that ``index`` (1-D, or 0-d for one) names, as a copy.

    Raises:
        IndexError: ``dim`` or an index out of range.
        TypeError, ValueError: an index of another dtype than int64 and int32, or of more dimensions.
    """
    require_tensor("index_select", input=input, index=index)
    dim = check.dim("index_select", dim, input.ndim)
    if input.ndim == 0:
        return reshape(IndexSelect(0)(reshape(input, (1,)), index), ())
    if index.ndim == 0:
        index = reshape(index, (1,))
    return IndexSelect(dim)(input, index)  # type: ignore[no-any-return]


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """``out[i][j][k] = input[i][index[i][j][k]][k]`` for ``dim=1`` of three dimensions, and so on.

    Shapes: ``index`` has as many dimensions as ``input``, none but ``dim`` longer; the result has its shape.
    A 0-d tensor beside a 1-D one counts as one of length 1, and an empty index fits everywhere.

    Raises:
        IndexError: ``dim`` or an index out of range.
        TypeError, ValueError: an index of another dtype than int64 and int32, or a shape that does not fit.
    """
    require_tensor("gather", input=input, index=index)
    dim = check.dim("gather", dim, input.ndim)
    empty = not index.numel()
    if empty:
        index = cast(index, dtypes.int64)
    if input.ndim != index.ndim and (empty or max(input.ndim, index.ndim) == 1):
        return reshape(Gather(0)(reshape(input, (-1,)), reshape(index, (-1,))), index.shape)
    return Gather(dim)(input, index)  # type: ignore[no-any-return]


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of ``input`` with ``out[i][index[i][j][k]][k] += src[i][j][k]`` for ``dim=1``, and so on.

    Shapes: ``index`` has as many dimensions as the others, none longer than src's and none but ``dim`` longer
    than input's. What goes to one element is added in a fixed order.

    Raises:
        IndexError: ``dim`` or an index out of range.
        TypeError, ValueError: dtypes or shapes that do not fit.
    """
    require_tensor("scatter_add", input=input, index=index, src=src)
    return ScatterAdd(check.dim("scatter_add", dim, input.ndim))(input, index, src)  # type: ignore[no-any-return]


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with ``input`` and ``indices`` broadcast but for ``dim``; over the flat elements without ``dim``.

    Negative indices count from the end.

    Raises:
        IndexError: ``dim`` or an index out of range.
        TypeError, ValueError: an index of another dtype than int64 and int32, or shapes that do not broadcast.
    """
    require_tensor("take_along_dim", input=input, indices=indices)
    if dim is None:
        return take_along_dim(reshape(input, (-1,)), reshape(indices, (-1,)), 0)
    if input.ndim != indices.ndim:
        raise ValueError(
            f"take_along_dim: input of shape {input.shape} and indices of shape {indices.shape} must have as many "
            "dimensions"
        )
    axis = check.dim("take_along_dim", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    indices = where(lt(indices, 0), indices + size, indices)
    if not input.ndim:
        return gather(input, 0, indices)

    def without(shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:axis], 1, *shape[axis + 1 :])

    common = check.broadcast("take_along_dim", without(input.shape), without(indices.shape))

    def spread(tensor: Tensor) -> Tensor:
        return expand(tensor, (*common[:axis], tensor.shape[axis], *common[axis + 1 :]))

    return gather(spread(input), axis, spread(indices))


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """1 at each index and 0 elsewhere along a new last dimension of ``num_classes``, int64.

    ``num_classes=-1`` takes the largest index plus one.

    Raises:
        IndexError: an index out of range.
        TypeError, ValueError: no int64 or int32, or ``num_classes`` is not positive, or no index to take it from.
    """
    require_tensor("one_hot", input=input)
    if num_classes == -1:
        if not input.numel():
            raise ValueError("one_hot: an empty input needs num_classes")
        num_classes = int(amax(input.detach()).item()) + 1
    return Tensor._over(input.device.kernels.one_hot(input.array, num_classes=num_classes), input.device)
