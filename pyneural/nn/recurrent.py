"""Recurrent layers: RNN, LSTM and GRU, with PyTorch's names of weights and order of gates."""

from __future__ import annotations

import math
from typing import Any

from pyneural import functional
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.functional import cat, empty, linear, sigmoid, stack, tanh
from pyneural.functional.pieces import chunk, unbind
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter

State = tuple[Tensor, ...]  # what is carried from step to step, each (batch, hidden_size)


class RNNBase(Module):
    """What RNN, LSTM and GRU share: layers, directions, shapes and states.

    A subclass gives how many ``gates`` a cell has, how many tensors its state has, and the cell.
    """

    gates = 1
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        arguments.size(own, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bool(bias), bool(batch_first), bool(bidirectional)
        self.dropout = arguments.number(own, "dropout", dropout, 0.0, 1.0)
        if dropout and num_layers == 1:
            raise ValueError(
                f"{own}: dropout (={dropout}) lies between layers and has no effect on num_layers (={num_layers})"
            )
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * self.directions
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
                if bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                for name, shape in shapes.items():
                    self.register_parameter(name + suffix, Parameter(empty(shape, dtype=dtype, device=device)))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """2 where it is bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.directions]

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator, uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for each in self.parameters():
            init.uniform_(each, -bound, bound)

    def cell(self, projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        """The next state, the output first, from the input's part of the gates and the present state."""
        raise NotImplementedError(f"{type(self).__name__}: cell is not defined")

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        """Run over a sequence from the state ``hx``, zeros by default.

        Returns:
            The outputs of the last layer at every step, and the last state of every layer and direction.
        """
        states = self._check(input, hx)
        batched = input.ndim == 3
        if not batched:
            input = input.unsqueeze(1)
        elif self.batch_first:
            input = input.transpose(0, 1)
        if states is None:
            shape = (self.num_layers * self.directions, input.shape[1], self.hidden_size)
            zero = input.new_zeros(shape)
            states = (zero,) * self.states
        elif not batched:
            states = tuple(each.unsqueeze(1) for each in states)
        # By layer and direction: the tensors of one state.
        begins = list(zip(*(unbind(each) for each in states), strict=True))
        ends: list[State] = []
        output = input
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                output = functional.dropout(output, self.dropout)
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                sequence, end = self._run(output, begins[layer * self.directions + direction], suffix, direction == 1)
                outputs.append(sequence)
                ends.append(end)
            output = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        last = tuple(stack(list(each)) for each in zip(*ends, strict=True))
        if not batched:
            output, last = output.squeeze(1), tuple(each.squeeze(1) for each in last)
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, (last[0] if self.states == 1 else last)

    def _run(self, input: Tensor, state: State, suffix: str, backward: bool) -> tuple[Tensor, State]:
        """One layer in one direction over (steps, batch, features)."""
        weight = getattr(self, "weight_hh" + suffix)
        bias = getattr(self, "bias_hh" + suffix) if self.bias else None
        # The input's part of the gates needs no state: one matrix product for all steps.
        projected = unbind(
            linear(input, getattr(self, "weight_ih" + suffix), getattr(self, "bias_ih" + suffix) if self.bias else None)
        )
        outputs = []
        for each in reversed(projected) if backward else projected:
            state = self.cell(each, state, weight, bias)
            outputs.append(state[0])
        if backward:
            outputs.reverse()
        return stack(outputs), state

    def _check(self, input: Any, hx: Any) -> tuple[Tensor, ...] | None:
        """The initial states as a tuple, after checking every shape."""
        own = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeError(f"{own}: input must be a tensor, not {type(input).__name__}")
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            lead = "(N, L" if self.batch_first else "(L, N"
            raise ValueError(
                f"{own}: input must have shape {lead}, {self.input_size}) or (L, {self.input_size}), not {input.shape}"
            )
        steps = input.shape[1 if self.batch_first and input.ndim == 3 else 0]
        if not steps:
            raise ValueError(f"{own}: input of shape {input.shape} has no step")
        if hx is None:
            return None
        states = (hx,) if self.states == 1 else hx
        if not isinstance(states, (tuple, list)) or len(states) != self.states:
            raise TypeError(f"{own}: hx must be {'a tensor' if self.states == 1 else 'two tensors (h_0, c_0)'}")
        batch = () if input.ndim == 2 else (input.shape[0 if self.batch_first else 1],)
        shape = (self.num_layers * self.directions, *batch, self.hidden_size)
        for name, each in zip(("h_0", "c_0"), states, strict=False):
            if not isinstance(each, Tensor):
                raise TypeError(f"{own}: {name} must be a tensor, not {type(each).__name__}")
            if each.shape != shape:
                raise ValueError(f"{own}: {name} must have shape {shape}, not {each.shape}")
        return tuple(states)

    def flops(self, output: Any, *inputs: Any) -> int:
        positions = inputs[0].numel() // self.input_size
        matrices = [each for name, each in self.named_parameters() if name.startswith("weight")]
        return int(positions * sum(2 * each.numel() for each in matrices))

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        defaults = (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        )
        parts += [f"{name}={getattr(self, name)}" for name, usual in defaults if getattr(self, name) != usual]
        return ", ".join(parts)


class RNN(RNNBase):
    """``h = tanh(W_ih x + b_ih + W_hh h + b_hh)`` at every step (Elman 1990), or with ``nonlinearity="relu"``.

    Shapes: input (L, N, input_size), (N, L, input_size) if ``batch_first``, or (L, input_size); hx and h_n
    (num_layers * directions, N, hidden_size); output (L, N, directions * hidden_size).

    Args:
        input_size, hidden_size, num_layers: at least 1.
        nonlinearity: "tanh" or "relu".
        bias: whether there are the two vectors.
        batch_first: the batch is the first dimension of input and output, not of the states.
        dropout: of the outputs of every layer but the last, in training.
        bidirectional: a second direction, from the last step to the first, beside the first.
        device, dtype: of the parameters.

    Raises:
        ValueError, TypeError: a value out of range; shapes that do not fit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        arguments.choice("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = nonlinearity

    def cell(self, projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        total = projected + linear(state[0], weight, bias)
        return (tanh(total) if self.nonlinearity == "tanh" else functional.relu(total),)


class LSTM(RNNBase):
    """Long short-term memory: a cell c that gates let through, write and read (Hochreiter & Schmidhuber 1997).

    With gates i, f, g, o in the rows of the weights: ``c = sigmoid(f) c + sigmoid(i) tanh(g)`` and
    ``h = sigmoid(o) tanh(c)``. Arguments and shapes as of `RNN`; the state is the pair (h, c).
    """

    gates = 4
    states = 2

    def cell(self, projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        hidden, memory = state
        product = linear(hidden, weight, bias)
        return functional.lstm_cell(projected.to(memory.dtype), product.to(memory.dtype), memory)

    def _run(self, input: Tensor, state: State, suffix: str, backward: bool) -> tuple[Tensor, State]:
        hidden, memory = state
        weights = [getattr(self, name + suffix) for name in ("weight_ih", "weight_hh")]
        # Under autocast products are 16-bit, and what is carried from step to step keeps its digits.
        if autocast.targets is not None or len({each.dtype for each in (input, hidden, memory, *weights)}) > 1:
            return super()._run(input, state, suffix, backward)
        bias = getattr(self, "bias_ih" + suffix) + getattr(self, "bias_hh" + suffix) if self.bias else None
        projected = linear(input, weights[0], bias)
        outputs, memories = functional.lstm_layer(projected, hidden, memory, weights[1], backwards=backward)
        last = 0 if backward else -1
        return outputs, (outputs[last], memories[last])


class GRU(RNNBase):
    """Gated recurrent units (Cho et al. 2014, arXiv:1406.1078), with the reset gate behind the matrix product.

    With gates r, z, n in the rows of the weights: ``n = tanh(n_x + sigmoid(r) n_h)`` and
    ``h = (1 - sigmoid(z)) n + sigmoid(z) h``. Arguments and shapes as of `RNN`.
    """

    gates = 3

    def cell(self, projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        (hidden,) = state
        by_input = chunk(projected, 3, -1)
        by_hidden = chunk(linear(hidden, weight, bias), 3, -1)
        reset, update = (sigmoid(a + b) for a, b in zip(by_input[:2], by_hidden[:2], strict=True))
        new = tanh(by_input[2] + reset * by_hidden[2])
        return (new + update * (hidden - new),)
