"""Byte pairs: nothing is lost, and what is learnt is what a loop over all words finds."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from pyneural.apps.bpe import BytePairs, counted, learn, pieces

ALPHABET = list("ab  .,_9'ñ¿\n\tе中²😀")


def _text(rng: np.random.Generator, length: int = 200) -> str:
    return "".join(rng.choice(ALPHABET, length))


def test_pieces_are_the_text(rng: np.random.Generator):
    text = _text(rng)
    assert "".join(pieces(text)) == text
    assert pieces("In the, 24 men's_day\n") == ["In", " the", ",", " 24", " men", "'", "s", "_", "day", "\n"]


def test_nothing_is_lost(rng: np.random.Generator):
    known = learn(counted(_text(rng) for _ in range(5)), 290)
    assert len(known) == 290
    for text in (_text(rng), "", "Other words, of other letters: zyx"):
        tokens = known.encode(text)
        assert known.decode(tokens) == text
        assert b"".join(known.bytes[each] for each in tokens) == text.encode()
    text = _text(rng)
    assert len(known.encode(text)) < len(text.encode())


def test_merges_by_hand():
    """Of aab, aab and ab: "ab" three times, then "aab" twice; then every word is one token."""
    known = learn({"aab": 2, "ab": 1}, 258)
    assert known.merges == ((97, 98), (97, 256))
    assert known.encode("aab ab") == [257, 32, 256]
    with pytest.raises(ValueError, match="the text gives no more than 258 tokens, and size is 259"):
        learn({"aab": 2, "ab": 1}, 259)


def test_merges_against_counting_everything_anew(rng: np.random.Generator):
    words = {"".join(rng.choice(list("abc"), int(rng.integers(1, 9)))): int(rng.integers(1, 20)) for _ in range(60)}
    merges, parts = [], {word: list(word.encode()) for word in words}
    for token in range(256, 276):
        total: Counter[tuple[int, int]] = Counter()
        for word, part in parts.items():
            for pair in itertools.pairwise(part):
                total[pair] += words[word]
        best = min(total, key=lambda pair: (-total[pair], pair))
        merges.append(best)
        for word, part in parts.items():
            new: list[int] = []
            for each in part:
                # Left to right: a pair that ends here and whose first half is not used up.
                new = [*new[:-1], token] if new and (new[-1], each) == best else [*new, each]
            parts[word] = new
    known = learn(words, 276)
    assert known.merges == tuple(merges)
    assert {word: known.encode(word) for word in words} == parts


def test_a_broken_letter_is_marked():
    assert BytePairs([]).decode([0xC3]) == "\N{REPLACEMENT CHARACTER}"
    with pytest.raises(ValueError, match=r"size \(=255\) must be at least the 256 bytes"):
        learn({}, 255)
