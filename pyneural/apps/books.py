"""The books of the World English Bible: those that train, those that stop a training, those that test."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from .bibles import ENGLISH, Verse, bible, letters
from .bpe import BytePairs, counted, learn

VOCABULARY = 2048
TEST = ("Ruth", "Esther", "Ecclesiastes", "Daniel", "Acts")
VALIDATION = ("Judges", "Jonah", "Romans")
APOCRYPHA = (
    "Tobit", "Judith", "Esther (Greek)", "Wisdom", "Sirach", "Baruch", "I Maccabees", "II Maccabees", "I Esdras",
    "Prayer of Manasses", "Additional Psalm", "III Maccabees", "II Esdras", "IV Maccabees",
)  # fmt: skip
"""Books that are left out: some retell test books."""

Texts = dict[str, str]
"""Texts by the names of books, a verse on each line."""


def split() -> tuple[Texts, Texts, Texts]:
    """The training, validation and test books.

    A verse of a test book that another book has as well, but for signs and capitals, is left out there; so is a
    validation book's from the training books.

    Raises:
        MissingPackage: pysword or sword-text-web is not installed.
    """
    return divided(bible(ENGLISH), VALIDATION, TEST)


@functools.cache
def divided(verses: tuple[Verse, ...], validation: Sequence[str], test: Sequence[str]) -> tuple[Texts, Texts, Texts]:
    """The same of any verses."""
    sides: tuple[Texts, Texts, Texts] = ({}, {}, {})
    seen: set[str] = set()
    books = dict.fromkeys(verse.book for verse in verses)
    rest = [each for each in books if each not in {*validation, *test, *APOCRYPHA}]
    for side, chosen in ((2, test), (1, validation), (0, rest)):
        own: set[str] = set()
        for book in chosen:
            found = [verse.text for verse in verses if verse.book == book]
            own.update(map(letters, found))
            sides[side][book] = "".join(f"{text}\n" for text in found if letters(text) not in seen)
        seen |= own
    return sides


@functools.cache
def pairs() -> BytePairs:
    """The tokens, learnt from the training books."""
    return learn(counted(split()[0].values()), VOCABULARY)


@functools.cache
def streams(side: int) -> tuple[np.ndarray, ...]:
    """The tokens of each book of a side of the split, behind the end of a line."""
    return tuple(np.array(pairs().encode(f"\n{text}"), np.int64) for text in split()[side].values())


def rows(streams: Sequence[np.ndarray], length: int) -> np.ndarray:
    """(N, length + 1): the tokens, each row beginning with the last of the one before; a rest is left out."""
    whole = np.concatenate(streams)
    count = (len(whole) - 1) // length
    found: np.ndarray = np.lib.stride_tricks.sliding_window_view(whole, length + 1)[::length][:count].copy()
    return found


def windows(stream: np.ndarray, length: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, length + 1) tokens, filled up with 0, and (M, length): which of each row but its first count.

    Each token of the stream but the first counts once, from the second row on behind ``length`` - ``stride`` others.
    """
    starts = range(0, max(len(stream) - 1 - length + stride, 1), stride)
    given = np.zeros((len(starts), length + 1), np.int64)
    counts = np.zeros((len(starts), length), bool)
    for number, start in enumerate(starts):
        part = stream[start : start + length + 1]
        given[number, : len(part)] = part
        counts[number, (length - stride if number else 0) : len(part) - 1] = True
    return given, counts
