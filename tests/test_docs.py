"""The documents agree with the code: the README's examples run, the table of operations is fresh."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import pyneural
from pyneural import kernels

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def _blocks() -> list[str]:
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(_blocks())))
def test_readme_example_runs(number: int) -> None:
    """Each example stands alone."""
    state = pyneural.random.default_generator.state_dict()
    try:
        exec(compile(_blocks()[number], f"README.md, example {number}", "exec"), {"__name__": "__readme__"})
    finally:
        pyneural.random.default_generator.load_state_dict(state)


def test_readme_has_a_ten_line_example() -> None:
    assert any("from pyneural import Tensor" in each for each in _blocks())


def test_readme_names_what_exists() -> None:
    text = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing
    folders = re.findall(r"^\| `([a-z/]+)/`", text, re.MULTILINE)
    assert folders
    assert not [each for each in folders if not (ROOT / each).is_dir()]


def test_table_of_operations_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    written = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert written == generate.page(), "docs/operations.md is stale: make docs"
    for name in kernels.OPERATIONS:
        assert f"`{name}(" in written


def test_changelog_has_this_version() -> None:
    assert f"## {pyneural.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
