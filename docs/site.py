"""Gather the documentation site's pages: ``python docs/site.py`` (``make site`` then builds it with MkDocs).

Pages are the project's own documents, the lessons' texts with what a student begins with, the rungs of the ladders, and
the reference of public names (`docs/reference.py`).
Links between them are kept; a link to any other file of the project becomes its path.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyneural.learn.lesson import lessons

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "site"
PAGES = SITE / "pages"

DOCUMENTS = {
    "Home": "README.md",
    "Start here": {
        "Developers": "docs/start/developer.md",
        "Kernel engineers": "docs/start/kernel-engineer.md",
        "Students and teachers": "docs/start/student.md",
    },
    "Learn": {"The course": "docs/learn.md", "Explorer": "docs/explorer.md", "Unlisted mistakes": "docs/unseen.md"},
    "Kernels": {
        "Operations": "docs/operations.md",
        "CUDA kernels, counted": "docs/kernels.md",
        "CUDA without a GPU": "docs/simulator.md",
        "Wrong kernels it knows": "docs/zoo.md",
        "Ladders": "docs/ladders.md",
        "Reading the ladders": "csrc/ladders/README.md",
    },
    "Applications": "docs/fields.md",
    "More than one machine": "docs/distributed.md",
    "The house": {
        "Architecture": "docs/architecture.md",
        "Adding an operation": "CONTRIBUTING.md",
        "What tests catch": "docs/mutations.md",
        "Changes": "CHANGELOG.md",
    },
}
"""What the site shows, by the titles of its sections and pages: paths from the project's root."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def place(path: str) -> str:
    """Where a document lies among the pages."""
    if path == "README.md":
        return "index.md"
    return path.removeprefix("docs/").removeprefix("csrc/").replace("README.md", "index.md").lower()


def gathered() -> tuple[dict[str, str], list[Any]]:
    """The pages' texts by their places, and the navigation that MkDocs reads."""
    documents: dict[str, str] = {}  # by path from the root

    def listed(what: Any) -> Any:
        if isinstance(what, dict):
            return [{title: listed(inner)} for title, inner in what.items()]
        documents[what] = (ROOT / what).read_text(encoding="utf-8")
        return place(what)

    navigation: list[Any] = listed(DOCUMENTS)
    pages = {place(path): path for path in documents}
    course = []
    for lesson in lessons():
        name = f"lessons/{lesson.name}.md"
        course.append({f"{lesson.number}. {lesson.title}": name})
    rungs: dict[str, list[Any]] = {}
    sources = {}
    for source in sorted((ROOT / "csrc" / "ladders").glob("*/*.cu")):
        path = source.relative_to(ROOT).as_posix()
        sources[path] = name = f"ladders/{source.parent.name}/{source.stem}.md"
        rungs.setdefault(source.parent.name, []).append({source.stem.replace("_", " "): name})
    for section in navigation:
        if "Learn" in section:
            section["Learn"].insert(1, {"Lessons": course})
        if "Kernels" in section:
            section["Kernels"].append({"Rungs": [{title: each} for title, each in rungs.items()]})
    where = {**{path: name for name, path in pages.items()}, **sources}
    texts = {name: _linked(documents[path], path, where) for name, path in pages.items()}
    for lesson in lessons():
        texts[f"lessons/{lesson.name}.md"] = (
            f"{lesson.text.rstrip()}\n\n## What you begin with\n\n`pyneural learn start {lesson.number}` writes it.\n\n"
            f"```cpp\n{lesson.skeleton.rstrip()}\n```\n"
        )
    for path, name in sources.items():
        source = ROOT / path
        texts[name] = (
            f"# {source.stem.replace('_', ' ')}\n\n```cpp\n{source.read_text(encoding='utf-8').rstrip()}\n```\n"
        )
    reference, listed_names = runpy.run_path(str(ROOT / "docs" / "reference.py"))["pages"]()
    navigation.insert(-1, {"Reference": listed_names})
    return {**texts, **reference}, navigation


def _linked(text: str, path: str, where: dict[str, str]) -> str:
    """The text of a document with its links as they are among the pages."""

    def one(match: re.Match[str]) -> str:
        picture, shown, target = match.groups()
        file, _, part = target.partition("#")
        if "://" in target or not file:
            return match.group()
        found = os.path.normpath(os.path.join(os.path.dirname(path), file))
        if found not in where:
            return shown if shown.startswith("`") else f"{shown} (`{found}`)"
        to = os.path.relpath(where[found], os.path.dirname(place(path)) or ".")
        return f"{picture}[{shown}]({to}{f'#{part}' if part else ''})"

    return _outside_fences(text, lambda part: _LINK.sub(one, part))


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """``change`` made to what is no block of code."""
    parts, at = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[at : fence.start()]), fence.group()]
        at = fence.end()
    return "".join([*parts, change(text[at:])])


def settings(navigation: list[Any]) -> dict[str, Any]:
    """MkDocs's: no request leaves the reader's machine, and what does not resolve is an error of the build."""
    return {
        "site_name": "pyneural",
        "site_description": "Hand-written CUDA C++ and Numba kernels under a small autograd engine",
        "docs_dir": "pages",
        "site_dir": "html",
        "use_directory_urls": False,
        "theme": {
            "name": "material",
            "font": False,
            "features": ["navigation.tabs", "navigation.indexes", "content.code.copy"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default",
                 "toggle": {"icon": "material/weather-night", "name": "dark"}},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate",
                 "toggle": {"icon": "material/weather-sunny", "name": "light"}},
            ],
        },
        "plugins": ["search"],
        "markdown_extensions": ["admonition", "attr_list", "pymdownx.highlight", "pymdownx.superfences", "tables",
                                {"toc": {"permalink": True}}],
        "validation": {"links": {"not_found": "warn", "anchors": "warn", "absolute_links": "warn",
                                 "unrecognized_links": "warn"},
                       "nav": {"omitted_files": "warn", "not_found": "warn"}},
        "nav": navigation,
    }  # fmt: skip


def write(folder: Path = SITE) -> None:
    """Every page, and the settings, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    texts, navigation = gathered()
    for name, text in texts.items():
        page = folder / "pages" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    # JSON is YAML.
    (folder / "mkdocs.yml").write_text(json.dumps(settings(navigation), indent=1), encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"wrote {SITE}; mkdocs build --strict -f {SITE / 'mkdocs.yml'}")
