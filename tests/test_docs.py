"""The documents agree with the code: the README's examples run, the table of operations is fresh."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from pathlib import Path

import pytest

import pyneural
from pyneural import kernels
from pyneural.learn.lesson import lessons
from tests.conftest import docs_script

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


PAGES = (README, *sorted((ROOT / "docs" / "start").glob("*.md")))


def _examples() -> dict[str, str]:
    """By page and number."""
    return {
        f"{page.name}-{number}": block
        for page in PAGES
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        )
    }


@pytest.mark.parametrize("name", _examples())
def test_example_runs(name: str) -> None:
    """Each example stands alone."""
    state = pyneural.random.default_generator.state_dict()
    try:
        exec(compile(_examples()[name], name, "exec"), {"__name__": "__example__"})
    finally:
        pyneural.random.default_generator.load_state_dict(state)


def test_every_page_has_examples() -> None:
    assert "from pyneural import Tensor" in _examples()["README.md-0"]
    assert {name.partition("-")[0] for name in _examples()} >= {"README.md", "developer.md", "student.md"}
    assert len(PAGES) == 4


def test_readme_names_what_exists() -> None:
    text = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing
    folders = re.findall(r"^\| `([a-z/]+)/`", text, re.MULTILINE)
    assert folders
    assert not [each for each in folders if not (ROOT / each).is_dir()]


def test_the_site_has_every_document_lesson_and_rung_and_its_links_lead_somewhere() -> None:
    site = docs_script("site")
    texts, navigation = site.gathered()
    shown = set(re.findall(r"[\w./-]+\.md", str(navigation)))
    assert shown == set(texts)
    documents = {*ROOT.glob("docs/**/*.md"), *ROOT.glob("csrc/ladders/*.md")}
    assert {site.place(each.relative_to(ROOT).as_posix()) for each in documents} <= set(texts)
    assert len([name for name in texts if name.startswith("lessons/")]) == len(lessons())
    assert len([name for name in texts if name.startswith("ladders/")]) == 1 + len([*ROOT.glob("csrc/ladders/*/*.cu")])
    links = 0
    for name, text in texts.items():
        prose = re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" not in link and not link.startswith("#"):
                links += 1
                assert os.path.normpath(Path(name).parent / link.partition("#")[0]) in texts, (name, link)
    assert links > 50


def test_the_reference_has_every_public_name_once() -> None:
    """Each on one page, with its docstring; where another module has it too, a link."""
    reference = docs_script("reference")
    texts, navigation = reference.pages()
    assert [*(place for each in navigation for place in each.values())] == list(texts)
    assert set(reference.MODULES) == set(reference.ORDER)
    places: dict[str, list[str]] = {}
    for page, text in texts.items():
        for name in re.findall(r"^## .* \{ #(\w+) \}$", text, re.MULTILINE):
            places.setdefault(name, []).append(page)
    for each in reference.MODULES:
        module = importlib.import_module(each)
        text = texts[reference.place(each)]
        for name in reference.names(module):
            assert f"{{ #{name} }}" in text or f"[`{name}`](" in text, f"{each}.{name} is not in the reference"
            value = getattr(module, name)
            if callable(value):
                assert inspect.getdoc(value), f"{each}.{name} has no docstring"
    assert len(places) > 300
    twice = {name: found for name, found in places.items() if len(found) != len(set(found))}
    assert not twice
    by_value: dict[int, str] = {}
    for name, found in places.items():
        for page in found:
            value = getattr(importlib.import_module(page.removeprefix("reference/").removesuffix(".md")), name)
            assert not callable(value) or by_value.setdefault(id(value), name) == name
    assert "pyneural learn start" in texts[reference.COMMAND]
    for linked, page in re.findall(r"\]\(([\w.]+\.md)#(\w+)\)", "".join(texts.values())):
        assert f"{{ #{page} }}" in texts[f"reference/{linked}"], (linked, page)


def test_docstrings_become_markdown() -> None:
    text = "Of *x*::\n\n    a = 1\n\n    b\n\nSee ``y_``.\n\nArgs:\n    x: one\n        more\n    y: `z`\n\n>>> 1\n1"
    assert docs_script("reference").markdown(text) == (
        "Of \\*x\\*:\n\n```python\na = 1\n\nb\n```\n\nSee `y_`.\n\n**Args**\n\n- x: one more\n- y: `z`\n\n"
        "```python\n>>> 1\n1\n```"
    )


def test_links_of_the_site() -> None:
    where = {"docs/a.md": "a.md", "csrc/ladders/README.md": "ladders/index.md", "README.md": "index.md"}
    text = "[a](a.md#x) [b `c`](../csrc/ladders/README.md) [home](../README.md) [`d.py`](d.py) [d](d.py) [w](https://w)"
    assert docs_script("site")._linked(f"{text}\n```\n[a](a.md)\n```\n", "docs/start/../b.md", where) == (
        "[a](a.md#x) [b `c`](ladders/index.md) [home](index.md) `d.py` d (`docs/d.py`) [w](https://w)"
        "\n```\n[a](a.md)\n```\n"
    )


def test_table_of_operations_is_fresh() -> None:
    generate = docs_script("generate")
    written = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert written == generate.page(), "docs/operations.md is stale: make docs"
    for name in kernels.OPERATIONS:
        assert f"`{name}(" in written


def test_changelog_has_this_version() -> None:
    assert f"## {pyneural.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
