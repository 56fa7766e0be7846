"""One tensor in pieces. All pieces are one node of the graph, so that their gradients are joined once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend, check
from pyneural.tensor import Tensor

from .layout import cat, stack
from .operands import require_tensor


class Split(Function):
    """Views of ``sections`` entries each along ``axis``."""

    def __init__(self, sections: Sequence[int], axis: int) -> None:
        self.sections, self.axis = sections, axis

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        lead, start, views = (slice(None),) * self.axis, 0, []
        for each in self.sections:
            key = (*lead, slice(start, start + each))
            views.append(x.array[key])
            start += each
        return tuple(views)

    def backward(self, *grads: Tensor | None) -> Any:
        return cat(_complete(self, grads), self.axis)


class Unbind(Function):
    """Views of single entries along ``axis``, without that dimension."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        keys = [(slice(None),) * self.axis + (i,) for i in range(x.array.shape[self.axis])]
        return tuple([x.array[key] for key in keys])

    def backward(self, *grads: Tensor | None) -> Any:
        return stack(_complete(self, grads), self.axis)


def _complete(node: Function, grads: Sequence[Tensor | None]) -> list[Tensor]:
    """Zeros for the pieces that nothing was computed from."""
    known = next(each for each in grads if each is not None)
    return [
        known.new_zeros(shape) if each is None else each
        for each, (shape, _, _) in zip(grads, node.outputs, strict=True)
    ]


def _views(input: Tensor, pieces: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    for each in pieces:
        each._version, each._view = input._version, input._version[1] + 1
    return pieces


def split(input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one length (the last may be shorter), or of the given lengths, along ``dim``, as views."""
    require_tensor("split", input=input)
    axis = check.dim("split", dim, input.ndim)
    length = input.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size <= 0:
            raise ValueError(f"split: split_size (={size}) must be positive")
        sections = [min(size, length - start) for start in range(0, max(length, 1), size)]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != length:
            raise ValueError(f"split: sections (={tuple(sections)}) add up to {sum(sections)}, not {length}")
        if min(sections, default=0) < 0:
            raise ValueError(f"split: sections (={tuple(sections)}) must not be negative")
    return _views(input, Split(sections, axis)(input)) if sections else ()


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of one length, the last perhaps shorter, along ``dim``, as views.

    Raises:
        IndexError: ``dim`` is out of range.
        ValueError: ``chunks`` is below 1.
    """
    require_tensor("chunk", input=input)
    axis = check.dim("chunk", dim, input.ndim)
    if chunks < 1:
        raise ValueError(f"chunk: chunks (={chunks}) must be at least 1")
    length = input.shape[axis]
    size = -(-length // chunks)
    sections = [min(size, length - start) for start in range(0, length, size)] if size else [0] * chunks
    return _views(input, Split(sections, axis)(input))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The entries along ``dim``, each without that dimension, as views.

    Raises:
        IndexError: ``dim`` is out of range.
    """
    require_tensor("unbind", input=input)
    axis = check.dim("unbind", dim, input.ndim)
    return _views(input, Unbind(axis)(input)) if input.shape[axis] else ()
