"""Attention with several heads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyneural import functional
from pyneural.functional import cat, empty, linear, logical_not, matmul, where
from pyneural.functional.attention import attention_weights
from pyneural.functional.pieces import chunk
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import arguments, init
from .linear import Linear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """Attention in ``num_heads`` subspaces at once, between learned projections.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.

    Args:
        embed_dim: the length of queries and results, divisible by ``num_heads``.
        num_heads: at least 1.
        dropout: probability with which a weight is dropped in training.
        bias: whether the projections have one.
        add_bias_kv: append a learned key and value to every sequence.
        add_zero_attn: append a key and a value of zeros.
        kdim, vdim: the lengths of keys and values, by default ``embed_dim``.
        batch_first: sequences are (N, L, E) instead of (L, N, E).
        device, dtype: of the parameters.

    Raises:
        ValueError, TypeError: a value out of range; shapes that do not fit.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        own = "MultiheadAttention"
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        arguments.size(own, embed_dim=embed_dim, num_heads=num_heads, kdim=kdim, vdim=vdim)
        if embed_dim % num_heads:
            raise ValueError(f"{own}: embed_dim (={embed_dim}) must be divisible by num_heads (={num_heads})")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = kdim, vdim
        self.dropout = arguments.number(own, "dropout", dropout, 0.0, 1.0)
        self.add_zero_attn, self.batch_first = bool(add_zero_attn), bool(batch_first)

        def parameter(wanted: bool, *shape: int) -> Parameter | None:
            return Parameter(empty(shape, dtype=dtype, device=device)) if wanted else None

        packed = kdim == vdim == embed_dim
        self.register_parameter("in_proj_weight", parameter(packed, 3 * embed_dim, embed_dim))
        for name, width in (("q", embed_dim), ("k", kdim), ("v", vdim)):
            self.register_parameter(f"{name}_proj_weight", parameter(not packed, embed_dim, width))
        self.register_parameter("in_proj_bias", parameter(bias, 3 * embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        self.register_parameter("bias_k", parameter(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", parameter(add_bias_kv, 1, 1, embed_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections anew from the default generator; biases are 0."""
        for each in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if each is not None:
                init.xavier_uniform_(each)
        for each in (self.in_proj_bias, self.out_proj.bias):
            if each is not None:
                init.zeros_(each)
        for each in (self.bias_k, self.bias_v):
            if each is not None:
                init.xavier_normal_(each)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from ``query`` to ``key`` and ``value``.

        Shapes: query (L, N, E), key (S, N, kdim), value (S, N, vdim); (N, L, E) and so on if ``batch_first``;
        without N for a single one.

        Args:
            key_padding_mask: (N, S) or (S); bool, True where a key is left out, or floating, added to the scores.
            need_weights: whether the weights are given as well; without them they are never stored.
            attn_mask: (L, S) or (N * num_heads, L, S); as ``key_padding_mask``.
            average_attn_weights: give the mean of the heads' weights.
            is_causal: query i takes keys 0 to i only, on top of the masks.

        Returns:
            The result of query's shape; weights (N, L, S), (N, num_heads, L, S) for each head, or None.
        """
        self._check(query, key, value)
        batched = query.ndim == 3
        same = key is query and value is query
        if not batched:
            query, key, value = (each.unsqueeze(0) for each in (query, key, value))
        elif not self.batch_first:
            query, key, value = (each.transpose(0, 1) for each in (query, key, value))
        q, k, v = self._projected(query, key, value, same)
        batch, length = q.shape[:2]
        added = 0
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (
                cat([each, extra.expand(batch, 1, self.embed_dim)], 1)
                for each, extra in ((k, self.bias_k), (v, self.bias_v))
            )
            added += 1
        if self.add_zero_attn:
            zero = k.new_zeros((batch, 1, self.embed_dim))
            k, v = cat([k, zero], 1), cat([v, zero], 1)
            added += 1
        mask = self._mask(key_padding_mask, attn_mask, batch, length, k.shape[1] - added, batched)
        if is_causal and added:
            mask, is_causal = _both(mask, _causal(length, k.shape[1] - added, q)), False
        if mask is not None and added:
            mask = functional.pad(mask, (0, added)) if mask.dtype != dtypes.bool_ else _extended(mask, added)
        q, k, v = (each.reshape(batch, -1, self.num_heads, self.head_dim).transpose(1, 2) for each in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = attention_weights(q, k, mask, is_causal, 1.0 / math.sqrt(self.head_dim))
            weights = functional.dropout(weights, dropout)
            mixed = matmul(weights, v)
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
        output = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, self.embed_dim))
        if not batched:
            return output.squeeze(0), None if weights is None else weights.squeeze(0)
        return output if self.batch_first else output.transpose(0, 1), weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor, same: bool) -> Any:
        if same and self.in_proj_weight is not None:
            return chunk(linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        if self.in_proj_weight is not None:
            weights = chunk(self.in_proj_weight, 3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)  # type: ignore[assignment]
        biases = (None,) * 3 if self.in_proj_bias is None else chunk(self.in_proj_bias, 3)
        return [linear(*each) for each in zip((query, key, value), weights, biases, strict=True)]  # type: ignore[arg-type]

    def _mask(
        self, padding: Tensor | None, mask: Tensor | None, batch: int, length: int, keys: int, batched: bool
    ) -> Tensor | None:
        """Both masks as one that broadcasts to (N, heads, L, S): bool, True where a key takes part, or floating."""
        if mask is not None:
            heads = batch * self.num_heads
            if mask.shape not in ((length, keys), (heads, length, keys)):
                raise ValueError(
                    f"MultiheadAttention: attn_mask must have shape {(length, keys)} or {(heads, length, keys)}, "
                    f"not {mask.shape}"
                )
            if mask.ndim == 3:
                mask = mask.reshape(batch, self.num_heads, length, keys)
            mask = logical_not(mask) if mask.dtype == dtypes.bool_ else mask
        if padding is not None:
            expected = (batch, keys) if batched else (keys,)
            if padding.shape != expected:
                raise ValueError(
                    f"MultiheadAttention: key_padding_mask must have shape {expected}, not {padding.shape}"
                )
            padding = padding.reshape(batch, 1, 1, keys)
            padding = logical_not(padding) if padding.dtype == dtypes.bool_ else padding
        return _both(mask, padding)

    def _check(self, query: Any, key: Any, value: Any) -> None:
        own = "MultiheadAttention"
        for name, each, width in (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        ):
            if not isinstance(each, Tensor):
                raise TypeError(f"{own}: {name} must be a tensor, not {type(each).__name__}")
            if each.ndim not in (2, 3) or each.ndim != query.ndim or each.shape[-1] != width:
                raise ValueError(
                    f"{own}: {name} must have {max(min(query.ndim, 3), 2)} dimensions, the last of length {width}, "
                    f"not shape {each.shape}"
                )
        batch = 0 if self.batch_first else 1
        if query.ndim == 3 and not query.shape[batch] == key.shape[batch] == value.shape[batch]:
            raise ValueError(
                f"{own}: query, key and value have batches of {query.shape[batch]}, {key.shape[batch]} and "
                f"{value.shape[batch]}"
            )
        if key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"{own}: key of shape {key.shape} and value of shape {value.shape} differ in length")

    def extra_repr(self) -> str:
        return f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, batch_first={self.batch_first}"


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Two masks, bool (True where a key takes part) or floating, as one."""
    if first is None or second is None:
        return second if first is None else first
    if first.dtype == second.dtype == dtypes.bool_:
        return where(first, second, first)
    if second.dtype == dtypes.bool_:
        first, second = second, first
    return where(first, second, -math.inf) if first.dtype == dtypes.bool_ else first + second


def _causal(length: int, keys: int, like: Tensor) -> Tensor:
    return Tensor(np.tri(length, keys, dtype=bool), device=like.device)


def _extended(mask: Tensor, count: int) -> Tensor:
    """A bool mask with ``count`` more keys, which take part."""
    return cat([mask, Tensor(np.ones((*mask.shape[:-1], count), bool), device=mask.device)], -1)
