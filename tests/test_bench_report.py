"""The README's benchmark tables are those of the result files."""

from __future__ import annotations

import json
import pathlib

import pytest

from bench import report


def test_the_readme_is_fresh() -> None:
    text = report.README.read_text()
    assert report.rewritten(text, report.tables()) == text, "run: python -m bench.report"


def test_a_table_gives_ratios(tmp_path: pathlib.Path) -> None:
    race = {
        "threads": 1,
        "contestants": {"pyneural": {"numba": "1"}, "Other": {"version": "2"}},
        "cases": [{"case": "n = 1", "rounds": {"pyneural": [2e-6, 2e-6], "Other": [5e-6, 5e-6]}}],
    }
    machine = {"processor": "P", "cores": 2, "time": "2026-01-02T00:00:00Z", "commit": "abc"}
    (tmp_path / "matmul.json").write_text(json.dumps({"machine": machine, "races": [race]}))
    text = report.tables(tmp_path)
    assert "| n = 1 | 2.50 |" in text
    assert "Other, 1 thread" in text
    assert "2026-01-02, commit abc" in text


def test_the_ladder_is_held_against_as_many_threads(tmp_path: pathlib.Path) -> None:
    def race(threads: int, **seconds: float) -> dict[str, object]:
        rounds = {name: [each] * 2 for name, each in seconds.items()}
        return {
            "threads": threads,
            "contestants": {name: {} for name in rounds},
            "cases": [{"case": "4", "rounds": rounds}],
        }

    races = [race(1, naive=8.0, NumPy=2.0), race(2, last=0.5, NumPy=1.0)]
    machine = {"processor": "P", "cores": 2, "time": "2026-01-02T00:00:00Z", "commit": "abc"}
    (tmp_path / "ladder.json").write_text(json.dumps({"machine": machine, "races": races}))
    text = report.tables(tmp_path)
    assert "| naive | 1 | 0.250 |" in text
    assert "| last | 2 | 2.000 |" in text


def test_memory_is_in_mebibytes(tmp_path: pathlib.Path) -> None:
    machine = {"processor": "P", "cores": 2, "time": "2026-01-02T00:00:00Z", "commit": "abc"}
    contestants: dict[str, dict[str, str]] = {"pyneural": {}, "Other": {}}
    case = {"case": "MLP", "kept": 2**20, "bytes": {"pyneural": 3 * 2**20, "Other": 5 * 2**19}}
    content = {"machine": machine, "threads": 2, "contestants": contestants, "cases": [case]}
    (tmp_path / "memory.json").write_text(json.dumps(content))
    assert "| MLP | 1.0 | 3.0 | 2.5 |" in report.tables(tmp_path)


def test_missing_markers_are_refused() -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        report.rewritten("nothing", "x")
