"""Embeddings: a learned vector for each of a number of things."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.autograd import no_grad
from pyneural.functional import empty
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """The rows of a table that an integer tensor names.

    Shapes: input (*) of int64 or int32, each in [0, num_embeddings) -> (*, embedding_dim). The table starts
    standard normal.

    Args:
        num_embeddings, embedding_dim: at least 1.
        padding_idx: a row that starts at 0 and gets no gradient; negative from the end.
        scale_grad_by_freq: divide the gradient of a row by how often the input names it.
        device, dtype: of the table.

    Raises:
        ValueError, TypeError: a size below 1, or ``padding_idx`` out of range.
        IndexError: forward is given an index out of range.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        scale_grad_by_freq: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        arguments.size("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"Embedding: padding_idx (={padding_idx}) must be in [{-num_embeddings}, {num_embeddings - 1}]"
                )
            padding_idx %= num_embeddings
        self.padding_idx, self.scale_grad_by_freq = padding_idx, bool(scale_grad_by_freq)
        self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype, device=device))
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, scale_grad_by_freq: bool = False
    ) -> Embedding:
        """An embedding with the table ``embeddings`` (num_embeddings, embedding_dim), which it shares.

        Args:
            freeze: whether the table is not trained.
        """
        if not isinstance(embeddings, Tensor) or embeddings.ndim != 2:
            given = embeddings.shape if isinstance(embeddings, Tensor) else type(embeddings).__name__
            raise ValueError(f"Embedding: from_pretrained needs a tensor of 2 dimensions, not {given}")
        rows, width = embeddings.shape
        made = cls(rows, width, padding_idx, scale_grad_by_freq=scale_grad_by_freq, device=embeddings.device)
        made.weight = Parameter(embeddings.detach(), requires_grad=not freeze)
        return made

    def reset_parameters(self) -> None:
        """Draw the table anew from the default generator."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq)

    def flops(self, output: Any, *inputs: Any) -> int:
        return 0

    def extra_repr(self) -> str:
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts)
