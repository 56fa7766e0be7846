"""Layers of transformers that keep keys and values, so that a text grows token by token without being read again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from pyneural import nn
from pyneural.functional import cat, scaled_dot_product_attention
from pyneural.functional.attention import attention_weights
from pyneural.functional.pieces import chunk
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

Kept = tuple[Tensor, Tensor]
"""Keys and values, (N, heads, S, width / heads) each."""


class Attention(nn.Module):
    """Attention from (N, L, width) to keys and values, in heads."""

    def __init__(self, width: int, heads: int, made: dict[str, Any]) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width, **made), nn.Linear(width, width, **made)
        self.pair = nn.Linear(width, 2 * width, **made)

    def kept(self, x: Tensor) -> Kept:
        """Keys and values of (N, S, width)."""
        keys, values = chunk(self.pair(x), 2, -1)
        return self._apart(keys), self._apart(values)

    def forward(self, x: Tensor, kept: Kept, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        mixed = scaled_dot_product_attention(self._apart(self.query(x)), *kept, mask, is_causal=causal)
        result: Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return result

    def weights(self, x: Tensor, kept: Kept, mask: Tensor | None = None) -> Tensor:
        """How much of each key every query takes, (N, heads, L, S)."""
        query = self._apart(self.query(x))
        return attention_weights(query, kept[0], mask, False, 1.0 / math.sqrt(query.shape[-1]))

    def _apart(self, x: Tensor) -> Tensor:
        apart: Tensor = x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
        return apart


class Layer(nn.Module):
    """Self-attention, attention to ``memory`` if the layer ``looks``, and two linear layers, normalised before each."""

    def __init__(
        self, width: int, heads: int, hidden: int, dropout: float, made: dict[str, Any], looks: bool = False
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width, **made) for _ in range(3 if looks else 2)])
        self.own = Attention(width, heads, made)
        self.other = Attention(width, heads, made) if looks else None
        self.wide = nn.Linear(width, hidden, activation="gelu_tanh", **made)
        self.narrow, self.dropout = nn.Linear(hidden, width, **made), nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        before: Kept | None = None,
        *,
        causal: bool = False,
        mask: Tensor | None = None,
        memory: Kept | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, Kept]:
        """(N, L, width) of the same shape, and the keys and values of these places behind those ``before``.

        Args:
            causal: no place takes a later one; behind others, x must be one place.
            mask, memory_mask: (N, 1, 1, S), True where a key takes part.
            memory: what the second attention goes to.
        """
        if before is not None and x.shape[1] != 1:
            raise ValueError(f"Layer: behind kept keys x must have one place, not {x.shape[1]}")
        normed = self.norms[0](x)
        kept = self.own.kept(normed)
        if before is not None:
            kept = cat([before[0], kept[0]], 2), cat([before[1], kept[1]], 2)
        x = x + self.dropout(self.own(normed, kept, mask, causal and before is None))
        if self.other is not None and memory is not None:
            x = x + self.dropout(self.other(self.norms[1](x), memory, memory_mask))
        hidden = self.wide(self.norms[-1](x))
        return x + self.dropout(self.narrow(self.dropout(hidden))), kept


def decaying(weight_decay: float) -> Any:
    """AdamW that draws matrices and tables to 0, and nothing else; for `fit`."""

    def make(parameters: Iterable[Any], lr: float) -> Optimizer:
        groups: dict[bool, list[Any]] = {True: [], False: []}
        for each in parameters:
            groups[each.ndim > 1].append(each)
        return AdamW(
            [{"params": each, "weight_decay": weight_decay * matrix} for matrix, each in groups.items()],
            lr,
        )

    return make
