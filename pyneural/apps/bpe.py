"""Byte-pair encoding (Sennrich et al. 2016): frequent bytes within words become tokens; nothing is lost."""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

_WORD = re.compile(r" ?[^\W\d_]+| ?\d+| ?[^\w\s]+|_+|\s")
"""Words, numbers and signs, each with the space before it: one after the other they are the text."""

Pair = tuple[int, int]


def pieces(text: str) -> list[str]:
    """What no token goes beyond."""
    return _WORD.findall(text)


def counted(texts: Iterable[str]) -> Counter[str]:
    """How often each piece is in the texts."""
    return Counter(piece for text in texts for piece in pieces(text))


class BytePairs:
    """Tokens 0 to 255 are bytes; each further one is a pair of earlier ones, in the order of ``merges``."""

    def __init__(self, merges: Sequence[Pair]) -> None:
        self.merges = tuple(merges)
        self.bytes = [bytes([value]) for value in range(256)]
        for first, second in self.merges:
            self.bytes.append(self.bytes[first] + self.bytes[second])
        self._rank = {pair: 256 + place for place, pair in enumerate(self.merges)}
        self._known: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.bytes)

    def encode(self, text: str) -> list[int]:
        """The text's tokens."""
        return [token for piece in pieces(text) for token in self._encoded(piece)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The tokens' text; bytes that are no UTF-8 become the replacement character."""
        return b"".join(self.bytes[token] for token in tokens).decode("utf-8", "replace")

    def _encoded(self, piece: str) -> tuple[int, ...]:
        if piece not in self._known:
            part = list(piece.encode())
            while len(part) > 1:
                # The earliest merge that is possible, everywhere.
                merged, pair = min((self._rank.get(pair, len(self)), pair) for pair in itertools.pairwise(part))
                if merged == len(self):
                    break
                part = _merged(part, pair, merged)
            self._known[piece] = tuple(part)
        return self._known[piece]


def learn(words: Mapping[str, int], size: int) -> BytePairs:
    """The pairs of bytes that are the most frequent, again and again, until there are ``size`` tokens.

    Args:
        words: how often each piece occurs.

    Raises:
        ValueError: a size below 256; no pair is left that occurs twice.
    """
    if size < 256:
        raise ValueError(f"learn: size (={size}) must be at least the 256 bytes")
    parts, counts = [list(word.encode()) for word in words], list(words.values())
    total: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, part in enumerate(parts):
        for pair in itertools.pairwise(part):
            total[pair] += counts[number]
            places[pair].add(number)
    heap = [(-count, pair) for pair, count in total.items()]
    heapq.heapify(heap)
    merges: list[Pair] = []
    while 256 + len(merges) < size:
        while heap and -heap[0][0] != total[heap[0][1]]:
            heapq.heappop(heap)  # its count has changed since
        if not heap or heap[0][0] > -2:
            raise ValueError(f"learn: the text gives no more than {256 + len(merges)} tokens, and size is {size}")
        best = heapq.heappop(heap)[1]
        changed: set[Pair] = set()
        for number in places.pop(best):
            before = list(itertools.pairwise(parts[number]))
            parts[number] = _merged(parts[number], best, 256 + len(merges))
            for pair in before:
                total[pair] -= counts[number]
            for pair in itertools.pairwise(parts[number]):
                total[pair] += counts[number]
                places[pair].add(number)
                changed.add(pair)
            changed.update(before)
        merges.append(best)
        for pair in changed:
            if total[pair] > 0:
                heapq.heappush(heap, (-total[pair], pair))
    return BytePairs(merges)


def _merged(part: list[int], pair: Pair, token: int) -> list[int]:
    """``part`` with ``token`` instead of each ``pair``, from the left."""
    result: list[int] = []
    place = 0
    while place < len(part):
        found = place + 1 < len(part) and (part[place], part[place + 1]) == pair
        result.append(token if found else part[place])
        place += 2 if found else 1
    return result
