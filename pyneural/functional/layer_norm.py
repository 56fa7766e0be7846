"""Normalisation of each sample by its own statistics: layer, root mean square and group normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyneural.autograd.function import Function
from pyneural.kernels import Backend, dtypes
from pyneural.tensor import Tensor

from .elementwise import rsqrt
from .layout import reshape
from .operands import cast, require_tensor
from .rederive import rederive
from .reduce import mean, sum

Shape = int | Sequence[int]


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.array


def _parameter_gradients(needs: Sequence[bool], *pairs: tuple[Tensor, Tensor | None]) -> tuple[Tensor | None, ...]:
    """The wanted gradients in their parameters' dtypes."""
    return tuple(
        cast(gradient, parameter.dtype) if needed and parameter is not None else None
        for needed, (gradient, parameter) in zip(needs, pairs, strict=True)
    )


def _leading_sum(values: Tensor, count: int) -> Tensor:
    """The sum over all but the last ``count`` dimensions."""
    lead = values.ndim - count
    return sum(values, tuple(range(lead))) if lead else values


class LayerNorm(Function):
    """Also gives the mean and 1 / sqrt(var + eps), without gradient."""

    differentiable = 1

    def __init__(self, shape: tuple[int, ...], eps: float) -> None:
        self.shape, self.eps = shape, eps

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Any:
        y, center, rstd = kernels.layer_norm(
            x.array, _array(weight), _array(bias), normalized_shape=self.shape, eps=self.eps
        )
        self.save(x, weight, bias, Tensor._over(center, x.device), Tensor._over(rstd, x.device))
        return y, center, rstd

    def backward(self, grad: Tensor, *_: Tensor | None) -> Any:
        x, weight, bias, center, rstd = self.saved
        by_x, by_weight, by_bias = LayerNormBackward(len(self.shape), self.eps)(grad, x, weight, center, rstd)
        return (
            by_x if self.needs[0] else None,
            *_parameter_gradients(self.needs[1:], (by_weight, weight), (by_bias, bias)),
        )


class LayerNormBackward(Function):
    """The fused backward; its own derivative is that of the formula."""

    def __init__(self, count: int, eps: float) -> None:
        self.count, self.eps = count, eps

    def forward(
        self, kernels: Backend, grad: Tensor, x: Tensor, weight: Tensor | None, center: Tensor, rstd: Tensor
    ) -> Any:
        self.save(grad, x, weight)
        return kernels.layer_norm_backward(grad.array, x.array, _array(weight), center.array, rstd.array)

    def backward(self, *cotangents: Tensor | None) -> Any:
        return (*rederive(self.formula, self.saved, self.needs[:3], cotangents), None, None)

    def formula(self, grad: Tensor, x: Tensor, weight: Tensor | None) -> tuple[Tensor, ...]:
        """dx = r (g - mean(g) - h mean(g h)), dw = sum(grad h), db = sum(grad); h = (x - mean(x)) r, g = grad w."""
        dims = tuple(range(x.ndim - self.count, x.ndim))
        centred = x - mean(x, dims, keepdim=True)
        r = rsqrt(mean(centred * centred, dims, keepdim=True) + self.eps)
        h = centred * r
        g = grad if weight is None else grad * weight
        inner = g - mean(g, dims, keepdim=True) - h * mean(g * h, dims, keepdim=True)
        return r * inner, _leading_sum(grad * h, self.count), _leading_sum(grad, self.count)


class RMSNorm(Function):
    """Also gives 1 / sqrt(mean(x * x) + eps), without gradient."""

    differentiable = 1

    def __init__(self, shape: tuple[int, ...], eps: float) -> None:
        self.shape, self.eps = shape, eps

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor | None) -> Any:
        y, rstd = kernels.rms_norm(x.array, _array(weight), normalized_shape=self.shape, eps=self.eps)
        self.save(x, weight, Tensor._over(rstd, x.device))
        return y, rstd

    def backward(self, grad: Tensor, _: Tensor | None) -> Any:
        x, weight, rstd = self.saved
        by_x, by_weight = RMSNormBackward(len(self.shape), self.eps)(grad, x, weight, rstd)
        return by_x if self.needs[0] else None, *_parameter_gradients(self.needs[1:], (by_weight, weight))


class RMSNormBackward(Function):
    """The fused backward; its own derivative is that of the formula."""

    def __init__(self, count: int, eps: float) -> None:
        self.count, self.eps = count, eps

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor, weight: Tensor | None, rstd: Tensor) -> Any:
        self.save(grad, x, weight)
        return kernels.rms_norm_backward(grad.array, x.array, _array(weight), rstd.array)

    def backward(self, *cotangents: Tensor | None) -> Any:
        return (*rederive(self.formula, self.saved, self.needs[:3], cotangents), None)

    def formula(self, grad: Tensor, x: Tensor, weight: Tensor | None) -> tuple[Tensor, ...]:
        """dx = r (g - h mean(g h)), dw = sum(grad h); h = x r, g = grad w."""
        dims = tuple(range(x.ndim - self.count, x.ndim))
        r = rsqrt(mean(x * x, dims, keepdim=True) + self.eps)
        h = x * r
        g = grad if weight is None else grad * weight
        return r * (g - h * mean(g * h, dims, keepdim=True)), _leading_sum(grad * h, self.count)


class GroupNorm(Function):
    """Also gives each group's mean and 1 / sqrt(var + eps), without gradient."""

    differentiable = 1

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Any:
        y, center, rstd = kernels.group_norm(
            x.array, _array(weight), _array(bias), num_groups=self.groups, eps=self.eps
        )
        self.save(x, weight, bias, Tensor._over(center, x.device), Tensor._over(rstd, x.device))
        return y, center, rstd

    def backward(self, grad: Tensor, *_: Tensor | None) -> Any:
        x, weight, bias, center, rstd = self.saved
        by_x, by_weight, by_bias = GroupNormBackward(self.groups, self.eps)(grad, x, weight, center, rstd)
        return (
            by_x if self.needs[0] else None,
            *_parameter_gradients(self.needs[1:], (by_weight, weight), (by_bias, bias)),
        )


class GroupNormBackward(Function):
    """The fused backward; its own derivative is that of the formula."""

    def __init__(self, groups: int, eps: float) -> None:
        self.groups, self.eps = groups, eps

    def forward(
        self, kernels: Backend, grad: Tensor, x: Tensor, weight: Tensor | None, center: Tensor, rstd: Tensor
    ) -> Any:
        self.save(grad, x, weight)
        return kernels.group_norm_backward(grad.array, x.array, _array(weight), center.array, rstd.array)

    def backward(self, *cotangents: Tensor | None) -> Any:
        return (*rederive(self.formula, self.saved, self.needs[:3], cotangents), None, None)

    def formula(self, grad: Tensor, x: Tensor, weight: Tensor | None) -> tuple[Tensor, ...]:
        """As `LayerNormBackward.formula`, by groups; the weight by channels."""
        n, c = x.shape[:2]
        by_group = (n, self.groups, c // self.groups, -1) if x.numel() else (n, self.groups, c // self.groups, 0)
        values, cotangent = reshape(x, by_group), reshape(grad, by_group)
        centred = values - mean(values, (2, 3), keepdim=True)
        r = rsqrt(mean(centred * centred, (2, 3), keepdim=True) + self.eps)
        h = centred * r
        g = cotangent if weight is None else cotangent * reshape(weight, (self.groups, -1, 1))
        inner = g - mean(g, (2, 3), keepdim=True) - h * mean(g * h, (2, 3), keepdim=True)
        by_weight, by_bias = sum(cotangent * h, (0, 3)), sum(cotangent, (0, 3))
        return reshape(r * inner, x.shape), reshape(by_weight, (c,)), reshape(by_bias, (c,))


def _shape(operation: str, normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, (int, np.integer)):
        return (int(normalized_shape),)
    if not isinstance(normalized_shape, Sequence):
        raise TypeError(f"{operation}: normalized_shape must be an int or ints, not {type(normalized_shape).__name__}")
    return tuple(int(n) for n in normalized_shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Shape,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The trailing dimensions of ``normalized_shape`` normalised by their own mean and variance, scaled and shifted.

    ``weight`` and ``bias`` have ``normalized_shape``. Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.

    Raises:
        ValueError: the input does not end in ``normalized_shape``, or a parameter has another shape.
    """
    require_tensor("layer_norm", input=input, weight=weight, bias=bias)
    return LayerNorm(_shape("layer_norm", normalized_shape), eps)(input, weight, bias)[0]  # type: ignore[no-any-return]


def rms_norm(input: Tensor, normalized_shape: Shape, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The trailing dimensions of ``normalized_shape`` divided by their root mean square, times ``weight``.

    ``eps=None`` stands for the distance from 1 to the next number of the dtype that is computed in.
    Source: Zhang & Sennrich 2019, arXiv:1910.07467.

    Raises:
        ValueError: the input does not end in ``normalized_shape``, or the weight has another shape.
    """
    require_tensor("rms_norm", input=input, weight=weight)
    shape = _shape("rms_norm", normalized_shape)
    if eps is None:
        eps = dtypes.epsilon(dtypes.accumulator(input.dtype))
    return RMSNorm(shape, eps)(input, weight)[0]  # type: ignore[no-any-return]


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Groups of neighbouring channels of each (C, ...) sample normalised, then scaled and shifted by channel.

    ``weight`` and ``bias`` have shape (C,). Source: Wu & He 2018, arXiv:1803.08494.

    Raises:
        ValueError: ``num_groups`` does not divide C, or a parameter has another shape.
    """
    require_tensor("group_norm", input=input, weight=weight, bias=bias)
    return GroupNorm(num_groups, eps)(input, weight, bias)[0]  # type: ignore[no-any-return]
