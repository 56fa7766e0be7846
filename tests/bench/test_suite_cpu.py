"""Where the package stands: rows are put together by name, contestant and threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import suite_cpu
from bench.suite_cpu import Kind

KINDS = (
    Kind("sums", "a", "Other", 1.5, 0.9, lacks=("matmul",)),
    Kind("products", "a", "Other", None, None, has=("matmul",)),
    Kind("nobody", "a", "Nobody", 1.0, 1.0),
    Kind("no file", "b", "Other", 1.0, 1.0),
)


def test_means_and_worst_rows(tmp_path: Path) -> None:
    def case(name: str, other: float) -> dict[str, object]:
        return {"case": name, "rounds": {"pyneural": [2.0] * 4, "Other": [other] * 4}}

    two = {"threads": 2, "cases": [case("sum", 2.0), case("sum and gradient", 8.0), case("matmul", 1.0)]}
    one = {"threads": 1, "cases": [case("sum", 1.0), case("matmul", 6.0)]}
    (tmp_path / "a.json").write_text(json.dumps({"races": [two, one]}))
    found = list(suite_cpu.standings(tmp_path, KINDS))
    told = [(each.kind.name, each.threads, each.rows, each.worst, each.reached) for each in found]
    assert told == [
        ("sums", 2, 2, "sum", True),
        ("sums", 1, 1, "sum", False),
        ("products", 2, 1, "matmul", True),
        ("products", 1, 1, "matmul", True),
    ]
    assert [each.mean for each in found] == pytest.approx([2.0, 0.5, 0.5, 3.0])
    assert [each.least for each in found] == pytest.approx([1.0, 0.5, 0.5, 3.0])
    assert suite_cpu.table(found).row_count == 4


def test_every_kind_has_rows_in_what_is_kept() -> None:
    """A row that was given another name would silently drop out of its kind."""
    found = {each.kind for each in suite_cpu.standings()}
    assert [kind for kind in suite_cpu.KINDS if kind not in found and kind.results != "training"] == []
    names = [
        case["case"] for case in json.loads((suite_cpu.harness.RESULTS / "conv.json").read_text())["races"][0]["cases"]
    ]
    assert all(any(name.startswith(each) for name in names) for each in suite_cpu.WIDE)
