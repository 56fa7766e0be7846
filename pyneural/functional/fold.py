"""Windows of images as columns, and back: linear, and each the gradient of the other."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .layout import squeeze, unsqueeze
from .operands import require_tensor

IntPair = int | tuple[int, int]


class Unfold(Function):
    def __init__(self, windows: dict[str, Any]) -> None:
        self.windows = windows

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.unfold(x.array, **self.windows)

    def backward(self, grad: Tensor) -> Any:
        return Fold(self.windows, self.shapes[0][2:])(grad)


class Fold(Function):
    def __init__(self, windows: dict[str, Any], output_size: Any) -> None:
        self.windows, self.output_size = windows, output_size

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.fold(x.array, output_size=self.output_size, **self.windows)

    def backward(self, grad: Tensor) -> Any:
        return Unfold(self.windows)(grad)


def unfold(
    input: Tensor, kernel_size: IntPair, dilation: IntPair = 1, padding: IntPair = 0, stride: IntPair = 1
) -> Tensor:
    """Every window of an image with a zero border as a column ("im2col").

    Shapes: input (N, C, H, W) or (C, H, W) -> (N, C * R * S, P * Q) for a kernel of (R, S) and the
    (P, Q) windows of `conv2d`.
    """
    require_tensor("unfold", input=input)
    windows = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    if input.ndim == 3:
        return squeeze(Unfold(windows)(unsqueeze(input, 0)), 0)
    return Unfold(windows)(input)  # type: ignore[no-any-return]


def fold(
    input: Tensor,
    output_size: IntPair,
    kernel_size: IntPair,
    dilation: IntPair = 1,
    padding: IntPair = 0,
    stride: IntPair = 1,
) -> Tensor:
    """Columns added back to where `unfold` takes them from ("col2im").

    Shapes: input (N, C * R * S, P * Q), or without N -> (N, C, *output_size).
    """
    require_tensor("fold", input=input)
    windows = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    if input.ndim == 2:
        return squeeze(Fold(windows, output_size)(unsqueeze(input, 0)), 0)
    return Fold(windows, output_size)(input)  # type: ignore[no-any-return]
