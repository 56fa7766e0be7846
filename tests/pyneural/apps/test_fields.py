"""docs/fields.md is that of the kept results, and these are what they must be."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from types import ModuleType

import pytest

from bench import fields as bench
from pyneural.apps import APPS, find
from pyneural.apps.app import reached
from tests.conftest import docs_script

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "bench" / "results" / "fields"


@pytest.fixture(scope="module")
def fields() -> ModuleType:
    return docs_script("fields")


def test_the_page_is_fresh(fields: ModuleType):
    written = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")
    assert written == fields.page(), "docs/fields.md is stale: python docs/fields.py"


def test_what_is_not_measured_is_told(fields: ModuleType, tmp_path: Path):
    text = fields.page(tmp_path)
    assert [name for name in APPS if f"| `{name}` | not measured |" not in text] == []


@pytest.mark.parametrize("name", APPS)
def test_every_bar_is_reached_by_the_median_of_three_seeds(name: str):
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    app = find(name)
    assert result["bars"] == app.BARS
    assert [each["seed"] for each in result["reports"]] == [0, 1, 2]
    assert {each["app"] for each in result["reports"]} == {name}
    for metric, bar in result["bars"].items():
        assert reached(app, metric, statistics.median(each["test"][metric] for each in result["reports"]), bar)


def test_a_row(fields: ModuleType, tmp_path: Path):
    machine = {"processor": "P", "cores": 2, "time": "2026-01-02T00:00:00Z", "commit": "abc"}
    reports = [
        {"seed": seed, "epochs": 3 + seed // 2, "seconds": 10.0 + seed, "test": {"accuracy": value},
         "baseline": {"accuracy": 0.5}, "machine": {**machine, "commit": commit}}
        for seed, (value, commit) in enumerate(((0.9, "abc"), (0.7, "abc"), (0.8, "def")))
    ]  # fmt: skip
    (tmp_path / "digits.json").write_text(json.dumps({"bars": {"accuracy": 0.75}, "reports": reports}))
    text = fields.page(tmp_path)
    assert "| `digits` | accuracy | 0.8000 (0.7000, 0.9000) | 0.5000 | 0.7500 | 0, 1, 2 | 11 |" in text
    assert "P, 2 cores, 2026-01-02, commit abc; P, 2 cores, 2026-01-02, commit def." in text
    assert "3 epochs in 10 seconds (seed 0), 3 epochs in 11 seconds (seed 1), 4 epochs in 12 seconds (seed 2)." in text
    assert "| `diagnosis` | not measured |" in text


def test_a_report_takes_the_place_of_its_seed_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(bench.harness, "ROOT", tmp_path)
    for seed, value in ((2, "old"), (0, "first"), (2, "new")):
        bench.keep("digits", {"seed": seed, "test": value})
    kept = json.loads((tmp_path / "digits.json").read_text(encoding="utf-8"))
    assert kept["bars"] == find("digits").BARS
    assert [(each["seed"], each["test"]) for each in kept["reports"]] == [(0, "first"), (2, "new")]
