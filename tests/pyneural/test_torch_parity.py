"""The demo's network and PyTorch, from the same weights: the same loss for 100 steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural import Tensor, nn, optim
from pyneural.apps import digits

STEPS, BATCH = 100, 16


def _twin(torch: Any) -> Any:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 3, padding=1),
        torch.nn.BatchNorm2d(32),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.BatchNorm2d(64),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Dropout(0.0),
        torch.nn.Flatten(),
        torch.nn.Linear(1024, 10),
    ).double()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda params: optim.Adam(params, 1e-3), lambda torch, params: torch.optim.Adam(params, 1e-3)),
        (
            lambda params: optim.SGD(params, 0.01, momentum=0.9),
            lambda torch, params: torch.optim.SGD(params, 0.01, momentum=0.9),
        ),
    ],
    ids=["Adam", "SGD with momentum"],
)
def test_same_weights_same_loss_curve(
    ours: Callable[[Any], optim.Optimizer], theirs: Callable[[Any, Any], Any], rng: np.random.Generator
):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    model = digits.build(dropout=0.0, dtype=np.float64)
    oracle = _twin(torch)
    oracle.load_state_dict({name: torch.tensor(each.numpy()) for name, each in model.state_dict().items()})
    optimizer, oracle_optimizer = ours(model.parameters()), theirs(torch, oracle.parameters())
    images, labels = rng.standard_normal((64, 1, 8, 8)), rng.integers(0, 10, 64)
    curves: tuple[list[float], list[float]] = ([], [])
    for step in range(STEPS):
        rows = [(step * BATCH + i) % 64 for i in range(BATCH)]
        loss = nn.CrossEntropyLoss()(model(Tensor(images[rows])), Tensor(labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curves[0].append(loss.item())
        expected = torch.nn.CrossEntropyLoss()(oracle(torch.tensor(images[rows])), torch.tensor(labels[rows]))
        oracle_optimizer.zero_grad()
        expected.backward()
        oracle_optimizer.step()
        curves[1].append(expected.item())
    assert curves[0][-1] < 0.5 * curves[0][0]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-9)
    assert model[1].num_batches_tracked.item() == STEPS
    np.testing.assert_allclose(model[4].running_var.numpy(), oracle[4].running_var.numpy(), rtol=1e-9)
