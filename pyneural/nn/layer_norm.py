"""Normalisation within each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural import functional
from pyneural.functional import empty
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter

Shape = int | Sequence[int]


class LayerNorm(Module):
    """The last dimensions normalised by their own mean and variance, then scaled and shifted.

    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450.

    Args:
        normalized_shape: the lengths of those dimensions, or the length of the last one.
        eps: added to the variance.
        elementwise_affine: whether there are a ``weight`` and a ``bias`` of ``normalized_shape``, 1 and 0 at first.
        bias: whether there is the second of them.
        device, dtype: of the parameters.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: Shape,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = arguments.number("LayerNorm", "eps", eps, 0.0)
        self.elementwise_affine = bool(elementwise_affine)
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            made = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale 1 and shift 0."""
        _identity(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """The last dimensions divided by their root mean square, then scaled.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467.

    Args:
        normalized_shape: the lengths of those dimensions, or the length of the last one.
        eps: added to the mean square; None for the distance from 1 to the next number of the dtype.
        elementwise_affine: whether there is a ``weight`` of ``normalized_shape``, 1 at first.
        device, dtype: of the parameter.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: Shape,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = None if eps is None else arguments.number("RMSNorm", "eps", eps, 0.0)
        self.elementwise_affine = bool(elementwise_affine)
        made = Parameter(empty(self.normalized_shape, dtype=dtype, device=device)) if elementwise_affine else None
        self.register_parameter("weight", made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale 1."""
        _identity(self.weight, None)

    def forward(self, input: Tensor) -> Tensor:
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Groups of neighbouring channels of each (C, ...) sample normalised, then scaled and shifted by channel.

    Source: Wu & He 2018, arXiv:1803.08494.

    Args:
        num_groups: of channels; must divide ``num_channels``.
        num_channels: C.
        eps: added to the variance.
        affine: whether there are a ``weight`` and a ``bias`` of shape (C,), 1 and 0 at first.
        device, dtype: of the parameters.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        arguments.size("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: num_channels (={num_channels}) must be divisible by num_groups (={num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = arguments.number("GroupNorm", "eps", eps, 0.0), bool(affine)
        for name in ("weight", "bias"):
            made = Parameter(empty(num_channels, dtype=dtype, device=device)) if affine else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale 1 and shift 0."""
        _identity(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


def _identity(weight: Parameter | None, bias: Parameter | None) -> None:
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)


def _shape(layer: str, normalized_shape: Any) -> tuple[int, ...]:
    given = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not given:
        raise ValueError(f"{layer}: normalized_shape (={normalized_shape}) names no dimension")
    for each in given:
        arguments.size(layer, normalized_shape=each)
    return tuple(int(each) for each in given)
