"""Networks that several tests train."""

from __future__ import annotations

import numpy as np

from pyneural import Tensor, functional, nn


class Language(nn.Module):
    """A transformer that tells the next of ``tokens`` kinds, of at most ``length``; its output weights are shared."""

    def __init__(self, tokens: int, length: int, features: int, heads: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.embedding, self.place = nn.Embedding(tokens, features), nn.Embedding(length, features)
        layer = nn.TransformerEncoderLayer(
            features, heads, hidden, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers)
        self.output = nn.Linear(features, tokens, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        places = functional.arange(length, device=tokens.device)
        later = functional.triu(functional.ones((length, length), dtype=np.bool_, device=tokens.device), 1)
        x = self.layers(self.embedding(tokens) + self.place(places), mask=later)
        return self.output(x).transpose(1, 2)


def sentences(rng: np.random.Generator, tokens: int, count: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """So many random ones, and of each place the token that follows."""
    drawn = rng.integers(0, tokens, (count, length + 1))
    return drawn[:, :-1], drawn[:, 1:]
