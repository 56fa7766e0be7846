"""The lessons as Jupyter notebooks, made from the same texts and skeletons; nbformat 4.5, without Jupyter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .language import CUDA, Language
from .lesson import Lesson, lessons

_INSTALL = """import importlib.util
if importlib.util.find_spec("pyneural") is None:
    raise ModuleNotFoundError("first %pip install pyneural's sources, by their folder or address; g++ is needed, too")
%load_ext pyneural.learn.magic
%load_ext pyneural.cuda.magic"""


def notebook(lesson: Lesson) -> dict[str, Any]:
    """A lesson: its text, the skeleton as a cell that is checked when it is run, and folded hints."""
    hints = "\n\n".join(
        f"<details><summary>Hint {level}</summary>\n\n{text.strip()}\n\n</details>"
        for level, text in enumerate(lesson.hints, 1)
    )
    cells = [
        _text(lesson.text),
        _code(_INSTALL),
        _text("Complete the kernel and run the cell: it is checked, and what is wrong is said with its line."),
        _code(f"%%lesson {lesson.asked}\n{lesson.skeleton}"),
        _text(hints),
        _text(
            f"After a try, `%lesson {lesson.asked} --solution` shows the reference solution. `%%cuda?` tells how to "
            "run, check and profile any kernel in a cell of its own."
        ),
    ]
    return {
        "cells": [{"id": f"{lesson.name}-{place}", **cell} for place, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.strip()}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source.rstrip(), "execution_count": None, "outputs": []}


def write(folder: Path, language: Language = CUDA) -> list[Path]:
    """Every lesson of a language as ``NN_name.ipynb``.

    Raises:
        FileExistsError: one is there already; nothing was written.
    """
    files = {folder / f"{each.name}.ipynb": each for each in lessons(language)}
    for file in files:
        if file.exists():
            raise FileExistsError(f"{file} is there already; move it away, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file, lesson in files.items():
        file.write_text(json.dumps(notebook(lesson), indent=1) + "\n", encoding="utf-8")
    return list(files)
