"""Convolutions of sequences, images and volumes, and the transposed ones. Forward, dgrad and wgrad are
bilinear in each other's operands, so that three kernels give derivatives of every order."""

from __future__ import annotations

from typing import Any

from pyneural.autocast import lowered
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .activation import ReluBackward
from .layout import pad, squeeze, unsqueeze
from .operands import require_tensor

Ints = int | tuple[int, ...]


class _Convolution(Function):
    """``dims``: 2 or 3, the spatial dimensions; ``geometry``: stride, padding, dilation, groups."""

    def __init__(self, dims: int, geometry: dict[str, Any]) -> None:
        self.dims = dims
        self.geometry = geometry


class Convolution(_Convolution):
    def __init__(self, dims: int, geometry: dict[str, Any], activation: str | None = None) -> None:
        super().__init__(dims, geometry)
        self.activation = activation

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        self.save(x, weight)
        if self.activation is not None:
            self.save_outputs()
        array = None if bias is None else bias.array
        kernel = kernels.conv2d if self.dims == 2 else kernels.conv3d
        return kernel(x.array, weight.array, array, activation=self.activation, **self.geometry)

    def backward(self, grad: Tensor) -> Any:
        x, weight = self.saved
        if self.activation is not None:
            (y,) = self.saved_outputs
            grad = ReluBackward()(grad, y.detach())
        return (
            DataGradient(self.dims, self.geometry, x.shape[2:])(grad, weight) if self.needs[0] else None,
            WeightGradient(self.dims, self.geometry, weight.shape[2:])(grad, x) if self.needs[1] else None,
            grad.sum(dim=(0, *range(2, grad.ndim))) if self.needs[2] else None,
        )


class DataGradient(_Convolution):
    """The gradient by the input, of spatial size ``input_size``: the transposed convolution."""

    def __init__(self, dims: int, geometry: dict[str, Any], input_size: tuple[int, ...]) -> None:
        super().__init__(dims, geometry)
        self.input_size = input_size

    def forward(self, kernels: Backend, grad: Tensor, weight: Tensor) -> Any:
        self.save(grad, weight)
        kernel = kernels.conv2d_dgrad if self.dims == 2 else kernels.conv3d_dgrad
        return kernel(grad.array, weight.array, input_size=self.input_size, **self.geometry)

    def backward(self, cotangent: Tensor) -> Any:
        grad, weight = self.saved
        return (
            Convolution(self.dims, self.geometry)(cotangent, weight, None) if self.needs[0] else None,
            WeightGradient(self.dims, self.geometry, weight.shape[2:])(grad, cotangent) if self.needs[1] else None,
        )


class WeightGradient(_Convolution):
    """The gradient by the weight, of spatial size ``kernel_size``."""

    def __init__(self, dims: int, geometry: dict[str, Any], kernel_size: tuple[int, ...]) -> None:
        super().__init__(dims, geometry)
        self.kernel_size = kernel_size

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        kernel = kernels.conv2d_wgrad if self.dims == 2 else kernels.conv3d_wgrad
        return kernel(grad.array, x.array, kernel_size=self.kernel_size, **self.geometry)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        return (
            Convolution(self.dims, self.geometry)(x, cotangent, None) if self.needs[0] else None,
            DataGradient(self.dims, self.geometry, x.shape[2:])(grad, cotangent) if self.needs[1] else None,
        )


def _check(operation: str, dims: int, input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    require_tensor(operation, input=input, weight=weight, bias=bias)
    if input.ndim not in (dims + 1, dims + 2):
        raise ValueError(
            f"{operation}: input must have {dims + 2} dimensions, or {dims + 1} without a batch, not {input.ndim}"
        )
    if weight.ndim != dims + 2:
        raise ValueError(f"{operation}: weight must have {dims + 2} dimensions, not {weight.ndim}")


def _ints(operation: str, name: str, value: Any, count: int, minimum: int) -> tuple[int, ...]:
    """``value`` (an int, a sequence of one, or of ``count``) as ``count`` ints, each at least ``minimum``."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(values) not in (1, count) or not all(type(each) is int for each in values):
        raise TypeError(f"{operation}: {name} (={value!r}) must be an int or {count} of them")
    if min(values) < minimum:
        raise ValueError(f"{operation}: {name} (={value!r}) must be at least {minimum}")
    return values if len(values) == count else values * count


def _padded(
    operation: str, input: Tensor, kernel_size: tuple[int, ...], stride: Any, padding: str, dilation: Any
) -> tuple[Tensor, tuple[int, ...]]:
    """The input and the symmetric padding that "same" or "valid" mean."""
    dims = len(kernel_size)
    if padding == "valid":
        return input, (0,) * dims
    if padding != "same":
        raise ValueError(f"{operation}: padding (={padding!r}) must be ints, 'same' or 'valid'")
    if max(_ints(operation, "stride", stride, dims, 1)) > 1:
        raise ValueError(f"{operation}: padding='same' needs stride 1, not {stride}")
    dilations = _ints(operation, "dilation", dilation, dims, 1)
    total = [d * (n - 1) for d, n in zip(dilations, kernel_size, strict=True)]
    if any(each % 2 for each in total):  # the odd one goes behind, as in PyTorch
        input = pad(input, tuple(amount for each in reversed(total) for amount in (0, each % 2)))
    return input, tuple(each // 2 for each in total)


def _convolve(
    operation: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    activation: str | None,
) -> Tensor:
    _check(operation, dims, input, weight, bias)
    if autocast.targets is not None:
        input, weight, bias = lowered(input, weight, bias)
    if isinstance(padding, str):
        input, padding = _padded(operation, input, weight.shape[2:], stride, padding, dilation)
    batched = input.ndim == dims + 2
    if not batched:
        input = unsqueeze(input, 0)
    if dims == 1:  # a sequence is an image of one row
        input, weight = unsqueeze(input, 2), unsqueeze(weight, 2)
        stride = (1, *_ints(operation, "stride", stride, 1, 1))
        padding = (0, *_ints(operation, "padding", padding, 1, 0))
        dilation = (1, *_ints(operation, "dilation", dilation, 1, 1))
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    result: Tensor = Convolution(max(dims, 2), geometry, activation)(input, weight, bias)
    if dims == 1:
        result = squeeze(result, 2)
    return result if batched else squeeze(result, 0)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of sequences with filters.

    Shapes: input (N, C, L) or (C, L), weight (K, C/groups, R), bias (K) -> (N, K, P) with
    P = (L + 2 padding - dilation (R - 1) - 1) // stride + 1. ``padding`` may also be "valid" (none)
    or, with stride 1, "same" (P = L).
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups, None)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Cross-correlation of images with filters, with an activation (None or "relu") in the same kernel.

    Shapes: input (N, C, H, W) or (C, H, W), weight (K, C/groups, R, S), bias (K) -> (N, K, P, Q) with
    P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1. ``padding`` may also be "valid" (none)
    or, with stride 1, "same" (P = H).
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups, activation)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints | str = 0,
    dilation: Ints = 1,
    groups: int = 1,
    *,
    activation: str | None = None,
) -> Tensor:
    """Cross-correlation of volumes with filters, with an activation (None or "relu") in the same kernel.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (K, C/groups, T, R, S), bias (K) ->
    (N, K, O, P, Q), each size as of `conv2d`, as is ``padding``.
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups, activation)


def _transposed(
    operation: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    _check(operation, dims, input, weight, bias)
    if autocast.targets is not None:
        input, weight, bias = lowered(input, weight, bias)
    strides, dilations = _ints(operation, "stride", stride, dims, 1), _ints(operation, "dilation", dilation, dims, 1)
    paddings = _ints(operation, "padding", padding, dims, 0)
    extra = _ints(operation, "output_padding", output_padding, dims, 0)
    batched = input.ndim == dims + 2
    sizes, kernel = input.shape[-dims:], weight.shape[2:]
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise ValueError(
            f"{operation}: output_padding (={output_padding}) must be smaller than stride (={stride}) "
            f"or dilation (={dilation})"
        )
    if type(groups) is not int:
        raise TypeError(f"{operation}: groups (={groups!r}) must be an int")
    if groups < 1:
        raise ValueError(f"{operation}: groups (={groups}) must be at least 1")
    channels = input.shape[-dims - 1]
    if channels != weight.shape[0]:
        raise ValueError(f"{operation}: weight takes {weight.shape[0]} channels, input has {channels}")
    outs = weight.shape[1] * groups
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"{operation}: bias must have shape ({outs},), not {tuple(bias.shape)}")
    numbers = zip(sizes, kernel, strides, paddings, dilations, extra, strict=True)
    result_size = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in numbers)
    if min(result_size) < 1:
        raise ValueError(f"{operation}: input of size {tuple(sizes)} gives a result of size {result_size}")
    if any(e >= s for e, s in zip(extra, strides, strict=True)):  # a convolution of the result reaches further
        more = [e // s for e, s in zip(extra, strides, strict=True)]
        input = pad(input, tuple(amount for each in reversed(more) for amount in (0, each)))
    if not batched:
        input = unsqueeze(input, 0)
    geometry = {"stride": strides, "padding": paddings, "dilation": dilations, "groups": groups}
    if dims == 1:  # a sequence is an image of one row
        input, weight, result_size = unsqueeze(input, 2), unsqueeze(weight, 2), (1, *result_size)
        geometry = {
            "stride": (1, *strides),
            "padding": (0, *paddings),
            "dilation": (1, *dilations),
            "groups": groups,
        }
    result: Tensor = DataGradient(max(dims, 2), geometry, result_size)(input, weight)
    if dims == 1:
        result = squeeze(result, 2)
    if bias is not None:
        result = result + bias.reshape(outs, *(1,) * dims)
    return result if batched else squeeze(result, 0)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """`conv_transpose2d` of sequences: input (N, C, L) or (C, L), weight (C, K/groups, R) -> (N, K, P)."""
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """The gradient of `conv2d` by its input as an operation of its own, plus ``bias``: it enlarges images.

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, K/groups, R, S), bias (K) -> (N, K, P, Q) with
    P = (H - 1) stride - 2 padding + dilation (R - 1) + output_padding + 1.
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """`conv_transpose2d` of volumes: input (N, C, D, H, W) or (C, D, H, W), weight (C, K/groups, T, R, S)."""
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)
