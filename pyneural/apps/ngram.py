"""N-gram language models with interpolated Kneser-Ney smoothing (Chen and Goodman 1999), for comparison."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence


class KneserNey:
    """Probabilities of the next token given the ``order`` - 1 before it, over tokens from 0 to ``size`` - 1.

    The highest order has counts; a lower one counts the different tokens that stand before. Each order loses a
    discount of n1 / (n1 + 2 n2), where n1 and n2 are how many n-grams it has once and twice, to the next lower one,
    and the lowest one loses its own to the uniform distribution, so that nothing has probability 0.
    """

    def __init__(self, order: int, size: int) -> None:
        if order < 1 or size < 1:
            raise ValueError(f"KneserNey: order (={order}) and size (={size}) must be at least 1")
        self.order, self.size = order, size
        self.counts: list[dict[tuple[int, ...], Counter[int]]] = []
        self.discounts: list[float] = []
        self._totals: list[dict[tuple[int, ...], int]] = []

    def fit(self, texts: Iterable[Sequence[int]], start: int = 1) -> KneserNey:
        """Count; the first ``start`` tokens of each text are context only."""
        seen: Counter[tuple[int, ...]] = Counter()
        for text in texts:
            tokens = tuple(text)
            for place in range(start, len(tokens)):
                if not 0 <= tokens[place] < self.size:
                    raise ValueError(f"KneserNey: token {tokens[place]} is not in [0, {self.size})")
                gram = tokens[max(place - self.order + 1, 0) : place + 1]
                seen[gram] += 1
        self.counts, self.discounts, self._totals = [], [], []
        level = seen  # shorter n-grams are those at a text's beginning: nothing stands before them
        for length in range(self.order, 0, -1):
            own: Counter[tuple[int, ...]] = Counter()
            lower: Counter[tuple[int, ...]] = Counter()
            for gram, count in level.items():
                if len(gram) == length:
                    own[gram] = count
                    if length > 1:
                        lower[gram[1:]] += 1
                else:
                    lower[gram] += count
            table: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
            for gram, count in own.items():
                table[gram[:-1]][gram[-1]] = count
            self.counts.insert(0, dict(table))
            self._totals.insert(0, {context: after.total() for context, after in table.items()})
            once, twice = (sum(count == n for count in own.values()) for n in (1, 2))
            self.discounts.insert(0, once / (once + 2 * twice) if once and twice else 0.5)
            level = lower
        return self

    def probability(self, token: int, context: Sequence[int]) -> float:
        """Of ``token`` after ``context``, of which the last ``order`` - 1 tokens count."""
        before = tuple(context)
        result = 1.0 / self.size
        for length, (table, discount) in enumerate(zip(self.counts, self.discounts, strict=True)):
            if length > len(before):
                break
            own = before[len(before) - length :]
            after = table.get(own)
            if after is not None:
                total = self._totals[length][own]
                result = (max(after[token] - discount, 0.0) + discount * len(after) * result) / total
        return result

    def cross_entropy(self, texts: Iterable[Sequence[int]], start: Sequence[int] | int = 1) -> float:
        """Mean of -log p in nats over the tokens of each text from its ``start`` on."""
        total, number = 0.0, 0
        for index, text in enumerate(texts):
            first = start if isinstance(start, int) else start[index]
            for place in range(first, len(text)):
                total -= math.log(self.probability(text[place], text[max(place - self.order + 1, 0) : place]))
                number += 1
        return total / max(number, 1)
