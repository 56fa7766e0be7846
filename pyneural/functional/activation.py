"""Activations. Each backward is a fused kernel, itself differentiable by the formulas written here."""

from __future__ import annotations

import math
from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend
from pyneural.tensor import Tensor

from .elementwise import exp, where
from .operands import require_tensor


class Relu(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.relu(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return ReluBackward()(grad, y.detach())


class ReluBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, y: Tensor) -> Any:
        self.save(y)
        return kernels.relu_backward(grad.array, y.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved
        return ReluBackward()(grad, y), None


class LeakyRelu(Function):
    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.leaky_relu(x.array, negative_slope=self.negative_slope)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return LeakyReluBackward(self.negative_slope)(grad, x.detach())


class LeakyReluBackward(Function):
    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(x)
        return kernels.leaky_relu_backward(grad.array, x.array, negative_slope=self.negative_slope)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return LeakyReluBackward(self.negative_slope)(grad, x), None


class Elu(Function):
    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.elu(x.array, alpha=self.alpha)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return EluBackward(self.alpha)(grad, x)


class EluBackward(Function):
    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.elu_backward(grad.array, x.array, alpha=self.alpha)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = EluBackward(self.alpha)(cotangent, x)
        # The second derivative is alpha * exp(x) below 0 and 0 above.
        second = where(x < 0, exp(where(x < 0, x, 0.0)) * self.alpha, 0.0)
        return by_grad, (cotangent * grad * second if self.needs[1] else None)


class Gelu(Function):
    def __init__(self, approximate: str) -> None:
        self.approximate = approximate

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.gelu(x.array, approximate=self.approximate)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return GeluBackward(self.approximate)(grad, x)


class GeluBackward(Function):
    def __init__(self, approximate: str) -> None:
        self.approximate = approximate

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.gelu_backward(grad.array, x.array, approximate=self.approximate)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = GeluBackward(self.approximate)(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        if self.approximate == "none":
            # x Phi(x) has the second derivative (2 - x^2) phi(x).
            second = (2.0 - x * x) * exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
        else:
            # x (1 + tanh u) / 2 with u = a (x + b x^3).
            a, b = math.sqrt(2.0 / math.pi), 0.044715
            t = tanh((x + x * x * x * b) * a)
            slope, curve = (1.0 + x * x * (3.0 * b)) * a, x * (6.0 * a * b)
            bell = 1.0 - t * t
            second = bell * slope + x * 0.5 * bell * (curve - slope * slope * t * 2.0)
        return by_grad, cotangent * grad * second


class Silu(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.silu(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return SiluBackward()(grad, x)


class SiluBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.silu_backward(grad.array, x.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = SiluBackward()(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        s = sigmoid(x)
        second = s * (1.0 - s) * (2.0 + x * (1.0 - s * 2.0))
        return by_grad, cotangent * grad * second


class Sigmoid(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.sigmoid(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return SigmoidBackward()(grad, y)


class SigmoidBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, y: Tensor) -> Any:
        self.save(grad, y)
        return kernels.sigmoid_backward(grad.array, y.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, y = self.saved
        by_y = cotangent * grad * (1.0 - y * 2.0) if self.needs[1] else None
        return SigmoidBackward()(cotangent, y), by_y


class Tanh(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.tanh(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return TanhBackward()(grad, y)


class TanhBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, y: Tensor) -> Any:
        self.save(grad, y)
        return kernels.tanh_backward(grad.array, y.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, y = self.saved
        by_y = cotangent * grad * y * -2.0 if self.needs[1] else None
        return TanhBackward()(cotangent, y), by_y


class Softplus(Function):
    def __init__(self, beta: float, threshold: float) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.softplus(x.array, beta=self.beta, threshold=self.threshold)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return SoftplusBackward(self.beta, self.threshold)(grad, x)


class SoftplusBackward(Function):
    def __init__(self, beta: float, threshold: float) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.softplus_backward(grad.array, x.array, beta=self.beta, threshold=self.threshold)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = SoftplusBackward(self.beta, self.threshold)(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        s = sigmoid(x * self.beta)
        second = where(x * self.beta > self.threshold, 0.0, s * (1.0 - s) * self.beta)
        return by_grad, cotangent * grad * second


class Selu(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.selu(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return SeluBackward()(grad, x)


class SeluBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.selu_backward(grad.array, x.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = SeluBackward()(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        # The second derivative is scale * alpha * exp(x) below 0 and 0 above.
        second = where(x < 0, exp(where(x < 0, x, 0.0)) * (1.0507009873554805 * 1.6732632423543772), 0.0)
        return by_grad, cotangent * grad * second


class Mish(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.mish(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return MishBackward()(grad, x)


class MishBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.mish_backward(grad.array, x.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = MishBackward()(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        # With s and t the sigmoid and the gate tanh(softplus(x)), whose derivative is s (1 - t^2).
        s, t = sigmoid(x), tanh(softplus(x, threshold=40.0))
        bell = (1.0 - t * t) * s
        second = bell * (2.0 + x * (1.0 - s - s * t * 2.0))
        return by_grad, cotangent * grad * second


class Hardswish(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.hardswish(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return HardswishBackward()(grad, x)


class HardswishBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(grad, x)
        return kernels.hardswish_backward(grad.array, x.array)

    def backward(self, cotangent: Tensor) -> Any:
        grad, x = self.saved
        by_grad = HardswishBackward()(cotangent, x)
        if not self.needs[1]:
            return by_grad, None
        second = where(x > -3.0, where(x < 3.0, 1.0 / 3.0, x * 0.0), x * 0.0)
        return by_grad, cotangent * grad * second


class Hardsigmoid(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.hardsigmoid(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return HardsigmoidBackward()(grad, x.detach())


class HardsigmoidBackward(Function):
    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(x)
        return kernels.hardsigmoid_backward(grad.array, x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return HardsigmoidBackward()(grad, x), None


def relu(input: Tensor) -> Tensor:
    """``max(input, 0)``; its derivative at 0 is 0. NaN stays NaN."""
    require_tensor("relu", input=input)
    return Relu()(input)  # type: ignore[no-any-return]


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """``input`` above 0, ``negative_slope * input`` below (Maas et al. 2013)."""
    require_tensor("leaky_relu", input=input)
    return LeakyRelu(negative_slope)(input)  # type: ignore[no-any-return]


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """``input`` above 0, ``alpha * (exp(input) - 1)`` below (Clevert et al. 2015, arXiv:1511.07289)."""
    require_tensor("elu", input=input)
    return Elu(alpha)(input)  # type: ignore[no-any-return]


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``input * Phi(input)``, or its tanh form (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""
    require_tensor("gelu", input=input)
    return Gelu(approximate)(input)  # type: ignore[no-any-return]


def silu(input: Tensor) -> Tensor:
    """``input * sigmoid(input)`` (Elfwing et al. 2017, arXiv:1702.03118)."""
    require_tensor("silu", input=input)
    return Silu()(input)  # type: ignore[no-any-return]


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-input))``."""
    require_tensor("sigmoid", input=input)
    return Sigmoid()(input)  # type: ignore[no-any-return]


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    require_tensor("tanh", input=input)
    return Tanh()(input)  # type: ignore[no-any-return]


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * input)) / beta``; ``input`` itself where ``beta * input > threshold``."""
    require_tensor("softplus", input=input)
    return Softplus(beta, threshold)(input)  # type: ignore[no-any-return]


def selu(input: Tensor) -> Tensor:
    """``scale * elu(input, alpha)`` with the two constants that keep mean 0 and variance 1.

    Source: Klambauer et al. 2017, arXiv:1706.02515.
    """
    require_tensor("selu", input=input)
    return Selu()(input)  # type: ignore[no-any-return]


def mish(input: Tensor) -> Tensor:
    """``input * tanh(softplus(input))`` (Misra 2019, arXiv:1908.08681)."""
    require_tensor("mish", input=input)
    return Mish()(input)  # type: ignore[no-any-return]


def hardswish(input: Tensor) -> Tensor:
    """``input * clamp(input + 3, 0, 6) / 6`` (Howard et al. 2019, arXiv:1905.02244)."""
    require_tensor("hardswish", input=input)
    return Hardswish()(input)  # type: ignore[no-any-return]


def hardsigmoid(input: Tensor) -> Tensor:
    """``clamp(input + 3, 0, 6) / 6`` (Courbariaux et al. 2015, arXiv:1511.00363)."""
    require_tensor("hardsigmoid", input=input)
    return Hardsigmoid()(input)  # type: ignore[no-any-return]
