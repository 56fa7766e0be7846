"""Elementwise arithmetic, comparisons and selection, with broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyneural.autograd.function import Function
from pyneural.kernels import Backend, dtypes
from pyneural.tensor import Tensor, check_dtype

from .operands import Operand, as_tensor, cast, constant, floating, pair, require_tensor


class Add(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        return kernels.add(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        return grad, grad


class Sub(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        return kernels.sub(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        return grad, (-grad if self.needs[1] else None)


class Mul(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        if self.needs:
            self.save(a if self.needs[1] else None, b if self.needs[0] else None)
        return kernels.mul(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        return (grad * b if self.needs[0] else None), (grad * a if self.needs[1] else None)


class Div(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        if self.needs:
            self.save(a if self.needs[1] else None, b)
        return kernels.div(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        by_b = grad / b
        return (by_b if self.needs[0] else None), (-(by_b * (a / b)) if self.needs[1] else None)


class Pow(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        if self.needs:
            self.save(a, b)
            self.save_outputs()
        return kernels.pow(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        by_a = by_b = None
        if self.needs[0]:
            # An exponent of 0 gives exactly 0, where 0 * a**-1 would be NaN at a = 0.
            slope = where(b == 0, 0.0, b * a ** where(b == 0, 1.0, b - 1.0))
            by_a = grad * slope
        if self.needs[1]:
            (result,) = self.saved_outputs
            # 0**b is flat in b for b >= 0, where 0 * log(0) would be NaN.
            flat = where(b >= 0, a == 0, False)
            by_b = grad * where(flat, 0.0, result * log(where(flat, 1.0, a)))
        return by_a, by_b


class Maximum(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        self.save(a, b)
        return kernels.maximum(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        return _to_the_chosen(grad, a > b, a == b)


class Minimum(Function):
    def forward(self, kernels: Backend, a: Tensor, b: Tensor) -> Any:
        self.save(a, b)
        return kernels.minimum(a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        a, b = self.saved
        return _to_the_chosen(grad, a < b, a == b)


def _to_the_chosen(grad: Tensor, first: Tensor, tie: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient to the operand that was chosen; a tie shares it, as in PyTorch."""
    share = where(tie, 0.5, cast(first, grad.dtype))
    return grad * share, grad * (1.0 - share)


class Neg(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.neg(x.array)

    def backward(self, grad: Tensor) -> Any:
        return -grad


class Abs(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.abs(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return grad * sign(x)


class Sign(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.sign(x.array)

    def backward(self, grad: Tensor) -> Any:
        return grad * 0.0


class Exp(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.exp(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return grad * y


class Log(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.log(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return grad / x


class Log1p(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.log1p(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return grad / (x + 1.0)


class Sqrt(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.sqrt(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return grad / (y * 2.0)


class Rsqrt(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save_outputs()
        return kernels.rsqrt(x.array)

    def backward(self, grad: Tensor) -> Any:
        (y,) = self.saved_outputs
        return grad * (y * y * y) * -0.5


class Sin(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.sin(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return grad * cos(x)


class Cos(Function):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.cos(x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return -(grad * sin(x))


class Clamp(Function):
    def __init__(self, min: float | None, max: float | None) -> None:
        self.min, self.max = min, max

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.clamp(x.array, min=self.min, max=self.max)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return ClampBackward(self.min, self.max)(grad, x)


class ClampBackward(Function):
    def __init__(self, min: float | None, max: float | None) -> None:
        self.min, self.max = min, max

    def forward(self, kernels: Backend, grad: Tensor, x: Tensor) -> Any:
        self.save(x)
        return kernels.clamp_backward(grad.array, x.array, min=self.min, max=self.max)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return ClampBackward(self.min, self.max)(grad, x), None


class Where(Function):
    def forward(self, kernels: Backend, condition: Tensor, a: Tensor, b: Tensor) -> Any:
        self.save(condition)
        return kernels.where(condition.array, a.array, b.array)

    def backward(self, grad: Tensor) -> Any:
        (condition,) = self.saved
        return None, where(condition, grad, 0.0), where(condition, 0.0, grad)


class Cast(Function):
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.source = x.array.dtype
        if not dtypes.is_floating(self.dtype):
            self.differentiable = 0
        return kernels.cast(x.array, dtype=self.dtype)

    def backward(self, grad: Tensor) -> Any:
        return cast(grad, self.source)


def add(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """``input + alpha * other``, broadcast."""
    a, b = pair("add", input, other)
    return Add()(a, b if alpha == 1 else mul(b, alpha))  # type: ignore[no-any-return]


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """``input - alpha * other``, broadcast; TypeError for bool tensors."""
    a, b = pair("sub", input, other)
    return Sub()(a, b if alpha == 1 else mul(b, alpha))  # type: ignore[no-any-return]


def mul(input: Operand, other: Operand) -> Tensor:
    """``input * other``, broadcast."""
    a, b = pair("mul", input, other)
    return Mul()(a, b)  # type: ignore[no-any-return]


def div(input: Operand, other: Operand) -> Tensor:
    """``input / other``, broadcast; integers are divided in the default floating dtype."""
    a, b = pair("div", input, other)
    return Div()(floating(a), floating(b))  # type: ignore[no-any-return]


def pow(input: Operand, exponent: Operand) -> Tensor:
    """``input ** exponent``, broadcast."""
    a, b = pair("pow", input, exponent)
    return Pow()(a, b)  # type: ignore[no-any-return]


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of two tensors, broadcast; NaN if either is NaN. A tie halves the gradient."""
    require_tensor("maximum", input=input, other=other)
    a, b = pair("maximum", input, other)
    return Maximum()(a, b)  # type: ignore[no-any-return]


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of two tensors, broadcast; NaN if either is NaN. A tie halves the gradient."""
    require_tensor("minimum", input=input, other=other)
    a, b = pair("minimum", input, other)
    return Minimum()(a, b)  # type: ignore[no-any-return]


def neg(input: Tensor) -> Tensor:
    """``-input``."""
    require_tensor("neg", input=input)
    return Neg()(input)  # type: ignore[no-any-return]


def abs(input: Tensor) -> Tensor:
    """The absolute value; its derivative at 0 is 0."""
    require_tensor("abs", input=input)
    return Abs()(input)  # type: ignore[no-any-return]


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; its derivative is 0 everywhere."""
    require_tensor("sign", input=input)
    return Sign()(input)  # type: ignore[no-any-return]


def exp(input: Tensor) -> Tensor:
    """The exponential; integers become the default floating dtype."""
    require_tensor("exp", input=input)
    return Exp()(floating(input))  # type: ignore[no-any-return]


def log(input: Tensor) -> Tensor:
    """The natural logarithm: -inf at 0, NaN below."""
    require_tensor("log", input=input)
    return Log()(floating(input))  # type: ignore[no-any-return]


def log1p(input: Tensor) -> Tensor:
    """``log(1 + input)``, accurate near 0: -inf at -1, NaN below."""
    require_tensor("log1p", input=input)
    return Log1p()(floating(input))  # type: ignore[no-any-return]


def sqrt(input: Tensor) -> Tensor:
    """The square root: NaN below 0."""
    require_tensor("sqrt", input=input)
    return Sqrt()(floating(input))  # type: ignore[no-any-return]


def rsqrt(input: Tensor) -> Tensor:
    """The reciprocal of the square root."""
    require_tensor("rsqrt", input=input)
    return Rsqrt()(floating(input))  # type: ignore[no-any-return]


def sin(input: Tensor) -> Tensor:
    """The sine of an angle in radians."""
    require_tensor("sin", input=input)
    return Sin()(floating(input))  # type: ignore[no-any-return]


def cos(input: Tensor) -> Tensor:
    """The cosine of an angle in radians."""
    require_tensor("cos", input=input)
    return Cos()(floating(input))  # type: ignore[no-any-return]


def clamp(input: Tensor, min: float | Tensor | None = None, max: float | Tensor | None = None) -> Tensor:
    """``input`` limited to [min, max], numbers or tensors; the gradient passes where min <= input <= max.

    Where min exceeds max the result is max.
    """
    require_tensor("clamp", input=input)
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        if min is not None:
            input = where(input < min, min, input)
        return input if max is None else where(input > max, max, input)
    if any(isinstance(limit, float) for limit in (min, max)):
        input = floating(input)
    return Clamp(min, max)(input)  # type: ignore[no-any-return]


def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """``input`` where the bool ``condition`` is true, else ``other``; all three broadcast."""
    require_tensor("where", condition=condition)
    if isinstance(input, Tensor) or isinstance(other, Tensor):
        a, b = pair("where", input, other)
    else:
        zero = constant(0, dtypes.bool_, condition.device)
        a, _ = pair("where", input, as_tensor("where", other, zero))
        a, b = pair("where", as_tensor("where", input, zero), as_tensor("where", other, zero))
    return Where()(condition, a, b)  # type: ignore[no-any-return]


def to_dtype(input: Tensor, dtype: Any) -> Tensor:
    """``input`` in another dtype (itself if it has that dtype); floating to floating keeps the graph."""
    require_tensor("to_dtype", input=input)
    return cast(input, check_dtype("to_dtype", dtype))


def _comparison(name: str) -> Any:
    def compare(input: Operand, other: Operand) -> Tensor:
        a, b = pair(name, input, other)
        return Tensor._over(getattr(a.device.kernels, name)(a.array, _same_device(name, a, b).array), a.device)

    compare.__name__ = compare.__qualname__ = name
    return compare


def _same_device(name: str, a: Tensor, b: Tensor) -> Tensor:
    if a.device is not b.device:
        raise ValueError(f"{name}: tensors are on two devices, {a.device} and {b.device}")
    return b


eq = _comparison("eq")
eq.__doc__ = "``input == other`` by element, as bool."
ne = _comparison("ne")
ne.__doc__ = "``input != other`` by element, as bool."
lt = _comparison("lt")
lt.__doc__ = "``input < other`` by element, as bool."
le = _comparison("le")
le.__doc__ = "``input <= other`` by element, as bool."
gt = _comparison("gt")
gt.__doc__ = "``input > other`` by element, as bool."
ge = _comparison("ge")
ge.__doc__ = "``input >= other`` by element, as bool."


def logical_not(input: Tensor) -> Tensor:
    """True where the element is zero or false."""
    require_tensor("logical_not", input=input)
    if input.dtype == dtypes.bool_:
        return Tensor._over(input.device.kernels.logical_not(input.array), input.device)
    return eq(input, 0)  # type: ignore[no-any-return]
