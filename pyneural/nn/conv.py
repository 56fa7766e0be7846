"""Convolutions in one, two and three dimensions, and the transposed one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pyneural import functional
from pyneural.functional import empty
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter

IntPair = int | tuple[int, int]
IntTriple = int | tuple[int, int, int]


class _Conv(Module):
    """What convolutions share: sizes, groups, parameters, and how they read."""

    dimensions = 0
    transposed = False

    weight: Parameter
    bias: Parameter | None

    def _build(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        own = type(self).__name__
        arguments.size(own, in_channels=in_channels, out_channels=out_channels, groups=groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{own}: {name} (={channels}) must be divisible by groups (={groups})")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        count = self.dimensions
        self.kernel_size = arguments.ints(own, "kernel_size", kernel_size, count, 1)
        self.stride = arguments.ints(own, "stride", stride, count, 1)
        self.dilation = arguments.ints(own, "dilation", dilation, count, 1)
        if isinstance(padding, str) and not self.transposed:
            arguments.choice(own, "padding", padding, ("same", "valid"))
            if padding == "same" and max(self.stride) > 1:
                raise ValueError(f"{own}: padding='same' needs stride 1, not {stride}")
            self.padding: Any = padding
        else:
            self.padding = arguments.ints(own, "padding", padding, count, 0)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_channels, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew from the default generator."""
        init.default_(self.weight, self.bias)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        zero, one = (0,) * self.dimensions, (1,) * self.dimensions
        defaults = (
            ("padding", zero),
            ("output_padding", zero),
            ("dilation", one),
            ("groups", 1),
            ("activation", None),
        )
        for name, usual in defaults:
            value = getattr(self, name, usual)
            if value != usual:
                parts.append(f"{name}={value!r}")
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


class _Correlation(_Conv):
    """A convolution that is not transposed."""

    def forward(self, input: Tensor) -> Tensor:
        function: Callable[..., Tensor] = getattr(functional, f"conv{self.dimensions}d")
        return function(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def flops(self, output: Any, *inputs: Any) -> int:
        terms = self.weight.numel() // self.out_channels
        return int(output.numel()) * (2 * terms + (self.bias is not None))


class Conv1d(_Correlation):
    """`Conv2d` for sequences: (N, in_channels, L) -> (N, out_channels, P), or without N."""

    dimensions = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] | str = 0,
        dilation: int | tuple[int] = 1,
        groups: int = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)


class Conv2d(_Correlation):
    """Cross-correlation of images with learned filters.

    Shapes: input (N, in_channels, H, W) -> (N, out_channels, P, Q) with
    P = (H + 2 padding - dilation (kernel - 1) - 1) // stride + 1; weight
    (out_channels, in_channels / groups, *kernel_size). Weight and bias start uniform within
    1 / sqrt(in_channels / groups * prod(kernel_size)).

    Args:
        in_channels, out_channels: at least 1, divisible by ``groups``.
        kernel_size, stride, padding, dilation: an int for both dimensions, or a pair; ``padding`` also
            "valid" (none) or, with stride 1, "same" (P = H).
        groups: each group of input channels meets its own filters.
        bias: whether there is one.
        device, dtype: of the parameters.
        activation: None or "relu", in the same kernel.

    Raises:
        ValueError, TypeError: a value out of range.
    """

    dimensions = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair | str = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        arguments.choice("Conv2d", "activation", activation, (None, "relu"))
        self.activation = activation
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv2d(
            input,
            self.weight,
            self.bias,
            self.stride,  # type: ignore[arg-type]
            self.padding,
            self.dilation,  # type: ignore[arg-type]
            self.groups,
            activation=self.activation,
        )


class Conv3d(_Correlation):
    """`Conv2d` for volumes: (N, in_channels, D, H, W) -> (N, out_channels, O, P, Q), or without N."""

    dimensions = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntTriple,
        stride: IntTriple = 1,
        padding: IntTriple | str = 0,
        dilation: IntTriple = 1,
        groups: int = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)


class ConvTranspose2d(_Conv):
    """The gradient of a `Conv2d` by its input as a layer of its own: it enlarges images.

    Shapes: input (N, in_channels, H, W) -> (N, out_channels, P, Q) with
    P = (H - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1; weight
    (in_channels, out_channels / groups, *kernel_size).

    Args:
        in_channels, out_channels: at least 1, divisible by ``groups``.
        kernel_size, stride, padding, dilation: an int for both dimensions, or a pair.
        output_padding: more rows and columns at one end, fewer than the stride or the dilation.
        groups: each group of input channels meets its own filters.
        bias: whether there is one.
        device, dtype: of the parameters.

    Raises:
        ValueError, TypeError: a value out of range.
    """

    dimensions = 2
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair = 0,
        output_padding: IntPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntPair = 1,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._build(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device, dtype)
        self.output_padding = arguments.ints("ConvTranspose2d", "output_padding", output_padding, 2, 0)
        for more, *others in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if more >= max(others):
                raise ValueError(
                    f"ConvTranspose2d: output_padding (={output_padding}) must be smaller than stride (={stride}) "
                    f"or dilation (={dilation})"
                )

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def flops(self, output: Any, *inputs: Any) -> int:
        terms = math.prod(self.weight.shape[1:])
        return int(inputs[0].numel()) * 2 * terms + (int(output.numel()) if self.bias is not None else 0)
