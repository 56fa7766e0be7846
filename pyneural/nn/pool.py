"""Pooling."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.tensor import Tensor

from . import arguments
from .conv import IntPair
from .module import Module


class MaxPool2d(Module):
    """The largest element of each window of (N, C, H, W) images; padding counts as minus infinity.

    Args:
        kernel_size, stride, padding, dilation: an int for both dimensions, or a pair; the stride is
            the kernel size unless given, the padding at most half of it.
        return_indices: whether forward gives (values, indices into the flattened H x W).
        ceil_mode: whether a last window may reach over the edge.
    """

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = arguments.window("MaxPool2d", kernel_size, stride, padding)
        self.dilation = arguments.ints("MaxPool2d", "dilation", dilation, 2, 1)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return functional.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """The mean of each window of (N, C, H, W) images.

    Args:
        kernel_size, stride, padding: an int for both dimensions, or a pair; the stride is the kernel
            size unless given, the padding at most half of it.
        ceil_mode: whether a last window may reach over the edge.
        count_include_pad: whether padding counts, as zeros.
        divisor_override: what sums are divided by instead of the window's size.
    """

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = arguments.window("AvgPool2d", kernel_size, stride, padding)
        if divisor_override == 0:
            raise ValueError(f"AvgPool2d: divisor_override (={divisor_override}) must not be 0")
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool1d(Module):
    """The largest element of each window of (N, C, L) sequences; arguments as of `MaxPool2d`, in one dimension."""

    def __init__(
        self,
        kernel_size: int,
        stride: int | None = None,
        padding: int = 0,
        dilation: int = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        sizes = arguments.window("MaxPool1d", kernel_size, stride, padding, 1)
        (self.kernel_size,), (self.stride,), (self.padding,) = sizes
        (self.dilation,) = arguments.ints("MaxPool1d", "dilation", dilation, 1, 1)
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return functional.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool1d(Module):
    """The mean of each window of (N, C, L) sequences; arguments as of `AvgPool2d`, in one dimension."""

    def __init__(
        self,
        kernel_size: int,
        stride: int | None = None,
        padding: int = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        sizes = arguments.window("AvgPool1d", kernel_size, stride, padding, 1)
        (self.kernel_size,), (self.stride,), (self.padding,) = sizes
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """The mean of windows that give images of ``output_size``, whatever the size of (N, C, H, W).

    Args:
        output_size: an int for both dimensions, or a pair; None keeps a dimension as it is.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        pair = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        if len(pair) != 2:
            raise TypeError(f"AdaptiveAvgPool2d: output_size (={output_size!r}) must be an int or two ints")
        for each in pair:
            if each is not None:
                arguments.size("AdaptiveAvgPool2d", output_size=each)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"
