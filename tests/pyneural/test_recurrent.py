"""The steps of an LSTM and its layer as one node: against PyTorch, against each other, differentiated twice."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import Tensor
from pyneural import functional as F
from pyneural.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch", reason="PyTorch, which the results are compared with, is not installed")

STEPS, BATCH, SIZE = 5, 3, 4


@pytest.fixture(params=["cpu", "reference"])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _arrays(rng: np.random.Generator, steps: int = STEPS) -> list[np.ndarray]:
    shapes = ((steps, BATCH, 4 * SIZE), (BATCH, SIZE), (BATCH, SIZE), (4 * SIZE, SIZE))
    return [rng.standard_normal(shape) for shape in shapes]


def _tensors(arrays: list[np.ndarray], device: str) -> list[Tensor]:
    return [Tensor(each, device=device, requires_grad=True) for each in arrays]


@pytest.mark.parametrize("steps", [1, STEPS])
@pytest.mark.parametrize("backwards", [False, True])
def test_layer_is_its_cells(steps: int, backwards: bool, device: str, rng: np.random.Generator) -> None:
    """Values, and gradients from random cotangents of outputs and memories, from either alone too."""
    arrays = _arrays(rng, steps)
    cotangents = [rng.standard_normal((steps, BATCH, SIZE)) for _ in range(2)]
    for used in ((True, True), (True, False), (False, True)):
        found = []
        for whole in (True, False):
            projected, hidden, memory, weight = given = _tensors(arrays, device)
            if whole:
                results = F.lstm_layer(projected, hidden, memory, weight, backwards=backwards)
            else:
                pairs: dict[int, tuple[Tensor, Tensor]] = {}
                for t in reversed(range(steps)) if backwards else range(steps):
                    hidden, memory = pairs[t] = F.lstm_cell(projected[t], F.linear(hidden, weight), memory)
                results = tuple(F.stack([pairs[t][i] for t in range(steps)]) for i in range(2))
            loss = sum(
                (result * Tensor(each, device=device)).sum()
                for result, each, wanted in zip(results, cotangents, used, strict=True)
                if wanted
            )
            loss.backward()
            found.append([*(each.detach().numpy() for each in results), *(each.grad.numpy() for each in given)])
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backwards", [False, True])
def test_layer_can_be_differentiated_twice(backwards: bool, device: str, rng: np.random.Generator) -> None:
    given = _tensors(_arrays(rng, 3), device)

    def call(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        return F.lstm_layer(*tensors, backwards=backwards)

    gradcheck(call, given, rng=rng)
    gradgradcheck(call, given, rng=rng, atol=1e-4)
    gradgradcheck(lambda *tensors: call(*tensors)[0], given, rng=rng, atol=1e-4)


def test_a_cell_is_pytorchs(device: str, rng: np.random.Generator) -> None:
    projected, hidden, memory, weight = _arrays(rng, 1)
    ours = F.lstm_cell(Tensor(projected[0], device=device), Tensor(hidden @ weight.T, device=device),
                       Tensor(memory, device=device))  # fmt: skip
    cell = torch.nn.LSTMCell(1, SIZE, bias=True, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.zero_()
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()
        cell.weight_hh.copy_(torch.from_numpy(weight))
        for row in range(BATCH):  # the input's part of the gates differs from row to row, and a bias does not
            cell.bias_ih.copy_(torch.from_numpy(projected[0, row]))
            state = tuple(torch.from_numpy(each[row : row + 1]) for each in (hidden, memory))
            theirs = cell(torch.zeros((1, 1), dtype=torch.float64), state)
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(one.numpy()[row : row + 1], other.numpy(), rtol=1e-12, atol=1e-13)


def test_a_changed_memory_is_refused_in_backward(device: str, rng: np.random.Generator) -> None:
    outputs, memories = F.lstm_layer(*_tensors(_arrays(rng), device))
    memories.detach()[0] = 0.0
    with pytest.raises(RuntimeError, match=r"LSTMLayer: a tensor of shape .* was changed in place"):
        outputs.sum().backward()


def test_wrong_shapes_are_refused(device: str, rng: np.random.Generator) -> None:
    projected, hidden, memory, weight = _tensors(_arrays(rng), device)
    with pytest.raises(ValueError, match=r"projected must have shape \(steps, batch, 4 size\), not \(3, 16\)"):
        F.lstm_layer(projected[0], hidden, memory, weight)
    with pytest.raises(ValueError, match=r"not \(0, 3, 16\)"):
        F.lstm_layer(projected[:0], hidden, memory, weight)
    with pytest.raises(ValueError, match=r"weight must have shape \(4 size, size\), not \(4,\)"):
        F.lstm_layer(projected, hidden, memory, weight[0])
    with pytest.raises(ValueError, match=r"lstm_cell: projected must have shape \(2, 16\), not \(3, 16\)"):
        F.lstm_layer(projected, hidden, memory[:2], weight)
    with pytest.raises(TypeError, match="matmul: a has dtype float32 but b has dtype float64"):
        F.lstm_layer(projected, hidden.to(np.float32), memory, weight)
