"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.functional import empty
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter

ACTIVATIONS = (None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh")


class Linear(Module):
    """``activation(x @ weight.T + bias)`` in one kernel.

    Shapes: input (..., in_features) -> (..., out_features); weight (out_features, in_features).
    Weight and bias start uniform within 1 / sqrt(in_features).

    Args:
        in_features, out_features: at least 1.
        bias: whether there is one.
        activation: None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid" or "tanh", fused.
        device, dtype: of the parameters.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        arguments.size("Linear", in_features=in_features, out_features=out_features)
        arguments.choice("Linear", "activation", activation, ACTIVATIONS)
        self.in_features, self.out_features, self.activation = in_features, out_features, activation
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        init.default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias, activation=self.activation)

    def flops(self, output: Any, *inputs: Any) -> int:
        return int(output.numel()) * (2 * self.in_features + (self.bias is not None))

    def extra_repr(self) -> str:
        parts = [f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"]
        if self.activation is not None:
            parts.append(f"activation={self.activation!r}")
        return ", ".join(parts)
