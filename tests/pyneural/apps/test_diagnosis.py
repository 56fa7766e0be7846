"""The diagnosis application: who sees which tumour, calibration, a user's table."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import diagnosis
from pyneural.apps.diagnosis import FOLDS, MEMBERS
from pyneural.apps.tables import calibration_error, read_rows, reliability

pytest.importorskip("sklearn", reason="the tumours come with scikit-learn, which is not installed")


@pytest.fixture(scope="module")
def data() -> diagnosis.Tumours:
    return diagnosis.load_data("cpu")


def test_no_tumour_is_on_both_sides(data: diagnosis.Tumours):
    assert len(np.unique(data.features, axis=0)) == len(data.features) == 569
    assert data.malignant.sum() == 212
    for fold in range(FOLDS):
        held = data.fold == fold
        assert not data.seen[held, fold].any()
        assert not data.left_out[held, fold].any()
        assert abs(data.malignant[held].mean() - 212 / 569) < 0.01
        # Every other tumour is left out by one member, and trains all others.
        assert (data.left_out[~held, fold].sum(axis=1) == 1).all()
        assert (data.seen[~held, fold].sum(axis=1) == MEMBERS - 1).all()
        assert not (data.seen & data.left_out).any()
    assert np.bincount(data.fold).tolist() == [114, 114, 114, 114, 113]


def test_a_fold_s_own_tumours_change_nothing_in_its_ensemble(data: diagnosis.Tumours, rng: np.random.Generator):
    """Features and labels of one fold are replaced by noise: its own ensemble is the same, bit for bit."""
    fold = int(rng.integers(FOLDS))
    held, features, malignant = data.fold == fold, data.features.copy(), data.malignant.copy()
    features[held] = rng.uniform(0.0, 100.0, (held.sum(), 30))
    malignant[held] = rng.integers(0, 2, held.sum())
    spoiled = diagnosis.Tumours(features, data.names, malignant, data.fold, data.part, "reference", np.float64)
    whole = diagnosis.Tumours(data.features, data.names, data.malignant, data.fold, data.part, "reference", np.float64)
    models = []
    for each in (whole, spoiled):
        pyneural.manual_seed(3)
        model = diagnosis.build(device="reference", dtype=np.float64)
        # One batch: gradients of the members are apart but for the weight's sum, which labels and features leave alone.
        diagnosis.train(model, each, epochs=3, batch_size=569)
        models.append({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    for name in models[0]:
        np.testing.assert_array_equal(models[0][name][fold], models[1][name][fold], err_msg=name)
    other = (fold + 1) % FOLDS
    assert not np.array_equal(models[0]["hidden"][other], models[1]["hidden"][other])


def test_baseline_is_scikit_learn_s_cross_validation(data: diagnosis.Tumours):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = cross_val_score(classifier, data.features, data.malignant, cv=PredefinedSplit(data.fold))
    found = diagnosis.baseline()
    assert found["accuracy"] == pytest.approx(scores.mean())
    assert round(found["accuracy"], 3) == 0.979


def test_the_temperature_is_the_best_of_its_grid(data: diagnosis.Tumours):
    """Logits that are three times too bold are divided by about three times as much."""
    pyneural.manual_seed(0)
    model = diagnosis.build(device="cpu")
    diagnosis.train(model, data, epochs=12)
    before = model.temperature.numpy().copy()
    x = Tensor(data.features, dtype=np.float32)
    for name in ("out", "out_bias"):
        parameter = getattr(model, name)
        model.load_state_dict({**model.state_dict(), name: parameter.detach() * 3.0})
    diagnosis._calibrate(model, data, x)
    np.testing.assert_allclose(model.temperature.numpy() / before, 3.0, rtol=0.05)


def test_calibration_error_and_reliability_against_a_loop(rng: np.random.Generator):
    told = np.concatenate([rng.uniform(size=200), [0.0, 1.0]])
    labels = rng.integers(0, 2, 202).astype(float)
    expected, rows = 0.0, []
    for number in range(10):
        inside = (told >= number / 10) & ((told < (number + 1) / 10) | (number == 9))
        if inside.any():
            expected += inside.sum() / 202 * abs(told[inside].mean() - labels[inside].mean())
            rows.append((told[inside].mean(), labels[inside].mean(), inside.sum()))
    assert calibration_error(told, labels) == pytest.approx(expected)
    np.testing.assert_allclose(np.transpose(reliability(told, labels)), rows)
    assert calibration_error(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0


# A user's table


def _write(path: Path, names: list[str], rows: list[list[object]]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def test_predict_on_a_user_s_table(tmp_path: Path, rng: np.random.Generator, data: diagnosis.Tumours):
    pyneural.manual_seed(2)
    model = diagnosis.build(device="cpu")
    diagnosis.train(model, data, epochs=12)
    chosen = [int(np.flatnonzero(data.malignant)[4]), int(np.flatnonzero(data.malignant == 0)[5])]
    order = rng.permutation(30)
    names = ["patient", *(data.names[i] for i in order)]
    rows = [["x", *(data.features[row, i] for i in order)] for row in chosen]
    answer = diagnosis.answer(model, str(_write(tmp_path / "a.csv", names, rows)))
    told = diagnosis.probabilities(model, data.features[chosen])
    assert answer.facts["malignant"] == pytest.approx(told.tolist())
    assert told[0] > 0.5 > told[1]
    assert "not a medical device" in answer.text
    assert answer.text.startswith(f"row 1: malignant with probability {told[0]:.3f}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks the columns 'a', 'b'"),
        (b"a,c\n1,2\n", "lacks the columns 'b'"),
        (b"a,b\n", "has no row below its names"),
        (b"a,b\n1,2\n3,x\n", "line 3: 'b' is 'x', no number"),
        (b"a,b\n1\n", "line 2: 'b' is None, no number"),
        (b"a,b\n1,nan\n", "line 2: 'b' is 'nan', no number"),
        (b"\x89PNG\r\n\x1a\n", "is no CSV"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_rows(tmp_path / "a.csv", ("a", "b"))
