"""Breast tumours, malignant or benign: ensembles of small perceptrons with calibrated probabilities. No medical device.

Scikit-learn's copy of the Wisconsin data: 569 tumours, 30 numbers measured on an image of a fine needle aspirate
(Street et al. 1993). Five folds: the tumours of each are held out from the ensemble that is tested on them. Each of its
members leaves out another part of the other four folds; what the members say of tumours that they have not seen
decides when training ends and how far probabilities are drawn towards 1/2 (temperature scaling, Guo et al. 2017).
"""

from __future__ import annotations

import math
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
from pyneural.functional import binary_cross_entropy_with_logits, dropout, ones, randn, relu, zeros
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .extras import need
from .pictures import draw_roc_and_reliability
from .tables import calibration_error, read_rows
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "diagnosis"
EPOCHS = 80
BATCH_SIZE = 64
LEARNING_RATE = 1e-2
PATIENCE = 20
METRIC = "accuracy"
BARS = {"accuracy": 0.979}
LOWER = ("calibration_error", "log_loss")
INPUT = "a CSV with the 30 columns of scikit-learn's load_breast_cancer, a tumour a row"
WARNING = "This is an exercise on 569 tumours of the 1990s. It is not a medical device: decide nothing by it."

FOLDS, MEMBERS, HIDDEN = 5, 8, 32
DROPOUT = 0.5
WEIGHT_DECAY = 1.0
SPLIT_SEED = 0


@dataclass(frozen=True)
class Tumours:
    """The data, and who sees what.

    Attributes:
        features: (N, 30), as measured; names: of the columns.
        malignant: (N), 1.0 or 0.0.
        fold: (N), the fold that a tumour is tested in.
        part: (N), the member of every other fold's ensemble that leaves it out.
    """

    features: np.ndarray
    names: tuple[str, ...]
    malignant: np.ndarray
    fold: np.ndarray
    part: np.ndarray
    device: str | Device | None
    dtype: Any

    @property
    def seen(self) -> np.ndarray:
        """(N, FOLDS, MEMBERS): whether the tumour trains the member."""
        other, kept = self.fold[:, None] != np.arange(FOLDS), self.part[:, None] != np.arange(MEMBERS)
        seen: np.ndarray = other[:, :, None] & kept[:, None, :]
        return seen

    @property
    def left_out(self) -> np.ndarray:
        """(N, FOLDS, MEMBERS): whether the member must judge the tumour without having seen it, in training."""
        outside: np.ndarray = self.fold[:, None] != np.arange(FOLDS)
        left: np.ndarray = outside[:, :, None] & ~self.seen
        return left


def load_data(device: str | Device | None = None, dtype: Any = None) -> Tumours:
    """All 569 tumours.

    Raises:
        MissingPackage: scikit-learn is not installed.
    """
    found = need("sklearn.datasets", "scikit-learn").load_breast_cancer()
    split = need("sklearn.model_selection", "scikit-learn").StratifiedKFold
    malignant = (found.target == 0).astype(float)  # the data say 1 for benign
    fold, part = np.zeros((2, len(malignant)), int)
    for number, (_, rows) in enumerate(split(FOLDS, shuffle=True, random_state=SPLIT_SEED).split(malignant, malignant)):
        fold[rows] = number
    for number, (_, rows) in enumerate(
        split(MEMBERS, shuffle=True, random_state=SPLIT_SEED + 1).split(malignant, malignant)
    ):
        part[rows] = number
    names = tuple(str(each) for each in found.feature_names)
    return Tumours(found.data, names, malignant, fold, part, device, dtype or np.float32)


class Ensembles(nn.Module):
    """One ensemble for each fold; (N, 30) features as measured -> (N, FOLDS, MEMBERS) logits."""

    def __init__(self, inputs: int, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}

        def weight(rows: int, columns: int, gain: float) -> nn.Parameter:
            return nn.Parameter(randn(FOLDS, MEMBERS, rows, columns, **made) * math.sqrt(gain / rows))

        self.hidden, self.out = weight(inputs, HIDDEN, 2.0), weight(HIDDEN, 1, 1.0)
        self.hidden_bias = nn.Parameter(zeros(FOLDS, MEMBERS, 1, HIDDEN, **made))
        self.out_bias = nn.Parameter(zeros(FOLDS, MEMBERS, 1, 1, **made))
        for name in ("mean", "deviation"):
            self.register_buffer(name, ones(FOLDS, 1, 1, inputs, **made))
        self.register_buffer("temperature", ones(FOLDS, **made))

    def forward(self, features: Tensor) -> Tensor:
        x = (features - self.mean) / self.deviation
        x = dropout(relu(x @ self.hidden + self.hidden_bias), DROPOUT, self.training)
        logits: Tensor = (x @ self.out + self.out_bias).squeeze(3).permute(2, 0, 1)
        return logits


def build(*, device: str | Device | None = None, dtype: Any = None) -> Ensembles:
    """The network, with fresh parameters."""
    return Ensembles(30, device, dtype)


def train(model: Ensembles, data: Tumours, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train all members side by side with AdamW, then find the temperatures.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    made: dict[str, Any] = {"device": data.device, "dtype": data.dtype}
    _standardise(model, data)
    x, y = Tensor(data.features, **made), Tensor(data.malignant[:, None, None], **made)
    seen, unseen = data.seen, data.left_out

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, y, weight = batch
        logits = model(x)
        loss = binary_cross_entropy_with_logits(logits, y.expand(logits.shape), weight, reduction="sum") / weight.sum()
        right = ((logits.detach() > 0) == (y > 0.5)).to(weight.dtype) * weight
        return loss, right.sum() / weight.sum() * len(y)

    def validate() -> float:
        return _loss(_logits(model, x)[unseen], np.broadcast_to(data.malignant[:, None, None], unseen.shape)[unseen])

    history, optimizer = fit(
        model,
        TensorDataset(x, y, Tensor(seen, **made)),
        step,
        optimizer=_optimizer,
        validate=validate,
        patience=PATIENCE,
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )
    _calibrate(model, data, x)
    return history, optimizer


_optimizer: Callable[[Iterable[Any], float], Optimizer] = partial(AdamW, weight_decay=WEIGHT_DECAY)


def _standardise(model: Ensembles, data: Tumours) -> None:
    """Mean and deviation of each fold, of the tumours that are not in it."""
    for name, of in (("mean", np.mean), ("deviation", np.std)):
        values = np.stack([of(data.features[data.fold != fold], axis=0) for fold in range(FOLDS)])
        setattr(model, name, Tensor(values[:, None, None], device=data.device, dtype=data.dtype))


def _logits(model: Ensembles, x: Tensor) -> np.ndarray:
    """(N, FOLDS, MEMBERS) in evaluation."""
    return predict(model, x).cpu().numpy().astype(np.float64)  # type: ignore[no-any-return]


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy."""
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def _calibrate(model: Ensembles, data: Tumours, x: Tensor) -> None:
    """The temperature of each fold: the best for what its members say of tumours that they left out."""
    logits, grid = _logits(model, x), np.geomspace(0.25, 8.0, 101)
    best = []
    for fold in range(FOLDS):
        rows = data.fold != fold
        told = logits[rows, fold, data.part[rows]]
        best.append(min(grid, key=lambda each: _loss(told / each, data.malignant[rows])))
    model.temperature = Tensor(np.array(best), device=data.device, dtype=data.dtype)


def probabilities(model: Ensembles, features: np.ndarray, fold: np.ndarray | None = None) -> np.ndarray:
    """(N): how likely each tumour is malignant, by the ensemble of its ``fold`` or by the mean of all."""
    made: dict[str, Any] = {"device": model.mean.device, "dtype": model.mean.dtype}
    scaled = _logits(model, Tensor(features, **made)).mean(axis=2) / model.temperature.cpu().numpy()
    each: np.ndarray = expit(scaled)
    told: np.ndarray = each.mean(axis=1) if fold is None else each[np.arange(len(fold)), fold]
    return told


def _scores(told: np.ndarray, data: Tumours) -> Scores:
    """Accuracy is the mean over the folds; area under the ROC curve and calibration are of all tumours together."""
    right = (told > 0.5) == (data.malignant > 0.5)
    area = need("sklearn.metrics", "scikit-learn").roc_auc_score(data.malignant, told)
    return {
        "accuracy": float(np.mean([right[data.fold == fold].mean() for fold in range(FOLDS)])),
        "auc": float(area),
        "calibration_error": calibration_error(told, data.malignant),
        "log_loss": float(-np.mean(np.log(np.where(data.malignant > 0.5, told, 1.0 - told).clip(1e-12)))),
    }


def score(model: Ensembles, data: Tumours) -> Scores:
    """Every tumour judged by the ensemble that has not seen it."""
    return _scores(probabilities(model, data.features, data.fold), data)


def _logistic(data: Tumours) -> np.ndarray:
    """What scikit-learn's logistic regression says of each fold, fitted on the others."""
    pipeline = need("sklearn.pipeline", "scikit-learn").make_pipeline
    scaler = need("sklearn.preprocessing", "scikit-learn").StandardScaler
    regression = need("sklearn.linear_model", "scikit-learn").LogisticRegression
    told = np.empty(len(data.malignant))
    for fold in range(FOLDS):
        rows = data.fold == fold
        fitted = pipeline(scaler(), regression(max_iter=1000)).fit(data.features[~rows], data.malignant[~rows])
        told[rows] = fitted.predict_proba(data.features[rows])[:, 1]
    return told


def baseline() -> Scores:
    """Scikit-learn's logistic regression on the same folds."""
    data = load_data()
    return _scores(_logistic(data), data)


def draw(path: Path, model: Ensembles, data: Tumours) -> None:
    """ROC and reliability curves, beside the logistic regression's."""
    told = {"ensembles": probabilities(model, data.features, data.fold), "logistic regression": _logistic(data)}
    draw_roc_and_reliability(
        path, data.malignant, told, f"Each tumour is judged by the ensemble that has not seen it. {WARNING}"
    )


def answer(model: Ensembles, given: str, device: str | Device | None = None) -> Answer:
    """How likely each row of a CSV is malignant."""
    rows = read_rows(given, load_data().names)
    told = probabilities(model, rows).tolist()
    lines = [f"row {number}: malignant with probability {each:.3f}" for number, each in enumerate(told, 1)]
    return Answer({"malignant": told, "warning": WARNING}, "\n".join([*lines, WARNING]))
