"""Faces or something else: convolutional networks on 200 images of 25 x 25 pixels, 100 of each.

The images are scikit-image's part of Labelled Faces in the Wild (Huang et al. 2007). Five folds: the images of each are
held out from the network that is tested on them. Sizes and rates were chosen by folds within the training sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import binary_cross_entropy_with_logits, flip, randint, where
from pyneural.functional import stack as stacked
from pyneural.optim import AdamW, Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .extras import need
from .image import read_square
from .pictures import draw_saliency
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "faces"
EPOCHS = 80
BATCH_SIZE = 40
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
METRIC = "accuracy"
BARS = {"accuracy": 0.975}
LOWER = ("log_loss",)
INPUT = "a picture, square around what may be a face"
SIDE, WINDOW = 25, 22
FOLDS, SPLIT_SEED = 5, 0
FLAT = 0.05  # added to an image's deviation: one that is nearly of one grey is not stretched to noise
DROPOUT = 0.5
CHANNELS = (16, 32, 32)


@dataclass(frozen=True)
class Faces:
    """The images, and the fold that each is tested in.

    Attributes:
        images: (N, 25, 25), grey from 0 to 1.
        face: (N), 1.0 or 0.0.
        fold: (N), from 0.
    """

    images: np.ndarray
    face: np.ndarray
    fold: np.ndarray
    device: str | Device | None
    dtype: Any

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Images as the networks take them, labels, and (N, FOLDS): whether a fold's network may train on an image."""
        seen = self.fold[:, None] != np.arange(FOLDS)
        arrays = (normalised(self.images), self.face, seen)
        first, second, third = (Tensor(each, device=self.device, dtype=self.dtype) for each in arrays)
        return first, second, third


def load_data(device: str | Device | None = None, dtype: Any = None) -> Faces:
    """All 200 images.

    Raises:
        MissingPackage: scikit-image or scikit-learn is not installed.
    """
    images = need("skimage.data", "scikit-image").lfw_subset()
    face = np.repeat([1.0, 0.0], len(images) // 2)
    return Faces(images, face, folds(face), device, dtype or np.float32)


def folds(labels: np.ndarray, seed: int = SPLIT_SEED) -> np.ndarray:
    """(N): a fold for each, with equal parts of both labels."""
    split = need("sklearn.model_selection", "scikit-learn").StratifiedKFold
    fold = np.zeros(len(labels), int)
    for number, (_, rows) in enumerate(split(FOLDS, shuffle=True, random_state=seed).split(labels, labels)):
        fold[rows] = number
    return fold


def normalised(images: np.ndarray) -> np.ndarray:
    """(N, 25, 25) -> (N, 1, 25, 25), each with its own mean and deviation taken out."""
    flat = images.reshape(len(images), 1, -1)
    scaled = (flat - flat.mean(axis=2, keepdims=True)) / (flat.std(axis=2, keepdims=True) + FLAT)
    back: np.ndarray = scaled.reshape(len(images), 1, *images.shape[1:])
    return back


class Folds(nn.Module):
    """A network for each fold; (N, 1, 22, 22) -> (N, FOLDS) logits."""

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        self.networks = nn.ModuleList([_network({"device": device, "dtype": dtype}) for _ in range(FOLDS)])

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = stacked([each(images)[:, 0] for each in self.networks], dim=1)
        return logits


def _network(made: dict[str, Any]) -> nn.Sequential:
    """No batch normalisation: its statistics would hold the images of the network's own fold."""
    layers: list[nn.Module] = []
    inputs = 1
    for outputs in CHANNELS:
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, **made), nn.ReLU(), nn.MaxPool2d(2)]
        inputs = outputs
    rest = (WINDOW // 2 ** len(CHANNELS)) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(inputs * rest, 1, **made))


def build(*, device: str | Device | None = None, dtype: Any = None) -> Folds:
    """The networks, with fresh parameters."""
    return Folds(device, dtype)


def varied(images: Tensor, generator: Generator) -> Tensor:
    """A window of each image, at random, mirrored or not."""
    count, places = len(images), SIDE - WINDOW + 1
    start = randint(0, places, (2, count), generator=generator, device=images.device)
    mirror = randint(0, 2, (count, 1, 1, 1), generator=generator, device=images.device)
    table = Tensor([[first + i for i in range(WINDOW)] for first in range(places)], device=images.device)
    which = Tensor(np.arange(count), device=images.device).reshape(count, 1, 1)
    rows, columns = table[start[0]].unsqueeze(2), table[start[1]].unsqueeze(1)
    cut = images[which, 0, rows, columns].unsqueeze(1)
    chosen: Tensor = where(mirror == 1, flip(cut, 3), cut)
    return chosen


def train(model: Folds, data: Faces, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train the folds' networks side by side with AdamW, on windows that move and are mirrored.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    generator = settings.get("generator") or default_generator

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        images, face, seen = batch
        logits = model(varied(images, generator))
        labels = face.unsqueeze(1).expand(logits.shape)
        loss = binary_cross_entropy_with_logits(logits, labels, seen, reduction="sum") / seen.sum()
        right = ((logits.detach() > 0) == (labels > 0.5)).to(seen.dtype) * seen
        return loss, right.sum() / seen.sum() * len(face)

    return fit(
        model,
        TensorDataset(*data.tensors()),
        step,
        optimizer=_optimizer,
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


_optimizer: Callable[[Iterable[Any], float], Optimizer] = partial(AdamW, weight_decay=WEIGHT_DECAY)


def _views(images: Tensor) -> list[Tensor]:
    """The four corners' windows and the middle one, and their mirrors."""
    end = SIDE - WINDOW
    places = [(0, 0), (0, end), (end, 0), (end, end), (end // 2, end // 2)]
    cut = [images[:, :, row : row + WINDOW, column : column + WINDOW] for row, column in places]
    return [*cut, *(flip(each, 3) for each in cut)]


def logits(model: Folds, images: Tensor) -> Tensor:
    """(N, 1, 25, 25) -> (N, FOLDS): the mean over windows and mirrors, in evaluation."""
    views = _views(images)
    mean: Tensor = stacked([predict(model, each) for each in views]).mean(dim=0)
    return mean


def _told(model: Folds, data: Faces) -> np.ndarray:
    """How likely each image is a face, by the network that has not seen it."""
    every = logits(model, data.tensors()[0]).cpu().numpy().astype(np.float64)
    told: np.ndarray = expit(every[np.arange(len(every)), data.fold])
    return told


def _scores(told: np.ndarray, data: Faces) -> Scores:
    """Accuracy is the mean over the folds; area under the ROC curve and loss are of all images together."""
    right = (told > 0.5) == (data.face > 0.5)
    area = need("sklearn.metrics", "scikit-learn").roc_auc_score(data.face, told)
    return {
        "accuracy": float(np.mean([right[data.fold == fold].mean() for fold in range(FOLDS)])),
        "auc": float(area),
        "log_loss": float(-np.mean(np.log(np.where(data.face > 0.5, told, 1.0 - told).clip(1e-12)))),
    }


def score(model: Folds, data: Faces) -> Scores:
    """Every image judged by the network that has not seen it."""
    return _scores(_told(model, data), data)


def baseline() -> Scores:
    """Scikit-learn's logistic regression on the pixels, in the same folds."""
    data = load_data()
    regression = need("sklearn.linear_model", "scikit-learn").LogisticRegression
    pixels, told = data.images.reshape(len(data.images), -1), np.empty(len(data.face))
    for fold in range(FOLDS):
        rows = data.fold == fold
        told[rows] = regression(max_iter=1000).fit(pixels[~rows], data.face[~rows]).predict_proba(pixels[rows])[:, 1]
    return _scores(told, data)


def saliency(model: Folds, data: Faces) -> np.ndarray:
    """(N, 25, 25): |derivative| by the pixels of the logit of the network that has not seen the image."""
    images, total = data.tensors()[0], np.zeros((len(data.images), SIDE, SIDE))
    own = Tensor(np.eye(FOLDS)[data.fold], device=data.device, dtype=data.dtype)
    was = model.training
    model.eval()
    images = images.detach().requires_grad_()
    views = _views(images)
    (stacked([model(each) for each in views]).mean(dim=0) * own).sum().backward()
    model.train(was)
    model.zero_grad()
    assert images.grad is not None
    total += np.abs(images.grad.cpu().numpy()[:, 0])
    return total


def draw(path: Path, model: Folds, data: Faces) -> None:
    """The errors and the least sure images, then others, each beside where the network looks."""
    draw_saliency(path, data.images, data.face, _told(model, data), saliency(model, data), ("something else", "face"))


def answer(model: Folds, given: str, device: str | Device | None = None) -> Answer:
    """How likely the middle square of a picture is a face, by the mean of all networks."""
    picture = read_square(input_file("predict", given), SIDE)
    images = Tensor(normalised(picture[None]), device=device, dtype=np.float32)
    told = float(expit(logits(model, images).cpu().numpy().astype(np.float64)).mean())
    what = "a face" if told > 0.5 else "no face"
    return Answer({"face": told}, f"{what}: a face with probability {told:.3f}")
