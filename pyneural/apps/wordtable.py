"""Translation word by word: IBM's model 1 (Brown et al. 1993) and trigrams of the target language, for comparison."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Sequence

import numpy as np

from .ngram import KneserNey
from .text import tokens

_SPOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_BEHIND, _BEFORE = re.compile(r" ([.,;:!?)])"), re.compile(r"([¿¡(]) ")
NOTHING = ""
"""The word that stands for no word of the source."""


class WordTable:
    """How likely each target word is for each source word, and the best sequence in the source's order.

    Args:
        rounds: of expectation and maximisation.
        choices: target words that each source word may become.
        beams: sequences that are kept.
        weight: of the trigrams' log-probability beside the table's.
    """

    def __init__(self, rounds: int = 8, choices: int = 6, beams: int = 8, weight: float = 0.5) -> None:
        self.rounds, self.choices, self.beams, self.weight = rounds, choices, beams, weight
        self.table: dict[str, list[tuple[int, float]]] = {}
        self.target: list[str] = []

    def fit(self, couples: Sequence[tuple[str, str]]) -> WordTable:
        """The most likely table, and Kneser-Ney's trigrams of the targets."""
        sources = [[NOTHING, *tokens(source)] for source, _ in couples]
        targets = [_SPOKEN.findall(target) for _, target in couples]
        known, self.target = sorted({each for text in sources for each in text}), sorted(set().union(*targets))
        place = {word: number for number, word in enumerate(known)}
        where = {word: number for number, word in enumerate(self.target)}
        left, right, slots, first = [], [], [], 0
        for source, target in zip(sources, targets, strict=True):
            ours, theirs = np.array([place[each] for each in source]), np.array([where[each] for each in target])
            left.append(np.tile(ours, len(theirs)))
            right.append(np.repeat(theirs, len(ours)))
            slots.append(np.repeat(np.arange(first, first + len(theirs)), len(ours)))
            first += len(theirs)
        keys, links = np.unique(np.concatenate(left) * len(self.target) + np.concatenate(right), return_inverse=True)
        slot, owner = np.concatenate(slots), keys // len(self.target)
        likely: np.ndarray = np.ones(len(keys))
        for _ in range(self.rounds):
            share = likely[links]
            share /= np.bincount(slot, share)[slot]
            likely = np.bincount(links, share)
            likely = likely / np.bincount(owner, likely)[owner]
        for word, number in place.items():
            low, high = np.searchsorted(keys, [number * len(self.target), (number + 1) * len(self.target)])
            best = low + np.argsort(-likely[low:high], kind="stable")[: self.choices]
            self.table[word] = [(int(keys[each] % len(self.target)), float(likely[each])) for each in best]
        # Two numbers more: the beginning and the end.
        start, end = len(self.target), len(self.target) + 1
        texts = [[start, *(where[each] for each in text), end] for text in targets]
        self.trigrams = KneserNey(3, len(self.target) + 2).fit(texts)
        return self

    def translate(self, source: str) -> str:
        """The best sequence of one target word for each source word; an unknown word is left out."""
        start, end = len(self.target), len(self.target) + 1
        beams: list[tuple[float, list[int]]] = [(0.0, [start])]
        for word in tokens(source):
            if word in self.table:
                ways = [
                    (value + math.log(chance) + self.weight * self._follows(each, said), [*said, each])
                    for value, said in beams
                    for each, chance in self.table[word]
                    if chance > 0.0
                ]
                beams = heapq.nlargest(self.beams, ways)
        best = max(beams, key=lambda beam: beam[0] + self.weight * self._follows(end, beam[1]))[1]
        text = " ".join(self.target[each] for each in best[1:])
        text = _BEFORE.sub(r"\1", _BEHIND.sub(r"\1", text))
        return text[:1].upper() + text[1:]

    def _follows(self, word: int, said: list[int]) -> float:
        return math.log(self.trigrams.probability(word, said))
