"""The compiled loops over the rows of a recurrent step; each is short enough to become vector instructions."""

from __future__ import annotations

from ..jit import jit
from ..parallel import share, spread
from ..vector import sigmoid, tanh


@jit(inline=True)
def _lstm_forward(arguments, start, stop):  # type: ignore[no-untyped-def]
    projected, product, memory, hidden, following, gates = arguments
    size = memory.shape[1]
    for row in range(start, stop):
        p, q, gate = projected[row], product[row], gates[row]
        old, new, h = memory[row], following[row], hidden[row]
        for k in range(2 * size):
            gate[k] = sigmoid(p[k] + q[k])
        for k in range(2 * size, 3 * size):
            gate[k] = tanh(p[k] + q[k])
        for k in range(3 * size, 4 * size):
            gate[k] = sigmoid(p[k] + q[k])
        i, f, g, o = gate[:size], gate[size : 2 * size], gate[2 * size : 3 * size], gate[3 * size :]
        for k in range(size):
            new[k] = f[k] * old[k] + i[k] * g[k]
        for k in range(size):
            h[k] = o[k] * tanh(new[k])


@jit
def lstm_forward(projected, product, memory, hidden, following, gates):  # type: ignore[no-untyped-def]
    """`lstm_cell` of contiguous arrays."""
    rows = memory.shape[0]
    arguments = (projected, product, memory, hidden, following, gates)
    spread(_lstm_forward, arguments, rows, share(rows, gates.size))


@jit(inline=True)
def _lstm_backward(arguments, start, stop):  # type: ignore[no-untyped-def]
    grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory = arguments
    size = memory.shape[1]
    one = memory.dtype.type(1)
    for row in range(start, stop):
        gate, by = gates[row], by_gates[row]
        i, f, g, o = gate[:size], gate[size : 2 * size], gate[2 * size : 3 * size], gate[3 * size :]
        by_i, by_f, by_g, by_o = by[:size], by[size : 2 * size], by[2 * size : 3 * size], by[3 * size :]
        by_h, by_next, old, new, d = grad_hidden[row], grad_memory[row], memory[row], following[row], by_memory[row]
        for k in range(size):
            by_g[k] = tanh(new[k])
        for k in range(size):
            d[k] = by_next[k] + by_h[k] * o[k] * (one - by_g[k] * by_g[k])
        for k in range(size):
            by_o[k] = by_h[k] * by_g[k] * o[k] * (one - o[k])
        for k in range(size):
            by_i[k] = d[k] * g[k] * i[k] * (one - i[k])
        for k in range(size):
            by_f[k] = d[k] * old[k] * f[k] * (one - f[k])
        for k in range(size):
            by_g[k] = d[k] * i[k] * (one - g[k] * g[k])
        for k in range(size):
            d[k] = d[k] * f[k]


@jit
def lstm_backward(grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory):  # type: ignore[no-untyped-def]
    """`lstm_cell_backward` of contiguous arrays."""
    rows = memory.shape[0]
    arguments = (grad_hidden, grad_memory, gates, memory, following, by_gates, by_memory)
    spread(_lstm_backward, arguments, rows, share(rows, gates.size))
