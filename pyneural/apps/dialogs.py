"""The pairs of chatterbot-corpus as tokens, and a split that no text is on both sides of."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .extras import need
from .text import bucket, tokens

Text = tuple[str, ...]
Pair = tuple[Text, Text]

VOCABULARY = 1000
PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
PROMPT, REPLY = 24, 40  # the last tokens of a prompt and the first of a reply are kept
LENGTH = PROMPT + REPLY + 3
PARTS = 5  # one of them tests


def split() -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """The training and the test pairs.

    Pairs that have a text in common, as prompt or as reply, are on one side, and so is all that they are linked to.

    Raises:
        MissingPackage: chatterbot-corpus or PyYAML is not installed.
    """
    need("yaml", "PyYAML")
    corpus = need("chatterbot_corpus", "chatterbot-corpus")
    return _split(Path(corpus.__file__).parent / "data" / "english")


@functools.cache
def _split(folder: Path) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    pairs = read(folder)
    tests = [bucket(" ".join(root), PARTS) == 0 for root in roots(pairs)]
    sides = [tuple(pair for pair, test in zip(pairs, tests, strict=True) if test == side) for side in (False, True)]
    return sides[0], sides[1]


def read(folder: Path) -> list[Pair]:
    """Every two consecutive utterances of the English conversations, each pair once."""
    yaml = need("yaml", "PyYAML")
    pairs: dict[Pair, None] = {}
    for path in sorted(folder.glob("*.yml")):
        # The base loader leaves everything text: "yes" is an utterance here, no truth value.
        for conversation in yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["conversations"]:
            spoken = [tuple(tokens(each)) for each in conversation]
            pairs.update({(a, b): None for a, b in itertools.pairwise(spoken) if a and b})
    return list(pairs)


def roots(pairs: Sequence[Pair]) -> list[Text]:
    """The first, in the order of the alphabet, of all texts that each pair is linked to."""
    above: dict[Text, Text] = {}

    def root(text: Text) -> Text:
        while above.setdefault(text, text) != text:
            text = above[text]
        return text

    for pair in pairs:
        first, second = sorted(map(root, pair))
        above[second] = first
    return [root(prompt) for prompt, _ in pairs]


def distinct_texts(pairs: Sequence[Pair]) -> list[Text]:
    """Every prompt and reply, once."""
    return list(dict.fromkeys(text for pair in pairs for text in pair))


def vocabulary(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The most frequent tokens of the distinct texts, behind the special ones."""
    counts = Counter(token for text in distinct_texts(pairs) for token in text)
    ordered = sorted(counts, key=lambda token: (-counts[token], token))
    return SPECIAL + tuple(ordered[: VOCABULARY - len(SPECIAL)])


def numbers(text: Sequence[str], known: Sequence[str]) -> list[int]:
    """The tokens' places in the vocabulary."""
    places = _places(tuple(known))
    return [places.get(token, UNKNOWN) for token in text]


@functools.cache
def _places(known: tuple[str, ...]) -> dict[str, int]:
    return {token: place for place, token in enumerate(known)}


def opening(prompt: Sequence[str], known: Sequence[str]) -> list[int]:
    """What stands before a reply."""
    return [START, *numbers(prompt, known)[-PROMPT:], END]


def closed(text: Sequence[str], known: Sequence[str]) -> list[int]:
    """A reply's tokens with its end, which one that was cut has not."""
    return numbers(text, known)[:REPLY] + ([END] if len(text) <= REPLY else [])


def encoded(pairs: Sequence[Pair], known: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(N, LENGTH) tokens, padded behind, and (N) the place where each reply begins."""
    rows, begin = np.zeros((len(pairs), LENGTH), np.int64), np.zeros(len(pairs), np.int64)
    for number, (prompt, reply) in enumerate(pairs):
        before, after = opening(prompt, known), closed(reply, known)
        rows[number, : len(before) + len(after)] = before + after
        begin[number] = len(before)
    return rows, begin
