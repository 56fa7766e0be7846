"""Short verses in English and Spanish, and a split that no verse is on both sides of."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np

from .bibles import ENGLISH, SPANISH, Verse, bible, letters
from .bpe import BytePairs, counted, learn
from .dialogs import roots
from .text import bucket

Couple = tuple[str, str]
"""A verse in English and in Spanish."""

PAD, START, END, SPECIAL = range(4)
"""Tokens that are no text, and how many there are."""
VOCABULARY = 3000
WORDS = 20  # that a short verse has at most, in either language
LENGTH = 56  # tokens of a verse with what ends it
PARTS = 20  # one of them tests, one stops the training


def split() -> tuple[tuple[Couple, ...], tuple[Couple, ...], tuple[Couple, ...]]:
    """The training, validation and test couples.

    Couples that have a verse in common, in either language and but for signs and capitals, are on one side, and so is
    all that they are linked to.

    Raises:
        MissingPackage: pysword, sword-text-web or sword-text-sparv is not installed.
    """
    return divided(bible(ENGLISH), bible(SPANISH))


@functools.cache
def divided(
    english: tuple[Verse, ...], spanish: tuple[Verse, ...]
) -> tuple[tuple[Couple, ...], tuple[Couple, ...], tuple[Couple, ...]]:
    """The same of any verses."""
    other = {(each.book, each.chapter, each.number): each.text for each in spanish}
    found: dict[Couple, Couple] = {}
    for verse in english:
        text = other.get((verse.book, verse.chapter, verse.number), "")
        key = letters(verse.text), letters(text)
        if all(0 < len(each.split()) <= WORDS for each in key):
            found.setdefault(key, (verse.text, text))
    # A word is no verse of both languages by chance: each side of a couple is marked.
    linked = roots([((f"en {one}",), (f"es {two}",)) for one, two in found])
    parts = [bucket(root[0], PARTS) for root in linked]
    sides = [
        tuple(each for each, part in zip(found.values(), parts, strict=True) if min(part, 2) == wanted)
        for wanted in (2, 1, 0)
    ]
    return sides[0], sides[1], sides[2]


@functools.cache
def pairs() -> BytePairs:
    """The tokens of both languages, learnt from the training couples; a network's number is that and SPECIAL."""
    return learn(counted(text for couple in split()[0] for text in couple), VOCABULARY - SPECIAL)


def numbers(text: str) -> list[int]:
    """The tokens of a text with what ends it; those that are too many are left out before it."""
    return [*[SPECIAL + token for token in pairs().encode(f" {text}")][: LENGTH - 1], END]


def spelled(tokens: Iterable[int]) -> str:
    """The text of tokens up to the end."""
    said = []
    for token in tokens:
        if token == END:
            break
        if token >= SPECIAL:
            said.append(token - SPECIAL)
    return pairs().decode(said).strip()


def encoded(texts: Sequence[str], start: bool) -> np.ndarray:
    """(N, LENGTH) tokens, or (N, LENGTH + 1) behind START, padded behind."""
    rows = np.full((len(texts), LENGTH + start), PAD, np.int64)
    for row, text in zip(rows, texts, strict=True):
        known = [START] * start + numbers(text)
        row[: len(known)] = known
    return rows
