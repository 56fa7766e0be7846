"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyneural.autocast import lowered
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend, dtypes
from pyneural.kernels.attention.contract import default_scale
from pyneural.kernels.attention.contract import scaled_dot_product_attention as _contract
from pyneural.random import Generator
from pyneural.tensor import Tensor

from .elementwise import eq, where
from .layout import reshape, unsqueeze
from .matmul import matmul
from .operands import require_tensor
from .random import dropout
from .reduce import amax
from .softmax import softmax


class ScaledDotProductAttention(Function):
    """The log-sum-exp of each row of scores is a by-product for the backward, without gradient."""

    differentiable = 1

    def __init__(self, is_causal: bool, scale: float | None) -> None:
        self.is_causal, self.scale = is_causal, scale

    def forward(self, kernels: Backend, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Any:
        output, logsumexp = kernels.scaled_dot_product_attention(
            query.array,
            key.array,
            value.array,
            None if mask is None else mask.array,
            is_causal=self.is_causal,
            scale=self.scale,
        )
        self.save(query, key, value, mask, Tensor._over(logsumexp, query.device))
        self.save_outputs()
        return output, logsumexp

    def backward(self, grad: Tensor, _: Tensor | None) -> Any:
        query, key, value, mask, logsumexp = self.saved
        output = self.saved_outputs[0].detach()
        function = ScaledDotProductAttentionBackward(self.is_causal, self.scale)
        return (*function(grad, query, key, value, mask, output, logsumexp), None)


class ScaledDotProductAttentionBackward(Function):
    """The gradients by query, key and value; ``output`` and ``logsumexp`` follow from the other inputs."""

    def __init__(self, is_causal: bool, scale: float | None) -> None:
        self.is_causal, self.scale = is_causal, scale

    def forward(
        self,
        kernels: Backend,
        grad: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        output: Tensor,
        logsumexp: Tensor,
    ) -> Any:
        self.save(grad, query, key, value, mask)
        return kernels.scaled_dot_product_attention_backward(
            grad.array,
            query.array,
            key.array,
            value.array,
            output.array,
            logsumexp.array,
            None if mask is None else mask.array,
            is_causal=self.is_causal,
            scale=self.scale,
        )

    def backward(self, by_query: Tensor | None, by_key: Tensor | None, by_value: Tensor | None) -> Any:
        grad, query, key, value, mask = self.saved
        # With weights P, slopes dS = P (dP - sum(P dP)) and dP = grad value^T, the first derivatives are
        # scale dS key, scale dS^T query and P^T grad. Their product with the cotangents is linear in dS,
        # with factor `by_slopes`, and in P, with factor `direct`; both depend on the scores through P.
        scale = default_scale(query.shape[-1]) if self.scale is None else self.scale
        weights = attention_weights(query, key, mask, self.is_causal, scale)
        by_weights = matmul(grad, value.mT)
        by_slopes = grad.new_zeros((1,) * weights.ndim)
        if by_query is not None:
            by_slopes = by_slopes + matmul(by_query, key.mT) * scale
        if by_key is not None:
            by_slopes = by_slopes + matmul(query, by_key.mT) * scale
        centre = (weights * by_weights).sum(dim=-1, keepdim=True)
        mean = (weights * by_slopes).sum(dim=-1, keepdim=True)
        slopes = weights * (by_weights - centre)
        by_by_weights = weights * (by_slopes - mean)
        total = by_slopes * (by_weights - centre) - by_weights * mean
        for_grad = matmul(by_by_weights, value)
        if by_value is not None:
            total = total + matmul(grad, by_value.mT)
            for_grad = for_grad + matmul(weights, by_value)
        by_scores = weights * (total - (weights * total).sum(dim=-1, keepdim=True))
        for_query, for_key = matmul(by_scores, key) * scale, matmul(by_scores.mT, query) * scale
        if by_key is not None:
            for_query = for_query + matmul(slopes, by_key) * scale
        if by_query is not None:
            for_key = for_key + matmul(slopes.mT, by_query) * scale
        return for_grad, for_query, for_key, matmul(by_by_weights.mT, grad), None, None, None


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float) -> Tensor:
    """The whole matrix of weights, differentiable; zeros for a query that takes no key."""
    scores = matmul(query, key.mT) * scale
    if is_causal:
        kept = Tensor(np.tri(*scores.shape[-2:], dtype=bool), device=query.device)
        scores = where(kept, scores, float("-inf"))
    if mask is not None:
        scores = where(mask, scores, float("-inf")) if mask.dtype == dtypes.bool_ else scores + mask
    if not scores.shape[-1]:
        return scores
    dead = eq(amax(scores.detach(), dim=-1, keepdim=True), float("-inf"))
    return where(dead, 0.0, softmax(where(dead, 0.0, scores), -1))


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """``softmax(query @ key.mT * scale + mask) @ value`` without storing the matrix of weights.

    The matrix is stored where ``dropout_p`` is not 0, where ``attn_mask`` requires a gradient, and for
    second derivatives. A query that is masked from every key gets zeros.

    Args:
        query: floating, (..., L, E).
        key: (..., S, E).
        value: (..., S, Ev). The leading dimensions of the three broadcast.
        attn_mask: broadcast to (..., L, S): bool, True where a key takes part, or floating, added to the scores.
        dropout_p: probability with which a weight is dropped; 0 outside training, which is the caller's concern.
        is_causal: query i takes keys 0 to i, on top of the mask.
        scale: default 1 / sqrt(E).
        enable_gqa: key and value have fewer heads (dimension -3) than query; each serves a group of them.
        generator: where dropout's random numbers come from.

    Returns:
        (..., L, Ev).

    Raises:
        TypeError, ValueError: arguments that do not fit.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Dao et al. 2022,
    https://arxiv.org/abs/2205.14135; groups: Ainslie et al. 2023, https://arxiv.org/abs/2305.13245.
    """
    name = "scaled_dot_product_attention"
    require_tensor(name, query=query, key=key, value=value, attn_mask=attn_mask)
    if autocast.targets is not None:
        query, key, value, attn_mask = lowered(query, key, value, attn_mask)
    if not 0.0 <= dropout_p <= 1.0:
        raise ValueError(f"{name}: dropout_p (={dropout_p}) must be in [0, 1]")
    if enable_gqa:
        heads = _group(name, query, key, value)
        if heads is not None:
            return _grouped(heads, query, key, value, attn_mask, dropout_p, is_causal, scale, generator)
    if not dropout_p and not (attn_mask is not None and attn_mask.requires_grad):
        return ScaledDotProductAttention(is_causal, scale)(query, key, value, attn_mask)[0]  # type: ignore[no-any-return]
    arrays = (query.array, key.array, value.array, None if attn_mask is None else attn_mask.array)
    _contract(*arrays, is_causal=is_causal, scale=scale)
    factor = default_scale(query.shape[-1]) if scale is None else scale
    weights = attention_weights(query, key, attn_mask, is_causal, factor)
    return matmul(dropout(weights, dropout_p, generator=generator), value)


def _group(name: str, query: Tensor, key: Tensor, value: Tensor) -> tuple[int, int] | None:
    """The numbers of heads of query and of key and value; None where they are equal."""
    if min(query.ndim, key.ndim, value.ndim) < 3:
        raise ValueError(f"{name}: enable_gqa needs tensors of at least 3 dimensions")
    many, few = query.shape[-3], key.shape[-3]
    if value.shape[-3] != few:
        raise ValueError(f"{name}: key has {few} heads but value has {value.shape[-3]}")
    if not few or many % few:
        raise ValueError(f"{name}: the heads of query (={many}) must be a multiple of the heads of key (={few})")
    return None if many == few else (many, few)


def _grouped(
    heads: tuple[int, int], query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, *rest: Any
) -> Tensor:
    """Heads as (groups, heads of a group): key and value broadcast over the heads of their group, uncopied."""
    many, few = heads

    def split(tensor: Tensor) -> Tensor:
        return reshape(tensor, (*tensor.shape[:-3], few, many // few, *tensor.shape[-2:]))

    if attn_mask is not None and attn_mask.ndim >= 3:
        attn_mask = split(attn_mask) if attn_mask.shape[-3] == many else unsqueeze(attn_mask, -3)
    dropout_p, is_causal, scale, generator = rest
    output = scaled_dot_product_attention(
        split(query), unsqueeze(key, -3), unsqueeze(value, -3), attn_mask, dropout_p, is_causal, scale,
        generator=generator,
    )  # fmt: skip
    return reshape(output, (*output.shape[:-4], many, *output.shape[-2:]))
