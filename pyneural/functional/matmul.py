"""Matrix products and the fully connected layer."""

from __future__ import annotations

import math
from typing import Any

from pyneural.autocast import lowered
from pyneural.autograd.autocast_mode import state as autocast
from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .activation import ReluBackward, SigmoidBackward, TanhBackward, gelu, silu
from .layout import reshape, transpose, unsqueeze
from .operands import require_tensor


class Matmul(Function):
    """Operands of at least 2 dimensions; batch dimensions broadcast."""

    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        if self.needs:
            self.save(a if self.needs[1] else None, b if self.needs[0] else None)
        return kernels.matmul(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        return (
            matmul(grad, transpose(b, -2, -1)) if self.needs[0] else None,
            matmul(transpose(a, -2, -1), grad) if self.needs[1] else None,
        )


class Linear(Function):
    """x W^T + b, with an activation whose derivative its own output gives."""

    def __init__(self, activation: str | None) -> None:
        self.activation = activation

    def forward(self, kernels: Backend, x: Tensor, weight: Tensor, bias: Tensor | None) -> Any:
        self.save(x, weight)
        if self.activation is not None:
            self.save_outputs()
        return kernels.linear(x.array, weight.array, None if bias is None else bias.array, activation=self.activation)

    def backward(self, grad: Tensor) -> Any:
        x, weight = self.saved
        if self.activation is not None:
            (y,) = self.saved_outputs
            grad = _ACTIVATION_BACKWARD[self.activation]()(grad, y)
        by_x = matmul(grad, weight) if self.needs[0] else None
        count = math.prod(x.shape[:-1])
        rows = reshape(grad, (count, weight.shape[0]))
        by_weight = matmul(transpose(rows, 0, 1), reshape(x, (count, weight.shape[1]))) if self.needs[1] else None
        by_bias = rows.sum(dim=0) if self.needs[2] else None
        return by_x, by_weight, by_bias


_ACTIVATION_BACKWARD: dict[str, Any] = {"relu": ReluBackward, "sigmoid": SigmoidBackward, "tanh": TanhBackward}
_FROM_INPUT: dict[str, Any] = {
    "gelu": gelu,
    "gelu_tanh": lambda x: gelu(x, approximate="tanh"),
    "silu": silu,
}


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, with 1-D operands as vectors and leading dimensions as a batch that broadcasts.

    Shapes: (n)@(n) -> (); (m, k)@(k) -> (m); (k)@(k, n) -> (n); (..., m, k)@(..., k, n) -> (..., m, n).
    """
    require_tensor("matmul", input=input, other=other)
    if autocast.targets is not None:
        input, other = lowered(input, other)
    if input.dtype != other.dtype:
        raise TypeError(f"matmul: input has dtype {input.dtype} but other has dtype {other.dtype}")
    if input.ndim >= 2 and other.ndim >= 2:
        return Matmul()(input, other)  # type: ignore[no-any-return]
    if input.ndim == 0 or other.ndim == 0 or input.shape[-1] != other.shape[max(other.ndim - 2, 0)]:
        # The contract words the refusal.
        input.device.kernels.matmul(input.array, other.array)
    a = unsqueeze(input, 0) if input.ndim == 1 else input
    b = unsqueeze(other, 1) if other.ndim == 1 else other
    product = Matmul()(a, b)
    shape = [n for i, n in enumerate(product.shape) if not _is_added(i - product.ndim, input.ndim, other.ndim)]
    return reshape(product, shape)


def _is_added(position: int, input_ndim: int, other_ndim: int) -> bool:
    return (position == -2 and input_ndim == 1) or (position == -1 and other_ndim == 1)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices; no batch, no broadcasting."""
    return _fixed("mm", input, mat2, 2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices (b, m, k) and (b, k, n)."""
    require_tensor("bmm", input=input, mat2=mat2)
    if input.ndim == mat2.ndim == 3 and input.shape[0] != mat2.shape[0]:
        raise ValueError(f"bmm: batches of {input.shape[0]} and {mat2.shape[0]} matrices")
    return _fixed("bmm", input, mat2, 3)


def _fixed(operation: str, input: Tensor, mat2: Tensor, ndim: int) -> Tensor:
    require_tensor(operation, input=input, mat2=mat2)
    for name, each in (("input", input), ("mat2", mat2)):
        if each.ndim != ndim:
            raise ValueError(f"{operation}: {name} must have {ndim} dimensions, not {each.ndim} (shape {each.shape})")
    return matmul(input, mat2)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, activation: str | None = None) -> Tensor:
    """``activation(input @ weight.T + bias)`` in one kernel.

    Shapes: input (..., in_features), weight (out_features, in_features), bias (out_features).
    ``activation``: None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid" or "tanh".
    """
    require_tensor("linear", input=input, weight=weight, bias=bias)
    if autocast.targets is not None:
        input, weight, bias = lowered(input, weight, bias)
    tracked = input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    if activation in _FROM_INPUT and tracked:
        # Its derivative needs the value before the activation, which the fused kernel does not keep.
        return _FROM_INPUT[activation](Linear(None)(input, weight, bias))  # type: ignore[no-any-return]
    return Linear(activation)(input, weight, bias)  # type: ignore[no-any-return]
