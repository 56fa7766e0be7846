"""Recurrent layers: one step, and all steps of a layer as one node of the graph."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .activation import sigmoid, tanh
from .creation import zeros, zeros_like
from .layout import cat, contiguous, stack, transpose
from .matmul import linear, matmul
from .operands import require_tensor
from .pieces import chunk, unbind
from .rederive import rederive


class LSTMCell(Function):
    """Also gives the gates after their functions, without gradient."""

    differentiable = 2

    def forward(self, kernels: Backend, projected: Tensor, product: Tensor, memory: Tensor) -> Any:
        hidden, following, gates = kernels.lstm_cell(projected.array, product.array, memory.array)
        self.save(projected, product, memory)
        self.save_outputs()
        return hidden, following, gates

    def backward(self, grad_hidden: Tensor | None, grad_memory: Tensor | None, _: Tensor | None) -> Any:
        projected, product, memory = self.saved
        _, following, gates = self.saved_outputs
        by_hidden, by_memory = (zeros_like(memory) if each is None else each for each in (grad_hidden, grad_memory))
        by_gates, by_before = LSTMCellBackward()(by_hidden, by_memory, projected, product, memory, gates, following)
        return (
            by_gates if self.needs[0] else None,
            by_gates if self.needs[1] else None,
            by_before if self.needs[2] else None,
        )


class LSTMCellBackward(Function):
    """The fused backward; its own derivative is that of the formula."""

    def forward(
        self,
        kernels: Backend,
        grad_hidden: Tensor,
        grad_memory: Tensor,
        projected: Tensor,
        product: Tensor,
        memory: Tensor,
        gates: Tensor,
        following: Tensor,
    ) -> Any:
        self.save(grad_hidden, grad_memory, projected, product, memory)
        return kernels.lstm_cell_backward(
            grad_hidden.array, grad_memory.array, gates.array, memory.array, following.array
        )

    def backward(self, *cotangents: Tensor | None) -> Any:
        return (*rederive(self.formula, self.saved, self.needs[:5], cotangents), None, None)

    @staticmethod
    def formula(
        grad_hidden: Tensor, grad_memory: Tensor, projected: Tensor, product: Tensor, memory: Tensor
    ) -> tuple[Tensor, ...]:
        """As the contract's."""
        i, f, g, o = chunk(projected + product, 4, 1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        t = tanh(f * memory + i * g)
        d = grad_memory + grad_hidden * o * (1.0 - t * t)
        parts = [
            d * g * i * (1.0 - i),
            d * memory * f * (1.0 - f),
            d * i * (1.0 - g * g),
            grad_hidden * t * o * (1.0 - o),
        ]
        return cat(parts, 1), d * f


def lstm_cell(projected: Tensor, product: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The output h' and the memory c' of one step of a long short-term memory, each (batch, size).

    With i, f, g, o side by side in ``projected + product``, (batch, 4 size), and s the logistic function:
    ``c' = s(f) memory + s(i) tanh(g)`` and ``h' = s(o) tanh(c')``. Source: Hochreiter & Schmidhuber 1997, with the
    forget gate of Gers, Schmidhuber & Cummins 2000.

    Raises:
        TypeError: an operand is no tensor, or of another dtype.
        ValueError: shapes disagree.
    """
    require_tensor("lstm_cell", projected=projected, product=product, memory=memory)
    hidden, following, _ = LSTMCell()(projected, product, memory)
    return hidden, following


class LSTMLayer(Function):
    """All steps of a layer in one direction, from the products of its input.

    Gives the outputs and the memories after every step, (steps, batch, size), each at its step's place also where
    the layer runs ``backwards``, and the gates, without gradient.
    """

    differentiable = 2

    def __init__(self, backwards: bool) -> None:
        self.backwards = backwards

    def forward(
        self, kernels: Backend, projected: Tensor, hidden: Tensor, memory: Tensor, weight: Tensor, turned: Tensor
    ) -> Any:
        given, h, c = projected.array, hidden.array, memory.array
        shape, empty = (given.shape[0], *c.shape), kernels.engine.empty
        outputs, memories, gates = empty(shape, c.dtype), empty(shape, c.dtype), empty(given.shape, c.dtype)
        product = empty(given.shape[1:], c.dtype)
        for t in _order(shape[0], self.backwards):
            kernels.matmul(h, turned.array, out=product)
            kernels.lstm_cell(given[t], product, c, out=(outputs[t], memories[t], gates[t]))
            h, c = outputs[t], memories[t]
        self.save(projected, hidden, memory, weight)
        self.save_outputs()
        return outputs, memories, gates

    def backward(self, grad_outputs: Tensor | None, grad_memories: Tensor | None, _: Tensor | None) -> Any:
        outputs, memories, gates = self.saved_outputs
        if grad_outputs is None:
            grad_outputs = zeros_like(outputs)
        gradients = LSTMLayerBackward(self.backwards)(
            grad_outputs, grad_memories, *self.saved, outputs, memories, gates
        )
        wanted = zip(gradients, self.needs, strict=False)
        return (*[each if needed else None for each, needed in wanted], None)


class LSTMLayerBackward(Function):
    """The walk back over the steps; the weight's gradient is one product over all of them."""

    def __init__(self, backwards: bool) -> None:
        self.backwards = backwards

    def forward(
        self,
        kernels: Backend,
        grad_outputs: Tensor,
        grad_memories: Tensor | None,
        projected: Tensor,
        hidden: Tensor,
        memory: Tensor,
        weight: Tensor,
        outputs: Tensor,
        memories: Tensor,
        gates: Tensor,
    ) -> Any:
        self.save(grad_outputs, grad_memories, projected, hidden, memory, weight)
        dtype, empty, steps = memory.array.dtype, kernels.engine.empty, projected.array.shape[0]
        by_gates = empty(projected.array.shape, dtype)
        by_hidden, total, fresh, by_memory = (empty(memory.array.shape, dtype) for _ in range(4))
        kernels.engine.fill(by_memory, 0)
        order = _order(steps, self.backwards)
        for number in reversed(range(steps)):
            t = order[number]
            by_output = grad_outputs.array[t]
            if number < steps - 1:
                by_output = kernels.add(by_output, by_hidden, out=total)
            if grad_memories is not None:
                by_memory = kernels.add(by_memory, grad_memories.array[t])
            before = memories.array[order[number - 1]] if number else memory.array
            kernels.lstm_cell_backward(
                by_output, by_memory, gates.array[t], before, memories.array[t], out=(by_gates[t], fresh)
            )
            by_memory, fresh = fresh, by_memory
            kernels.matmul(by_gates[t], weight.array, out=by_hidden)
        return by_gates, by_hidden, by_memory, self._by_weight(kernels, by_gates, hidden.array, outputs.array)

    def _by_weight(self, kernels: Backend, by_gates: Any, hidden: Any, outputs: Any) -> Any:
        """The gates' gradients of every step against the output of the one before."""
        steps, _, rows = by_gates.shape
        later, earlier = (slice(steps - 1), slice(1, steps)) if self.backwards else (slice(1, steps), slice(steps - 1))
        first = by_gates[-1 if self.backwards else 0]
        by_weight = kernels.matmul(first.T, hidden)
        if steps > 1:
            flat = by_gates[later].reshape(-1, rows)
            by_weight = kernels.add(kernels.matmul(flat.T, outputs[earlier].reshape(flat.shape[0], -1)), by_weight)
        return by_weight

    def backward(self, *cotangents: Tensor | None) -> Any:
        return (*rederive(self.formula, self.saved, self.needs[:6], cotangents), None, None, None)

    def formula(
        self,
        grad_outputs: Tensor,
        grad_memories: Tensor | None,
        projected: Tensor,
        hidden: Tensor,
        memory: Tensor,
        weight: Tensor,
    ) -> tuple[Tensor, ...]:
        """The same walk in differentiable steps."""
        given, order = unbind(projected), _order(projected.shape[0], self.backwards)
        states, products = [(hidden, memory)], []
        for t in order:
            products.append(linear(states[-1][0], weight))
            states.append(lstm_cell(given[t], products[-1], states[-1][1]))
        by_hidden, by_memory = zeros_like(hidden), zeros_like(memory)
        by_weight = zeros(weight.shape, dtype=weight.dtype, device=weight.device)
        by_gates: dict[int, Tensor] = {}
        for number in reversed(range(len(order))):
            t = order[number]
            by_output = grad_outputs[t] + by_hidden
            if grad_memories is not None:
                by_memory = by_memory + grad_memories[t]
            by_gates[t], by_memory = LSTMCellBackward.formula(
                by_output, by_memory, given[t], products[number], states[number][1]
            )
            by_hidden = matmul(by_gates[t], weight)
            by_weight = by_weight + matmul(transpose(by_gates[t], 0, 1), states[number][0])
        return stack([by_gates[t] for t in range(len(order))]), by_hidden, by_memory, by_weight


def _order(steps: int, backwards: bool) -> range:
    return range(steps - 1, -1, -1) if backwards else range(steps)


def lstm_layer(
    projected: Tensor, hidden: Tensor, memory: Tensor, weight: Tensor, *, backwards: bool = False
) -> tuple[Tensor, Tensor]:
    """The outputs h and memories c of an LSTM after each step, (steps, batch, size), in the order of the input.

    Args:
        projected: the products of the input with its weight, and biases, (steps, batch, 4 size); see `lstm_cell`.
        hidden, memory: h and c before the first step, (batch, size).
        weight: of the last output, (4 size, size).
        backwards: from the last step to the first.

    Raises:
        TypeError: an operand is no tensor, or of another dtype.
        ValueError: there is no step, or shapes disagree.
    """
    require_tensor("lstm_layer", projected=projected, hidden=hidden, memory=memory, weight=weight)
    if projected.ndim != 3 or not projected.shape[0]:
        raise ValueError(f"lstm_layer: projected must have shape (steps, batch, 4 size), not {projected.shape}")
    if weight.ndim != 2:
        raise ValueError(f"lstm_layer: weight must have shape (4 size, size), not {weight.shape}")
    # Its rows are read at every step, in the order in which they lie then.
    turned = contiguous(transpose(weight.detach(), 0, 1))
    outputs, memories, _ = LSTMLayer(backwards)(projected, hidden, memory, weight, turned)
    return outputs, memories
