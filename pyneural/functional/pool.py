"""Pooling over windows of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .layout import squeeze, unsqueeze
from .operands import require_tensor

Int = int | tuple[int, ...]
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


class AdaptiveAvgPool2d(Function):
    def __init__(self, output_size: tuple[int, ...]) -> None:
        self.output_size = output_size

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.adaptive_avg_pool2d(x.array, output_size=self.output_size)

    def backward(self, grad: Tensor) -> Any:
        return AdaptiveAvgPool2dBackward(self.shapes[0][2:])(grad)


class AdaptiveAvgPool2dBackward(Function):
    def __init__(self, input_size: tuple[int, ...]) -> None:
        self.input_size = input_size

    def forward(self, kernels: Backend, grad: Tensor) -> Any:
        return kernels.adaptive_avg_pool2d_backward(grad.array, input_size=self.input_size)

    def backward(self, cotangent: Tensor) -> Any:
        return AdaptiveAvgPool2d(self.shapes[0][2:])(cotangent)


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


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None] | None) -> Tensor:
    """The mean of each of ``output_size`` windows that together cover an (N, C, H, W) or (C, H, W) tensor.

    None stands for the input's own size.
    """
    require_tensor("adaptive_avg_pool2d", input=input)
    if isinstance(output_size, Sequence):
        given = tuple(output_size) * 2 if len(output_size) == 1 else tuple(output_size)
    else:
        given = (output_size, output_size)
    if len(given) != 2 or input.ndim not in (3, 4):
        raise ValueError(
            f"adaptive_avg_pool2d: output_size (={output_size}) must be an int or two, "
            f"and the input 3-D or 4-D, not of shape {input.shape}"
        )
    size = tuple(n if each is None else each for each, n in zip(given, input.shape[-2:], strict=True))
    if input.ndim == 3:
        return squeeze(AdaptiveAvgPool2d(size)(unsqueeze(input, 0)), 0)
    return AdaptiveAvgPool2d(size)(input)  # type: ignore[no-any-return]


def max_pool1d(
    input: Tensor,
    kernel_size: Int,
    stride: Int | None = None,
    padding: Int = 0,
    dilation: Int = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of an (N, C, L) or (C, L) tensor; padding counts as -inf.

    With ``return_indices`` also where each was along L, as int64.
    """
    rows = _rows("max_pool1d", input)
    kernel = _one("max_pool1d", "kernel_size", kernel_size)
    values, indices = max_pool2d(
        rows,
        (1, kernel),
        (1, kernel if stride is None or stride == () else _one("max_pool1d", "stride", stride)),
        (0, _one("max_pool1d", "padding", padding)),
        (1, _one("max_pool1d", "dilation", dilation)),
        ceil_mode,
        return_indices=True,
    )
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)


def avg_pool1d(
    input: Tensor,
    kernel_size: Int,
    stride: Int | None = None,
    padding: Int = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of an (N, C, L) or (C, L) tensor; padding counts as 0, or not at all."""
    rows = _rows("avg_pool1d", input)
    kernel = _one("avg_pool1d", "kernel_size", kernel_size)
    step = kernel if stride is None or stride == () else _one("avg_pool1d", "stride", stride)
    pooled = avg_pool2d(
        rows, (1, kernel), (1, step), (0, _one("avg_pool1d", "padding", padding)), ceil_mode, count_include_pad
    )
    return squeeze(pooled, -2)


def _rows(operation: str, input: Tensor) -> Tensor:
    """(N, C, L) or (C, L) as images of one row."""
    require_tensor(operation, input=input)
    if input.ndim not in (2, 3):
        raise ValueError(f"{operation}: input must be (N, C, L) or (C, L), not of shape {input.shape}")
    return unsqueeze(input, -2)


def _one(operation: str, name: str, value: Any) -> int:
    """An int, or the only int of a sequence."""
    found = value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value
    if isinstance(found, bool) or not isinstance(found, int):
        raise TypeError(f"{operation}: {name} (={value!r}) must be an int")
    return found
