"""Convolution."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.functional import empty
from pyneural.kernels import check
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter

IntPair = int | tuple[int, int]


class Conv2d(Module):
    """Cross-correlation of images with learned filters.

    Shapes: input (N, in_channels, H, W) -> (N, out_channels, P, Q) with
    P = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1; weight
    (out_channels, in_channels / groups, *kernel_size). Weight and bias start uniform within
    1 / sqrt(in_channels / groups * prod(kernel_size)).

    Args:
        in_channels, out_channels: at least 1, divisible by ``groups``.
        kernel_size, stride, padding, dilation: an int for both dimensions, or a pair.
        groups: each group of input channels meets its own filters.
        bias: whether there is one.
        device, dtype: of the parameters.
        activation: None or "relu", in the same kernel.
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        arguments.size("Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"Conv2d: {name} (={channels}) must be divisible by groups (={groups})")
        arguments.choice("Conv2d", "activation", activation, (None, "relu"))
        self.in_channels, self.out_channels = in_channels, out_channels
        self.groups, self.activation = groups, activation
        self.kernel_size = check.pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = check.pair("Conv2d", "stride", stride, 1)
        self.padding = check.pair("Conv2d", "padding", padding, 0)
        self.dilation = check.pair("Conv2d", "dilation", dilation, 1)
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        init.default_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            activation=self.activation,
        )

    def flops(self, output: Any, *inputs: Any) -> int:
        terms = self.weight.numel() // self.out_channels
        return int(output.numel()) * (2 * terms + (self.bias is not None))

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        defaults = (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1), ("activation", None))
        parts += [f"{name}={getattr(self, name)!r}" for name, usual in defaults if getattr(self, name) != usual]
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)
