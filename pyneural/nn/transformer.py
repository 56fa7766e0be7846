"""Layers of transformers, and stacks of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pyneural.tensor import Tensor

from . import arguments
from .activation import Dropout
from .attention import MultiheadAttention
from .container import ModuleList
from .layer_norm import LayerNorm
from .linear import Linear
from .module import Module

Activation = str | Callable[[Tensor], Tensor]

ACTIVATIONS = ("relu", "gelu")


class _Layer(Module):
    """The part of both kinds of layer that works on each position by itself.

    ``sublayers`` is how many parts have a normalisation, a dropout and a way around them; one more attention
    than in an encoder makes it a decoder's layer. Parts are registered in PyTorch's order.
    """

    sublayers = 2

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        arguments.size(own, d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward)
        if d_model % nhead:
            raise ValueError(f"{own}: d_model (={d_model}) must be divisible by nhead (={nhead})")
        arguments.number(own, "dropout", dropout, 0.0, 1.0)
        arguments.number(own, "layer_norm_eps", layer_norm_eps, 0.0)
        if not callable(activation):
            arguments.choice(own, "activation", activation, ACTIVATIONS)
        self.norm_first = bool(norm_first)
        self.activation = None if isinstance(activation, str) else activation
        place = {"device": device, "dtype": dtype}
        names = ("self_attn", "multihead_attn")[: self.sublayers - 1]
        for name in names:
            self.add_module(name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place))
        fused = activation if isinstance(activation, str) else None
        self.linear1 = Linear(d_model, dim_feedforward, bias, activation=fused, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **place)
        for number in range(1, self.sublayers + 1):
            self.add_module(f"norm{number}", LayerNorm(d_model, layer_norm_eps, bias=bias, **place))
        for number in range(1, self.sublayers + 1):
            self.add_module(f"dropout{number}", Dropout(dropout))

    def _around(self, number: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """``x`` plus what a part makes of it, normalised before the part or behind the sum."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + dropout(part(norm(x)))  # type: ignore[no-any-return]
        return norm(x + dropout(part(x)))  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.linear1(x)
        if self.activation is not None:
            hidden = self.activation(hidden)
        return self.linear2(self.dropout(hidden))  # type: ignore[no-any-return]


class TransformerEncoderLayer(_Layer):
    """Self-attention and a two-layer network on each position, each with a way around it.

    Source: Vaswani et al. 2017, arXiv:1706.03762; ``norm_first``: Xiong et al. 2020, arXiv:2002.04745.

    Args:
        d_model: length of the features, divisible by ``nhead``.
        nhead: heads of the attention.
        dim_feedforward: width between the two linear layers.
        dropout: in training; of the attention's weights, between the linear layers, and behind each part.
        activation: "relu" or "gelu", in the kernel of the linear layer, or a function.
        layer_norm_eps: of the normalisations.
        batch_first: sequences are (N, L, E) instead of (L, N, E).
        norm_first: normalise before each part instead of behind it.
        bias: whether linear layers and normalisations have one.
        device, dtype: of the parameters.

    Raises:
        ValueError, TypeError: a value out of range; shapes that do not fit.
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The layer's result, of the shape of ``src``; masks as of `MultiheadAttention.forward`."""

        def attend(x: Tensor) -> Tensor:
            masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask, "is_causal": is_causal}
            return self.self_attn(x, x, x, need_weights=False, **masks)[0]  # type: ignore[no-any-return]

        return self._around(2, self._around(1, src, attend), self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """As `TransformerEncoderLayer`, with attention to an encoder's result between the two parts."""

    sublayers = 3

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The layer's result, of the shape of ``tgt``; ``memory`` is what the encoder gave."""

        def attend(x: Tensor) -> Tensor:
            masks = {"attn_mask": tgt_mask, "key_padding_mask": tgt_key_padding_mask, "is_causal": tgt_is_causal}
            return self.self_attn(x, x, x, need_weights=False, **masks)[0]  # type: ignore[no-any-return]

        def look(x: Tensor) -> Tensor:
            masks = {
                "attn_mask": memory_mask,
                "key_padding_mask": memory_key_padding_mask,
                "is_causal": memory_is_causal,
            }
            return self.multihead_attn(x, memory, memory, need_weights=False, **masks)[0]  # type: ignore[no-any-return]

        x = self._around(2, self._around(1, tgt, attend), look)
        return self._around(3, x, self._feed_forward)


class _Stack(Module):
    """Copies of one layer, one after the other, and perhaps a normalisation at the end."""

    def __init__(self, layer: Any, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        own = type(self).__name__
        if not isinstance(layer, Module):
            raise TypeError(f"{own}: the layer must be a Module, not {type(layer).__name__}")
        arguments.size(own, num_layers=num_layers)
        self.layers = ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.add_module("norm", norm)

    def _through(self, x: Tensor, *args: Any, **masks: Any) -> Tensor:
        """Every layer with the same further arguments, which are those of the layer."""
        for layer in self.layers:
            x = layer(x, *args, **masks)
        return x if self.norm is None else self.norm(x)  # type: ignore[no-any-return]


class TransformerEncoder(_Stack):
    """``num_layers`` copies of an encoder layer, which all start from its weights.

    Args:
        encoder_layer: what is copied.
        num_layers: at least 1.
        norm: at the end, for layers with ``norm_first``.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """As `TransformerEncoderLayer.forward`."""
        return self._through(src, mask, src_key_padding_mask, is_causal)


class TransformerDecoder(_Stack):
    """``num_layers`` copies of a decoder layer, which all start from its weights; arguments as above."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(self, tgt: Tensor, memory: Tensor, *args: Any, **masks: Any) -> Tensor:
        """As `TransformerDecoderLayer.forward`."""
        return self._through(tgt, memory, *args, **masks)
