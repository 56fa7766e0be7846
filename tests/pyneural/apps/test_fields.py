"""docs/fields.md is that of the kept results, and these are what they must be."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from types import ModuleType

import pytest

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
    reports = [
        {"seed": seed, "seconds": 10.0 + seed, "test": {"accuracy": value}, "baseline": {"accuracy": 0.5}}
        for seed, value in enumerate((0.9, 0.7, 0.8))
    ]
    machine = {"processor": "P", "cores": 2, "time": "2026-01-02T00:00:00Z", "commit": "abc"}
    (tmp_path / "digits.json").write_text(
        json.dumps({"machine": machine, "bars": {"accuracy": 0.75}, "reports": reports})
    )
    text = fields.page(tmp_path)
    assert "| `digits` | accuracy | 0.8000 (0.7000, 0.9000) | 0.5000 | 0.7500 | 0, 1, 2 | 11 |" in text
    assert "P, 2 cores, 2026-01-02, commit abc." in text
    assert "| `diagnosis` | not measured |" in text
