"""Puts the launches into the page: one HTML file that asks for nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .model import launches
from .subject import Subject

PARTS = Path(__file__).parent / "page"
SCRIPTS = ("memory.js", "draw.js", "pane.js", "explorer.js")


def page(found: Sequence[dict[str, Any]], *, title: str, beside: bool = False) -> str:
    """The page for launches as `launches` gives them; ``beside`` opens it with the first and the last side by side."""
    data = json.dumps({"launches": list(found), "beside": beside}, separators=(",", ":"), allow_nan=False)
    parts = {
        "TITLE": html.escape(title),
        "STYLE": _part("explorer.css"),
        # A source may hold "</script>": within a script element nothing but this would end it.
        "DATA": data.replace("<", "\\u003c"),
        "SCRIPT": "\n".join(_part(name) for name in SCRIPTS),
    }
    text = _part("explorer.html")
    before, *pieces = text.split("{{")
    made = [before]
    for piece in pieces:
        name, _, rest = piece.partition("}}")
        made += [parts[name], rest]
    return "".join(made)


def write(path: str | Path, subjects: Sequence[Subject], *, timeout: float = 10.0) -> int:
    """Run the subjects' launches in the simulator and write their page; returns its bytes."""
    found = [each for subject in subjects for each in launches(subject, timeout=timeout)]
    title = " and ".join(dict.fromkeys(subject.title for subject in subjects))
    data = page(found, title=title, beside=len(subjects) > 1).encode()
    Path(path).write_bytes(data)
    return len(data)


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
