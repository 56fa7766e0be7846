"""Two-dimensional convolution. Forward, dgrad and wgrad are bilinear in each other's operands, so that
three kernels give derivatives of every order."""

from __future__ import annotations

from typing import Any

from pyneural.autocast import lowered
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend, check
from pyneural.tensor import Tensor

from .activation import ReluBackward
from .layout import pad, squeeze, unsqueeze
from .operands import require_tensor

IntPair = int | tuple[int, int]


class _Conv2d(Function):
    def __init__(self, geometry: dict[str, Any]) -> None:
        self.geometry = geometry  # stride, padding, dilation, groups


class Conv2d(_Conv2d):
    def __init__(self, geometry: dict[str, Any], activation: str | None) -> None:
        super().__init__(geometry)
        self.activation = activation

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        self.save(x, weight)
        if self.activation is not None:
            self.save_outputs()
        array = None if bias is None else bias.array
        return kernels.conv2d(x.array, weight.array, array, activation=self.activation, **self.geometry)

    def backward(self, grad: Tensor) -> Any:
        x, weight = self.saved
        if self.activation is not None:
            (y,) = self.saved_outputs
            grad = ReluBackward()(grad, y.detach())
        return (
            Conv2dDgrad(self.geometry, x.shape[2:])(grad, weight) if self.needs[0] else None,
            Conv2dWgrad(self.geometry, weight.shape[2:])(grad, x) if self.needs[1] else None,
            grad.sum(dim=(0, 2, 3)) if self.needs[2] else None,
        )


class Conv2dDgrad(_Conv2d):
    """The gradient by the input, of spatial size ``input_size``."""

    def __init__(self, geometry: dict[str, Any], input_size: tuple[int, ...]) -> None:
        super().__init__(geometry)
        self.input_size = input_size

    def forward(self, kernels: Backend, grad: Tensor, weight: Tensor) -> Any:
        self.save(grad, weight)
        return kernels.conv2d_dgrad(grad.array, weight.array, input_size=self.input_size, **self.geometry)

    def backward(self, cotangent: Tensor) -> Any:
        grad, weight = self.saved
        return (
            Conv2d(self.geometry, None)(cotangent, weight, None) if self.needs[0] else None,
            Conv2dWgrad(self.geometry, weight.shape[2:])(grad, cotangent) if self.needs[1] else None,
        )


class Conv2dWgrad(_Conv2d):
    """The gradient by the weight, of spatial size ``kernel_size``."""

    def __init__(self, geometry: dict[str, Any], kernel_size: tuple[int, ...]) -> None:
        super().__init__(geometry)
        self.kernel_size = kernel_size

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.conv2d_wgrad(grad.array, x.array, kernel_size=self.kernel_size, **self.geometry)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        return (
            Conv2d(self.geometry, None)(x, cotangent, None) if self.needs[0] else None,
            Conv2dDgrad(self.geometry, x.shape[2:])(grad, cotangent) if self.needs[1] else None,
        )


def _padded(
    input: Tensor, weight: Tensor, stride: IntPair, padding: str, dilation: IntPair
) -> tuple[Tensor, tuple[int, int]]:
    """The input and the symmetric padding that "same" or "valid" mean."""
    if padding == "valid":
        return input, (0, 0)
    if padding != "same":
        raise ValueError(f"conv2d: padding (={padding!r}) must be ints, 'same' or 'valid'")
    if check.pair("conv2d", "stride", stride, 1) != (1, 1):
        raise ValueError(f"conv2d: padding='same' needs stride 1, not {stride}")
    dilations = check.pair("conv2d", "dilation", dilation, 1)
    total = [d * (n - 1) for d, n in zip(dilations, weight.shape[2:], strict=True)]
    if any(each % 2 for each in total):  # the odd one goes behind, as in PyTorch
        input = pad(input, (0, total[1] % 2, 0, total[0] % 2))
    return input, (total[0] // 2, total[1] // 2)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntPair = 1,
    padding: IntPair | str = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Cross-correlation of images with filters, with an activation (None or "relu") in the same kernel.

    Shapes: input (N, C, H, W) or (C, H, W), weight (K, C/groups, R, S), bias (K) -> (N, K, P, Q) with
    P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1. ``padding`` may also be "valid" (none)
    or, with stride 1, "same" (P = H).
    """
    require_tensor("conv2d", input=input, weight=weight, bias=bias)
    if autocast.targets is not None:
        input, weight, bias = lowered(input, weight, bias)
    if input.ndim == 3:
        batch = unsqueeze(input, 0)
        image = conv2d(batch, weight, bias, stride, padding, dilation, groups, activation=activation)
        return squeeze(image, 0)
    if isinstance(padding, str):
        input, padding = _padded(input, weight, stride, padding, dilation)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Conv2d(geometry, activation)(input, weight, bias)  # type: ignore[no-any-return]
