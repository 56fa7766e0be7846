"""Handwritten digits: a small convolutional network on scikit-learn's 1,797 images of 8 x 8 pixels.

The first half of the images trains, the second tests, as in scikit-learn's example of a support
vector classifier (https://scikit-learn.org/stable/auto_examples/classification), which gets 0.969.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import arange, cross_entropy, pad, randint
from pyneural.optim import Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .extras import need
from .image import read_digit
from .pictures import draw_predictions
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "digits"
EPOCHS = 20
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
LABEL_SMOOTHING = 0.1
METRIC = "accuracy"
BARS = {"accuracy": 0.985}
LOWER: tuple[str, ...] = ()
INPUT = "a picture of one digit"
GOAL = 0.98  # the demo fails below it


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, side, side) from 0 to 1, and labels (N) from 0 to 9."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load_data(device: str | Device | None = None, dtype: Any = None) -> Digits:
    """The 898 training and 899 test images.

    Raises:
        MissingPackage: scikit-learn is not installed.
    """
    images, labels = _raw()
    half = len(images) // 2
    parts: list[Tensor] = []
    for place in (slice(None, half), slice(half, None)):
        parts.append(Tensor(images[place, None] / 16.0, dtype=dtype or np.float32, device=device))
        parts.append(Tensor(labels[place], dtype=np.int64, device=device))
    return Digits(*parts)


def _raw() -> tuple[np.ndarray, np.ndarray]:
    found = need("sklearn.datasets", "scikit-learn").load_digits()
    return found.images, found.target


def baseline() -> Scores:
    """The test accuracy of scikit-learn's example, a support vector classifier, on the same halves."""
    images, labels = _raw()
    flat, half = images.reshape(len(images), -1), len(images) // 2
    classifier = need("sklearn.svm", "scikit-learn").SVC(gamma=0.001).fit(flat[:half], labels[:half])
    return {"accuracy": float(classifier.score(flat[half:], labels[half:]))}


def build(dropout: float = 0.3, device: str | Device | None = None, dtype: Any = None) -> nn.Sequential:
    """The network, (N, 1, 8, 8) -> (N, 10) logits, with fresh parameters."""
    made: dict[str, Any] = {"device": device, "dtype": dtype}
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, **made),
        nn.BatchNorm2d(32, **made),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, **made),
        nn.BatchNorm2d(64, **made),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 10, **made),
    )


def shift(images: Tensor, generator: Generator | None = None, by: int = 1) -> Tensor:
    """Each image moved by -``by`` to ``by`` pixels down and to the right, at random; what moves in is 0."""
    count, _, height, width = images.shape
    moves = randint(0, 2 * by + 1, (2, count), generator=generator, device=images.device)
    # Row i of a table: the places in the padded image that an image moved by ``by`` - i comes from.
    starts = range(2 * by + 1)
    rows = Tensor([[start + i for i in range(height)] for start in starts], device=images.device)[moves[0]]
    columns = Tensor([[start + i for i in range(width)] for start in starts], device=images.device)[moves[1]]
    which = arange(count, device=images.device).reshape(count, 1, 1)
    padded = pad(images, (by, by, by, by))
    moved: Tensor = padded[which, 0, rows.unsqueeze(2), columns.unsqueeze(1)].unsqueeze(1)
    return moved


def train(model: nn.Module, data: Digits, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with Adam, a learning rate that falls to 0 as a cosine, smoothed labels and shifted images.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    return fit_shifted(
        model,
        data,
        by=1,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


def fit_shifted(
    model: nn.Module, data: Digits, by: int, generator: Generator | None = None, **settings: Any
) -> tuple[History, Optimizer]:
    """`fit`, and its other ``settings``, with smoothed labels and images shifted by up to ``by`` pixels."""
    generator = generator or default_generator

    def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, labels = batch
        logits = model(shift(images, generator, by))
        return cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING), correct(logits.detach(), labels)

    samples = TensorDataset(data.train_images, data.train_labels)
    return fit(model, samples, step, generator=generator, compiled=True, **settings)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many rows of (N, 10) logits are largest at their label."""
    right: Tensor = (logits.argmax(dim=1) == labels).sum()
    return right


def evaluate(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The part of the images that the network recognises."""
    return int(correct(predict(model, images), labels)) / max(len(labels), 1)


def score(model: nn.Module, data: Digits) -> Scores:
    """The accuracy on the second half."""
    return {"accuracy": evaluate(model, data.test_images, data.test_labels)}


def draw(path: Path, model: nn.Module, data: Digits) -> None:
    """Test images with what the network says, the wrong ones first."""
    said = predict(model, data.test_images).argmax(dim=1).cpu().numpy()
    draw_predictions(path, data.test_images.cpu().numpy()[:, 0], data.test_labels.cpu().numpy(), said)


def answer(model: nn.Module, given: str, device: str | Device | None = None) -> Answer:
    """The digit that a picture shows, and how likely each is."""
    return digit_answer(model, read_digit(input_file("predict", given), device))


def digit_answer(model: nn.Module, picture: Tensor) -> Answer:
    """What a network of digits says of one picture."""
    probabilities = predict(model, picture).softmax(dim=1)[0].tolist()
    digit = max(range(10), key=probabilities.__getitem__)
    bars = [f"  {number}  {each:6.3f} {'█' * round(30 * each)}" for number, each in enumerate(probabilities)]
    return Answer({"digit": digit, "probabilities": probabilities}, "\n".join([str(digit), *bars]))
