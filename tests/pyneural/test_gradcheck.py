"""The checker is checked: a wrong derivative must be found, and the right one let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.autograd import Function, GradcheckError, gradcheck, gradgradcheck


class Square(Function):
    """x^2 with a derivative that ``spoil`` makes wrong."""

    def __init__(self, spoil: Callable[[Tensor], Tensor]) -> None:
        self.spoil = spoil

    def forward(self, kernels: Any, x: Tensor) -> Any:
        self.save(x)
        return kernels.mul(x.array, x.array)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        return self.spoil(grad * x * 2.0)


def _one_element(gradient: Tensor) -> Tensor:
    factor = np.ones(gradient.shape)
    factor[1, 2] = 1.001
    return gradient * Tensor(factor, device=gradient.device)


def _nan(gradient: Tensor) -> Tensor:
    factor = np.ones(gradient.shape)
    factor[2, 0] = np.nan
    return gradient * Tensor(factor, device=gradient.device)


def _infinite(gradient: Tensor) -> Tensor:
    return gradient * float("inf")


@pytest.fixture
def x(rng: np.random.Generator) -> Tensor:
    """Numbers of at least 1, so that a wrong factor shows at every element."""
    return Tensor(1.0 + rng.random((3, 4)), device="reference", requires_grad=True)


def test_right_derivative_passes(x: Tensor) -> None:
    assert gradcheck(Square(lambda g: g), x)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda g: -g, id="wrong sign"),
        pytest.param(lambda g: g * 0.5, id="missing factor 2"),
        pytest.param(lambda g: g * 0.0, id="zero"),
        pytest.param(lambda g: g + 1e-2, id="a constant added"),
        pytest.param(lambda g: g * 1.002, id="0.2 % too large"),
        pytest.param(_infinite, id="infinite"),
        pytest.param(lambda g: None, id="none at all"),
    ],
)
def test_wrong_derivative_is_found(x: Tensor, spoil: Any, rng: np.random.Generator) -> None:
    before = x.detach().numpy().copy()
    for _ in range(5):  # whatever the random cotangent
        with pytest.raises(GradcheckError, match=r"inputs\[0\] at \(\d, \d\): backward gives"):
            gradcheck(lambda t: Square(spoil)(t), x, rng=rng)
        assert gradcheck(lambda t: Square(spoil)(t), x, raise_exception=False, rng=rng) is False
    assert np.array_equal(x.detach().numpy(), before)
    assert x.grad is None


def test_the_worst_element_is_named(x: Tensor) -> None:
    with pytest.raises(GradcheckError, match=r"inputs\[0\] at \(1, 2\)"):
        gradcheck(lambda t: Square(_one_element)(t), x, rtol=1e-5)
    with pytest.raises(GradcheckError, match=r"inputs\[0\] at \(2, 0\): backward gives nan"):
        gradcheck(lambda t: Square(_nan)(t), x)


def test_the_wrong_input_is_named(x: Tensor, rng: np.random.Generator) -> None:
    other = Tensor(rng.standard_normal((3, 4)), device="reference", requires_grad=True)
    with pytest.raises(GradcheckError, match=r"inputs\[2\] at"):
        gradcheck(lambda a, k, b: a * b.detach() * k, [x, 3.0, other])


def test_a_constant_sum_is_no_excuse(rng: np.random.Generator) -> None:
    """Softmax sums to 1: with a cotangent of ones every derivative of it would pass."""

    class Softmax(Function):
        def forward(self, kernels: Any, x: Tensor) -> Any:
            return kernels.softmax(x.array, dim=0)

        def backward(self, grad: Tensor) -> Any:
            return grad * 0.0

    x = Tensor(rng.standard_normal(5), device="reference", requires_grad=True)
    with pytest.raises(GradcheckError, match=r"inputs\[0\]"):
        gradcheck(lambda t: Softmax()(t), x)


def test_every_output_counts(x: Tensor) -> None:
    with pytest.raises(GradcheckError, match=r"inputs\[0\]"):
        gradcheck(lambda t: (t * t, Square(lambda g: g * 1.5)(t)), x)
    assert gradcheck(lambda t: (t * t, t.sum(), t > 0), x)


def test_wrong_second_derivative_is_found(x: Tensor) -> None:
    def detached(gradient: Tensor) -> Tensor:
        return gradient.detach() if not gradient.requires_grad else gradient * 1.0 + (gradient.detach() - gradient)

    assert gradgradcheck(lambda t: Square(lambda g: g)(t), x)
    assert gradcheck(lambda t: Square(detached)(t), x)
    with pytest.raises(GradcheckError, match=r"inputs\[\d\] at"):
        gradgradcheck(lambda t: Square(detached)(t), x)


def test_scalars_and_empty_tensors() -> None:
    one = Tensor(np.array(1.5), requires_grad=True, device="reference")
    assert gradcheck(lambda t: t * t * t, one)
    with pytest.raises(GradcheckError, match=r"inputs\[0\] at \(\)"):
        gradcheck(lambda t: Square(lambda g: -g)(t), one)
    assert gradcheck(lambda t: t * 2.0, Tensor(np.zeros((0, 3)), requires_grad=True, device="reference"))


def test_wrong_arguments() -> None:
    single = pyneural.ones(2, requires_grad=True, device="reference")
    with pytest.raises(ValueError, match=r"gradcheck: inputs\[1\] has dtype float32; .* need float64"):
        gradcheck(lambda k, x: x * k, [2.0, single])
    with pytest.raises(ValueError, match="gradcheck: no input requires a gradient"):
        gradcheck(lambda x: x * 2.0, single.detach())
