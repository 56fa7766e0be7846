"""An encoder-decoder transformer (Vaswani et al. 2017) for couples of short texts, and its beam search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.functional import index_select, log_softmax
from pyneural.tensor import Tensor

from .blocks import Kept, Layer
from .couples import END, LENGTH, PAD, START, VOCABULARY

WIDTH, HEADS, LAYERS, HIDDEN = 128, 4, 3, 256
DROPOUT = 0.1
BEAMS = 4
NORM = 0.8
"""The power of its length that a translation's log-probability is divided by."""


class Translator(nn.Module):
    """(N, S) tokens of sources and (N, T) of targets -> (N, T, VOCABULARY) logits of the target's token after each.

    With ``places`` (K) among the N * T, only theirs: (K, VOCABULARY).
    """

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.table, self.place = nn.Embedding(VOCABULARY, WIDTH, **made), nn.Embedding(LENGTH + 1, WIDTH, **made)
        with no_grad():
            for each, deviation in ((self.table, WIDTH**-0.5), (self.place, 0.1)):
                each.weight[:] = each.weight * deviation
        sizes = (WIDTH, HEADS, HIDDEN, DROPOUT, made)
        self.readers = nn.ModuleList([Layer(*sizes) for _ in range(LAYERS)])
        self.writers = nn.ModuleList([Layer(*sizes, looks=True) for _ in range(LAYERS)])
        self.read, self.norm = nn.LayerNorm(WIDTH, **made), nn.LayerNorm(WIDTH, **made)
        self.dropout = nn.Dropout(DROPOUT)
        # Without it a fresh network would say each token again.
        self.turn = nn.Linear(WIDTH, WIDTH, bias=False, **made)

    def forward(self, source: Tensor, target: Tensor, places: Tensor | None = None) -> Tensor:
        return self.grown(target, *self.encoded(source), places=places)[0]

    def encoded(self, source: Tensor) -> tuple[list[Kept], Tensor]:
        """What each writing layer looks at, and which of it (N, 1, 1, S) takes part."""
        mask = (source != PAD).reshape(source.shape[0], 1, 1, source.shape[1])
        x = self._placed(source, 0)
        for layer in self.readers:
            x, _ = layer(x, mask=mask)
        x = self.read(x)
        return [layer.other.kept(x) for layer in self.writers], mask

    def grown(
        self,
        target: Tensor,
        memory: list[Kept],
        mask: Tensor,
        before: list[Kept] | None = None,
        places: Tensor | None = None,
    ) -> tuple[Tensor, list[Kept]]:
        """The logits, and the writing layers' keys and values; ``before`` are those of the tokens before these."""
        x, kept = self._placed(target, 0 if before is None else before[0][0].shape[2]), []
        for number, layer in enumerate(self.writers):
            past = None if before is None else before[number]
            x, own = layer(x, past, causal=True, memory=memory[number], memory_mask=mask)
            kept.append(own)
        if places is not None:
            x = x.reshape(-1, WIDTH)[places]
        logits: Tensor = self.turn(self.norm(x)) @ self.table.weight.transpose(0, 1)
        return logits, kept

    def looks(self, source: Tensor, target: Tensor) -> Tensor:
        """(N, T, S): what the last layer takes of each source's token before it writes on, its heads' mean."""
        memory, mask = self.encoded(source)
        x = self._placed(target, 0)
        for number, layer in enumerate(list(self.writers)[:-1]):
            x, _ = layer(x, causal=True, memory=memory[number], memory_mask=mask)
        last = list(self.writers)[-1]
        normed = last.norms[0](x)
        x = x + last.own(normed, last.own.kept(normed), causal=True)
        weights: Tensor = last.other.weights(last.norms[1](x), memory[-1], mask).mean(dim=1)
        return weights

    def _placed(self, tokens: Tensor, first: int) -> Tensor:
        places = self.place.weight[first : first + tokens.shape[1]]
        x: Tensor = self.dropout(self.table(tokens) * math.sqrt(WIDTH) + places)
        return x


Said = tuple[list[int], float]
"""A translation's tokens, its end among them, and its log-probability by its length's power."""


def search(model: Translator, source: np.ndarray, beams: int = BEAMS) -> list[list[Said]]:
    """The best translations of each of the sources (N, S), the best first, in evaluation.

    At every step the ``beams`` best beginnings of each source are kept, those that have ended among them.
    """
    training = model.training
    model.eval()
    try:
        with no_grad():
            return _search(model, source, beams)
    finally:
        model.train(training)


def _search(model: Translator, source: np.ndarray, beams: int) -> list[list[Said]]:
    device, count = model.table.weight.device, len(source)
    source = source[:, : max(int((source != PAD).sum(axis=1).max(initial=0)), 1)]
    memory, mask = model.encoded(Tensor(np.repeat(source, beams, axis=0), device=device))
    said = np.full((count, beams, 1), START)
    # One beginning each; the others may not be taken.
    total = np.where(np.arange(beams) == 0, 0.0, -np.inf) * np.ones((count, 1))
    length = np.zeros((count, beams))
    ended = np.zeros((count, beams), bool)
    kept: list[Kept] | None = None
    while said.shape[2] <= LENGTH and not ended.all():
        last = Tensor(said[:, :, -1].reshape(-1, 1), device=device)
        logits, kept = model.grown(last, memory, mask, kept)
        costs = log_softmax(logits[:, 0], dim=1).cpu().numpy().astype(np.float64).reshape(count, beams, -1)
        costs[:, :, [PAD, START]] = -np.inf
        costs[ended] = -np.inf
        costs[ended, PAD] = 0.0
        ways = total[:, :, None] + costs
        lengths = length + ~ended
        ranks = (ways / lengths[:, :, None] ** NORM).reshape(count, -1)
        best = _best(ranks, beams)
        beam, token = np.divmod(best, costs.shape[2])
        rows = np.arange(count)[:, None]
        said = np.concatenate([said[rows, beam], token[:, :, None]], axis=2)
        total, length = ways[rows, beam, token], lengths[rows, beam]
        ended = ended[rows, beam] | (token == END)
        moved = Tensor((rows * beams + beam).ravel(), device=device)
        kept = [(index_select(keys, 0, moved), index_select(values, 0, moved)) for keys, values in kept]
    ranks = total / length**NORM
    found = []
    for number in range(count):
        order = np.argsort(-ranks[number], kind="stable")
        found.append([([t for t in said[number, i, 1:].tolist() if t != PAD], float(ranks[number, i])) for i in order])
    return found


def _best(ranks: np.ndarray, count: int) -> np.ndarray:
    """(N, count): the places of the greatest in each row, the greatest first."""
    few = np.argpartition(-ranks, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(ranks, few, axis=1), axis=1, kind="stable")
    return np.take_along_axis(few, order, axis=1)
