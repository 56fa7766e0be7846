"""22: an operation with its gradient, in a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pyneural import Tensor, cuda, functional, optim
from pyneural.autograd import Function, GradcheckError, gradcheck
from pyneural.kernels import Backend
from pyneural.learn.exercise import POISON, Array, Case, Exercise, Mistake, Remark, blocks, one_per_element, result

BLOCK = 128
POINTS, HIDDEN, STEPS = 96, 16, 60
DEVICE = "reference"
"""Only the gate is computed by kernels of CUDA: the rest of the network must be nobody's fault."""


def _forward(rng: np.random.Generator, n: int) -> Case:
    x = (2 * rng.standard_normal(n)).astype(np.float32)
    exact = x.astype(np.float64)
    return Case(
        f"forward, n = {n}",
        {"x": x, "y": result(n), "n": n},
        {"y": (exact * np.exp(-(exact**2) / 2)).astype(np.float32)},
        blocks(n, BLOCK),
        BLOCK,
        tolerance=2e-6,
        owner=one_per_element(BLOCK),
        mistakes=(
            Mistake("y", (exact * np.exp(-(exact**2))).astype(np.float32), "the exponent: half of the square"),
            Mistake("y", np.exp(-(exact**2) / 2).astype(np.float32), "x itself, which the exponential only weighs"),
        ),
    )


def _backward(rng: np.random.Generator, n: int) -> Case:
    x = (2 * rng.standard_normal(n)).astype(np.float32)
    grad = rng.standard_normal(n).astype(np.float32)
    exact, bell = x.astype(np.float64), np.exp(-(x.astype(np.float64) ** 2) / 2)
    slope = (1 - exact**2) * bell
    wrong: dict[str, Array] = {
        "only x has been differentiated: the exponential depends on x as well": grad * bell,
        "the sign of the exponential's derivative, which is -x times it": grad * (1 + exact**2) * bell,
        "only the exponential has been differentiated: it is a product": grad * -(exact**2) * bell,
        "the chain rule: the slope of this operation times what comes from behind it, grad": slope,
        "the engine adds gradients up where that is due: a kernel only writes its own": POISON + grad * slope,
    }
    return Case(
        f"backward, n = {n}",
        {"grad": grad, "x": x, "dx": result(n), "n": n},
        {"dx": (grad * slope).astype(np.float32)},
        blocks(n, BLOCK),
        BLOCK,
        tolerance=2e-6,
        owner=one_per_element(BLOCK),
        mistakes=tuple(Mistake("dx", values.astype(np.float32), says) for says, values in wrong.items()),
        kernel="gate_backward",
    )


def _cases(rng: np.random.Generator) -> list[Case]:
    return [make(rng, n) for make in (_forward, _backward) for n in (300, 128, 1)]


def _measured(rng: np.random.Generator) -> tuple[Case, int]:
    return _backward(rng, 8 * BLOCK), 3 * 4 * 8 * BLOCK


def operation(kernels: Mapping[str, cuda.Kernel]) -> type[Function]:
    """The two kernels as an operation of the engine's."""

    def launch(name: str, *inputs: Tensor) -> Array:
        arrays = [np.ascontiguousarray(each.array) for each in inputs]
        out = np.empty_like(arrays[0])
        if out.dtype == np.float64:
            name += "_double"
        flat = [each.reshape(-1) for each in (*arrays, out)]
        kernels[name][blocks(out.size, BLOCK), BLOCK](*flat, out.size)
        return out

    class GateBackward(Function):
        def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
            return launch("gate_backward", grad, x)

    class Gate(Function):
        def forward(self, kernels: Backend, x: Tensor) -> Any:
            self.save(x)
            return launch("gate", x)

        def backward(self, grad: Tensor) -> Any:
            (x,) = self.saved
            return GateBackward()(grad, x)

    return Gate


def losses(gate: type[Function], rng: np.random.Generator) -> list[float]:
    """Of a network with one hidden layer and this activation, while it learns which pair of quadrants a point is in."""
    points = rng.standard_normal((POINTS, 2)).astype(np.float32)
    points += 0.3 * np.sign(points)  # none too near a border
    x = Tensor(points, device=DEVICE)
    y = Tensor((points.prod(1) > 0).astype(np.int64), device=DEVICE)
    shapes = ((2, HIDDEN), (HIDDEN,), (HIDDEN, 2), (2,))
    weights = [
        Tensor(rng.standard_normal(shape).astype(np.float32) / 2, device=DEVICE, requires_grad=True) for shape in shapes
    ]
    optimizer, found = optim.Adam(weights, lr=0.05), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        hidden = gate()(x @ weights[0] + weights[1])
        loss = functional.cross_entropy(hidden @ weights[2] + weights[3], y)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def _in_a_network(kernels: Mapping[str, cuda.Kernel], rng: np.random.Generator) -> list[Remark]:
    gate = operation(kernels)
    x = Tensor(2 * rng.standard_normal((3, 7)), device=DEVICE, requires_grad=True)
    try:
        gradcheck(lambda x: gate()(x), x, rng=rng)
    except GradcheckError as error:
        look = (
            "what is of single precision on its way, whatever the arrays are: a float32, an expf, a constant with an f"
        )
        return [Remark(f"in double precision: {error}", look)]
    first, *_, last = losses(gate, rng)
    if not last < math.log(2) / 2:  # who only guesses has log 2
        says = f"the loss of a network with this activation goes from {first:.3g} to {last:.3g} in {STEPS} steps"
        return [Remark(says, "what a network's launches have that the cases above have not")]
    return []


EXERCISE = Exercise(
    "gate",
    _cases,
    _measured,
    share=0.99,
    look={"out_of_bounds": "the condition i < n: both kernels need it"},
    more=("gate_backward", "gate_double", "gate_backward_double"),
    doubles={"gate_double": "gate", "gate_backward_double": "gate_backward"},
    also=_in_a_network,
)
