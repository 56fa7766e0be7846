"""Pooling over windows of images."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .layout import squeeze, unsqueeze
from .operands import require_tensor

IntPair = int | tuple[int, int]


class MaxPool2d(Function):
    """The largest of each window, and where it was (which carries no gradient)."""

    differentiable = 1

    def __init__(self, window: dict[str, Any]) -> None:
        self.window = window

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        values, indices = kernels.max_pool2d(x.array, **self.window)
        self.save(Tensor._over(indices, x.device))
        return values, indices

    def backward(self, grad: Tensor, _: Tensor | None) -> Any:
        (indices,) = self.saved
        return MaxPool2dBackward(self.shapes[0][2:])(grad, indices)


class MaxPool2dBackward(Function):
    def __init__(self, input_size: tuple[int, ...]) -> None:
        self.input_size = input_size

    def forward(self, kernels: Backend, grad: Tensor, indices: Tensor) -> Any:
        self.save(indices)
        return kernels.max_pool2d_backward(grad.array, indices.array, input_size=self.input_size)

    def backward(self, cotangent: Tensor) -> Any:
        (indices,) = self.saved
        return MaxPool2dGather()(cotangent, indices), None


class MaxPool2dGather(Function):
    def forward(self, kernels: Backend, x: Tensor, indices: Tensor) -> Any:
        self.save(indices)
        return kernels.max_pool2d_gather(x.array, indices.array)

    def backward(self, cotangent: Tensor) -> Any:
        (indices,) = self.saved
        return MaxPool2dBackward(self.shapes[0][2:])(cotangent, indices), None


class AvgPool2d(Function):
    def __init__(self, window: dict[str, Any]) -> None:
        self.window = window

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.avg_pool2d(x.array, **self.window)

    def backward(self, grad: Tensor) -> Any:
        return AvgPool2dBackward(self.window, self.shapes[0][2:])(grad)


class AvgPool2dBackward(Function):
    def __init__(self, window: dict[str, Any], input_size: tuple[int, ...]) -> None:
        self.window, self.input_size = window, input_size

    def forward(self, kernels: Backend, grad: Tensor) -> Any:
        return kernels.avg_pool2d_backward(grad.array, input_size=self.input_size, **self.window)

    def backward(self, cotangent: Tensor) -> Any:
        return AvgPool2d(self.window)(cotangent)


def max_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of an (N, C, H, W) or (C, H, W) tensor; padding counts as -inf.

    With ``return_indices`` also where each was, as an int64 index into the flattened H x W.
    """
    require_tensor("max_pool2d", input=input)
    window = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    if input.ndim == 3:
        values, indices = (squeeze(each, 0) for each in MaxPool2d(window)(unsqueeze(input, 0)))
    else:
        values, indices = MaxPool2d(window)(input)
    return (values, indices) if return_indices else values


def avg_pool2d(
    input: Tensor,
    kernel_size: IntPair,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of an (N, C, H, W) or (C, H, W) tensor; padding counts as 0, or not at all."""
    require_tensor("avg_pool2d", input=input)
    stride = stride or None if isinstance(stride, tuple) else stride
    window = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
        "divisor_override": divisor_override,
    }
    if input.ndim == 3:
        return squeeze(AvgPool2d(window)(unsqueeze(input, 0)), 0)
    return AvgPool2d(window)(input)  # type: ignore[no-any-return]
