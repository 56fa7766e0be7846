"""CONTRIBUTING.md is followed to the letter, in a copy of the repository, and must lead to passing tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPEND = re.compile(r"^Append to `(?P<path>[^`]+)`:\n\n```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
REPLACE = re.compile(r"^In `(?P<path>[^`]+)`, replace `(?P<old>[^`]+)` by `(?P<new>[^`]+)`\.$", re.MULTILINE)


@pytest.fixture
def walked(tmp_path: Path) -> Path:
    """A copy of the repository, laid out as it is installed, with the walk-through's steps done."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    copy = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in ("kernels", "pyneural", "csrc", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    appended = APPEND.findall(text)
    assert [path for path, _ in appended] == [
        "kernels/activation/contract.py",
        "kernels/activation/reference.py",
        "kernels/activation/numba_cpu.py",
        "pyneural/functional/activation.py",
    ]
    for path, code in appended:
        file = copy / path
        file.write_text(file.read_text(encoding="utf-8") + "\n\n" + code, encoding="utf-8")
    replaced = REPLACE.findall(text)
    assert replaced
    for path, old, new in replaced:
        file = copy / path
        before = file.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{path} has {before.count(old)} times {old!r}"
        file.write_text(before.replace(old, new), encoding="utf-8")
    installed = tmp_path / "installed"
    shutil.move(copy / "pyneural", installed / "pyneural")
    shutil.move(copy / "kernels", installed / "pyneural" / "kernels")
    shutil.move(copy / "csrc", installed / "pyneural" / "csrc")
    return tmp_path


def test_the_walk_through_works(walked: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment = {**kept, "PYTHONPATH": str(walked / "installed"), "PYNEURAL_CACHE_DIR": str(walked / "cache")}
    python = [sys.executable, "-c"]
    where = subprocess.run(
        [*python, "import pyneural.kernels.activation as a; print(a.__file__)"],
        cwd=walked, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(walked)), "the copy is not what is imported"
    generated = (
        "tests/kernels/test_contracts.py",
        "tests/kernels/test_declarations.py",
        "tests/pyneural/test_gradients.py",
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "softsign", *generated],
        cwd=walked / "repository", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]
    found = re.search(r"(\d+) passed", result.stdout)
    assert found is not None
    assert int(found[1]) >= 50, result.stdout[-1000:]
    assert "failed" not in result.stdout
    assert "skipped" not in result.stdout
    product = subprocess.run(
        [*python, "import pyneural; print(pyneural.softsign(pyneural.tensor([-1.0, 0.0, 3.0])).tolist())"],
        cwd=walked, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert product.stdout.strip() == "[-0.5, 0.0, 0.75]"


def test_every_path_named_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8") + (ROOT / "docs/architecture.md").read_text("utf-8")
    named = set(re.findall(r"`((?:kernels|pyneural|tests|docs|bench|csrc)/[\w./-]+)`", text))
    named |= {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}
    missing = [
        each for each in named if "<" not in each and not (ROOT / each).exists() and not (ROOT / "docs" / each).exists()
    ]
    assert not missing
