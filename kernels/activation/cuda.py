"""Launches of ``csrc/kernels/activation.cu``."""

from __future__ import annotations

from typing import Any

from ..cuda_launch import binary as _binary
from ..cuda_launch import unary as _unary

Array = Any
_SOURCE = "activation"


def gelu(x: Array, *, approximate: str = "none", out: Array) -> None:
    _unary(_SOURCE, "gelu_tanh" if approximate == "tanh" else "gelu", x, out)


def gelu_backward(grad: Array, x: Array, *, approximate: str = "none", out: Array) -> None:
    _binary(_SOURCE, "gelu_tanh_backward" if approximate == "tanh" else "gelu_backward", grad, x, out)


def relu(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "relu", x, out)


def relu_backward(grad: Array, y: Array, *, out: Array) -> None:
    _binary(_SOURCE, "relu_backward", grad, y, out)


def leaky_relu(x: Array, *, negative_slope: float = 0.01, out: Array) -> None:
    _unary(_SOURCE, "leaky_relu", x, out, negative_slope)


def leaky_relu_backward(grad: Array, x: Array, *, negative_slope: float = 0.01, out: Array) -> None:
    _binary(_SOURCE, "leaky_relu_backward", grad, x, out, negative_slope)


def elu(x: Array, *, alpha: float = 1.0, out: Array) -> None:
    _unary(_SOURCE, "elu", x, out, alpha)


def elu_backward(grad: Array, x: Array, *, alpha: float = 1.0, out: Array) -> None:
    _binary(_SOURCE, "elu_backward", grad, x, out, alpha)


def silu(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "silu", x, out)


def silu_backward(grad: Array, x: Array, *, out: Array) -> None:
    _binary(_SOURCE, "silu_backward", grad, x, out)


def sigmoid(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "sigmoid", x, out)


def sigmoid_backward(grad: Array, y: Array, *, out: Array) -> None:
    _binary(_SOURCE, "sigmoid_backward", grad, y, out)


def tanh(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "hyperbolic_tangent", x, out)


def tanh_backward(grad: Array, y: Array, *, out: Array) -> None:
    _binary(_SOURCE, "hyperbolic_tangent_backward", grad, y, out)


def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array) -> None:
    _unary(_SOURCE, "softplus", x, out, beta, threshold)


def softplus_backward(grad: Array, x: Array, *, beta: float = 1.0, threshold: float = 20.0, out: Array) -> None:
    _binary(_SOURCE, "softplus_backward", grad, x, out, beta, threshold)


def selu(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "selu", x, out)


def selu_backward(grad: Array, x: Array, *, out: Array) -> None:
    _binary(_SOURCE, "selu_backward", grad, x, out)


def mish(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "mish", x, out)


def mish_backward(grad: Array, x: Array, *, out: Array) -> None:
    _binary(_SOURCE, "mish_backward", grad, x, out)


def hardswish(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "hardswish", x, out)


def hardswish_backward(grad: Array, x: Array, *, out: Array) -> None:
    _binary(_SOURCE, "hardswish_backward", grad, x, out)


def hardsigmoid(x: Array, *, out: Array) -> None:
    _unary(_SOURCE, "hardsigmoid", x, out)


def hardsigmoid_backward(grad: Array, x: Array, *, out: Array) -> None:
    _binary(_SOURCE, "hardsigmoid_backward", grad, x, out)
