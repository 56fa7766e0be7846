"""Contracts of the steps of recurrent layers, whose matrix products are those of `linear`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import check
from ..contract import Sample, Spec, Wrong, operation
from ..samples import normal, special

Array = Any
DType = np.dtype[Any]

_SOURCE = (
    "Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, with the forget gate of Gers, Schmidhuber and Cummins, "
    "2000; torch.nn.LSTM"
)
_SHAPES = ((1, 1), (2, 3), (3, 2), (0, 4), (3, 0), (1, 5), (7, 31), (5, 33), (33, 16), (61, 130))
"""Of the memory: batch, size."""


def _gates(operation: str, name: str, gates: Array, memory: Array) -> None:
    check.ndim(operation, "memory", memory, 2)
    batch, size = memory.shape
    check.shape(operation, name, gates, (batch, 4 * size))


def _arrays(rng: np.random.Generator, dtype: DType, counts: tuple[int, ...]) -> Iterator[tuple[list[Array], str]]:
    """For each shape an array of it for each of the ``counts``, that many times as wide."""
    for batch, size in _SHAPES:
        yield [normal(rng, (batch, count * size), dtype) for count in counts], f"{batch} of {size}"
    wide = [normal(rng, (5, 12 * count), dtype) for count in counts]
    yield [each[::-2, ::2] for each in wide], "strided"
    yield [np.asfortranarray(each) for each in wide], "transposed"
    yield [each[:1].repeat(3, 0)[:, : each.shape[1]] for each in wide], "repeated"


def _samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for arrays, name in _arrays(rng, dtype, (4, 4, 1)):
        yield Sample(tuple(arrays), {}, name)
    values = special(dtype)
    pieces = [np.resize(values, (values.size, 4)), np.zeros((values.size, 4), dtype), np.ones((values.size, 1), dtype)]
    yield Sample(tuple(pieces), {}, "special values")


def _wrong() -> Iterator[Wrong]:
    gates, memory = np.zeros((3, 8), np.float32), np.zeros((3, 2), np.float32)
    yield Wrong((gates, gates, memory[0]), {}, ValueError, r"memory must have 2 dimensions, not 1 \(shape \(2,\)\)")
    yield Wrong((gates[:2], gates, memory), {}, ValueError, r"projected must have shape \(3, 8\), not \(2, 8\)")
    yield Wrong((gates, gates[:, :6], memory), {}, ValueError, r"product must have shape \(3, 8\), not \(3, 6\)")
    yield Wrong((gates, gates.astype(float), memory), {}, TypeError, "float32 but product has dtype float64")
    yield Wrong((*[each.astype(int) for each in (gates, gates, memory)],), {}, TypeError, "floating dtype, not int64")


@operation(samples=_samples, wrong=_wrong, gradient=2, source=_SOURCE)
def lstm_cell(projected: Array, product: Array, memory: Array) -> tuple[Spec, Spec, Spec]:
    """One step of a long short-term memory, after its matrix products.

    With i, f, g, o side by side in ``projected + product``, the logistic function s of three of them and the hyperbolic
    tangent of g: ``c' = s(f) c + s(i) tanh(g)`` and ``h' = s(o) tanh(c')``.

    Args:
        projected, product: the parts of the gates of the input and of the last output, (batch, 4 size).
        memory: c, (batch, size). All are of one floating dtype.

    Returns:
        h' and c', (batch, size); and the four gates after their functions, (batch, 4 size).

    Raises:
        TypeError: if the dtypes differ or are not floating.
        ValueError: if shapes disagree.
    """
    _gates("lstm_cell", "projected", projected, memory)
    _gates("lstm_cell", "product", product, memory)
    check.same_dtype("lstm_cell", projected=projected, product=product, memory=memory)
    check.floating("lstm_cell", projected=projected)
    state = Spec(memory.shape, memory.dtype)
    return state, state, Spec(projected.shape, memory.dtype)


def _backward_samples(rng: np.random.Generator, dtype: DType) -> Iterator[Sample]:
    for (gates, *others), name in _arrays(rng, dtype, (4, 1, 1, 1, 1)):
        wide = 1 / (1 + np.exp(-gates.astype(np.float64)))  # tanh(g) is as likely to be negative
        third = gates.shape[1] // 2
        wide[:, third : third + gates.shape[1] // 4] *= -1
        yield Sample((*others[:2], wide.astype(dtype), *others[2:]), {}, name)


def _wrong_backward() -> Iterator[Wrong]:
    gates, memory = np.zeros((3, 8), np.float32), np.zeros((3, 2), np.float32)
    call = (memory, memory, gates, memory, memory)
    yield Wrong((*call[:2], gates[:, :4], *call[3:]), {}, ValueError, r"gates must have shape \(3, 8\), not \(3, 4\)")
    yield Wrong((memory[:1], *call[1:]), {}, ValueError, r"grad_hidden must have shape \(3, 2\), not \(1, 2\)")
    yield Wrong((*call[:4], memory.T), {}, ValueError, r"following must have shape \(3, 2\), not \(2, 3\)")
    yield Wrong((*call[:4], memory.astype(float)), {}, TypeError, "float32 but following has dtype float64")


@operation(samples=_backward_samples, wrong=_wrong_backward, source=_SOURCE)
def lstm_cell_backward(
    grad_hidden: Array, grad_memory: Array, gates: Array, memory: Array, following: Array
) -> tuple[Spec, Spec]:
    """The gradients of `lstm_cell`.

    With t = tanh(c') and ``d = grad_memory + grad_hidden o (1 - t^2)``, each gate before its function gets
    ``d g i (1 - i)``, ``d c f (1 - f)``, ``d i (1 - g^2)``, ``grad_hidden t o (1 - o)``, and c gets ``d f``.

    Args:
        grad_hidden, grad_memory: of the step's results h' and c', (batch, size).
        gates: i, f, g, o after their functions, (batch, 4 size).
        memory, following: c and c', (batch, size). All are of one floating dtype.

    Returns:
        The gradients of the gates, (batch, 4 size), which is that of ``projected`` and of ``product``, and of
        ``memory``.

    Raises:
        TypeError: if the dtypes differ or are not floating.
        ValueError: if shapes disagree.
    """
    name = "lstm_cell_backward"
    _gates(name, "gates", gates, memory)
    for other, array in (("grad_hidden", grad_hidden), ("grad_memory", grad_memory), ("following", following)):
        check.shape(name, other, array, memory.shape)
    check.same_dtype(
        name, grad_hidden=grad_hidden, grad_memory=grad_memory, gates=gates, memory=memory, following=following
    )
    check.floating(name, gates=gates)
    return Spec(gates.shape, gates.dtype), Spec(memory.shape, gates.dtype)
