"""Small networks of every kind, and how the tests of `pyneural.compile` train them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural import Tensor, functional, nn, optim

STEPS = 7


class Block(nn.Module):
    """Convolutions with batch norm around a shortcut, and a mean over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norm, self.out = nn.BatchNorm2d(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.first(x))
        x = functional.silu(x + self.norm(self.second(x)))
        return self.out(x.mean(dim=(2, 3)))


def images() -> nn.Module:
    """Large enough for kernels to need memory of their own."""
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 18, 3, padding=1), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18 * 36, 4))  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layers, self.out = getattr(nn, kind)(3, 5, 2, batch_first=True), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layers(x)[0][:, -1])


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(11, 8), nn.Linear(8, 4)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True), 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layers(self.embedding(x))[:, 0])


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(9, 33), nn.GELU(), nn.Dropout(0.3), nn.Linear(33, 31, activation="relu"),
                         nn.LayerNorm(31), nn.Tanh(), nn.Linear(31, 4))  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[np.random.Generator], np.ndarray]]] = {
    "perceptron": (perceptron, lambda rng: rng.standard_normal((5, 9), np.float32)),
    "convolutions": (Block, lambda rng: rng.standard_normal((5, 2, 7, 6), np.float32)),
    "images": (images, lambda rng: rng.standard_normal((5, 3, 12, 12), np.float32)),
    "lstm": (lambda: Recurrent("LSTM"), lambda rng: rng.standard_normal((5, 4, 3), np.float32)),
    "gru": (lambda: Recurrent("GRU"), lambda rng: rng.standard_normal((5, 4, 3), np.float32)),
    "transformer": (Words, lambda rng: rng.integers(0, 11, (5, 6))),
}


def training(model: nn.Module, optimizer: optim.Optimizer, *, after: Callable[[], Any] = lambda: None) -> Any:
    """A whole step of training."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y, label_smoothing=0.1)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        after()
        return loss

    return step


def curve(step: Callable[..., Any], batches: list[tuple[Tensor, ...]]) -> list[float]:
    return [step(*batch).item() for batch in batches]


def state(model: nn.Module) -> list[np.ndarray]:
    return [each.numpy().copy() for each in model.state_dict().values()]


def batches_of(make: Callable[[np.random.Generator], np.ndarray], rng: np.random.Generator) -> list[tuple[Tensor, ...]]:
    return [(Tensor(make(rng)), Tensor(rng.integers(0, 4, 5))) for _ in range(STEPS)]
