"""Pooling."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.kernels import check
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
        self.dilation = check.pair("MaxPool2d", "dilation", dilation, 1)
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
