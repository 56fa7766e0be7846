"""Rows of numbers: a user's CSV, folds, and how good probabilities are."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence

import numpy as np

from .app import input_file


def read_names(path: str | os.PathLike[str]) -> list[str]:
    """The names in a CSV's first line; ValueError where there is no such file or it is no CSV."""
    file = input_file("read_rows", path)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            return list(csv.DictReader(opened).fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"read_rows: {file} is no CSV: {error}") from None


def read_cells(path: str | os.PathLike[str], columns: Sequence[str]) -> list[tuple[int, list[str | None]]]:
    """The rows of a CSV with a line of names: the line's number and its cells; other columns are passed over.

    Raises:
        ValueError: there is no such file, or it is no such table.
    """
    file = input_file("read_rows", path)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            lacking = [name for name in columns if name not in (reader.fieldnames or ())]
            if lacking:
                raise ValueError(f"read_rows: {file} lacks the columns {', '.join(map(repr, lacking))}")
            rows = [(reader.line_num, [row[name] for name in columns]) for row in reader if any(row.values())]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"read_rows: {file} is no CSV: {error}") from None
    if not rows:
        raise ValueError(f"read_rows: {file} has no row below its names")
    return rows


def read_rows(path: str | os.PathLike[str], columns: Sequence[str]) -> np.ndarray:
    """A CSV with a line of names as (rows, columns) in float64; other columns are passed over.

    Raises:
        ValueError: there is no such file, it is no such table, or a cell is no finite number.
    """
    return np.array(
        [
            [number(path, line, name, cell) for name, cell in zip(columns, cells, strict=True)]
            for line, cells in read_cells(path, columns)
        ]
    )


def number(file: str | os.PathLike[str], line: int, name: str, cell: str | None) -> float:
    """A cell as a finite number; ValueError says where it stands."""
    try:
        value = float(cell or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"read_rows: {os.fspath(file)}, line {line}: {name!r} is {cell!r}, no number")
    return value


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """|mean probability - part that is 1| over equal bins, weighted by their counts (Naeini et al. 2015)."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.bincount(place, labels - probabilities, bins)
    return float(np.abs(gaps).sum() / len(labels))


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean probability, part that is 1, and count of each bin that is not empty."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    means, parts = (np.bincount(place, each, bins)[there] / counts[there] for each in (probabilities, labels))
    return means, parts, counts[there]
