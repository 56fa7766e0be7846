"""Functions that `pyneural.compile` makes no plan of: they are called as they are, and the reason is said."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, functional, nn, optim
from pyneural.optim.lr_scheduler import ReduceLROnPlateau
from tests.pyneural.compilation.networks import NETWORKS, STEPS, batches_of, curve, perceptron, training


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def _reads(x: Tensor) -> Tensor:
    return x * 2.0 if x.sum().item() > 0 else x


def _writes(x: Tensor) -> Tensor:
    x[1:] = 7.0
    return x.add_(1.0)


COUNTER = [0.0]


def _counts(x: Tensor) -> Tensor:
    COUNTER[0] += 1.0
    return x * COUNTER[0]


def _steeper(x: Tensor) -> Tensor:
    COUNTER[0] += 1.0
    return functional.leaky_relu(x, COUNTER[0])


def _makes_data(x: Tensor) -> Tensor:
    COUNTER[0] += 1.0
    return x + Tensor(np.full(2, COUNTER[0], np.float32))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_reads, r"it reads a value \(item, "),
        (_writes, "(cast|fill) writes into an argument"),
        (_counts, r"two calls differ in step 1 \((fill|mul)\): .* is .* before, .* now|another array of shape"),
        (_steeper, r"two calls differ in step 1 \(leaky_relu\): negative_slope is .* before, .* now"),
        (_makes_data, r"two calls differ in step 1 \(copy\): is another array of shape \(2,\) each time"),
        (lambda x: COUNTER.append(0.0) or len(COUNTER), "two calls return different things"),
        (lambda x: nn.Linear(2, 1)(x), "it returns a tensor with its graph"),
        (lambda x: (pyneural.manual_seed(1), pyneural.randn(2))[1], "a random generator is seeded"),
    ],
)
def test_what_has_no_plan_is_still_right(function: Callable[[Tensor], Any], why: str) -> None:
    run = pyneural.compile(function)
    for number in range(20):
        x = np.array([number, 1.0], np.float32)
        given = Tensor(x)
        result = run(given)
        if function in (_counts, _makes_data):
            expected = x * np.float32(COUNTER[0]) if function is _counts else x + np.float32(COUNTER[0])
            np.testing.assert_array_equal(result.numpy(), expected)
        elif function is _writes:
            assert result is given
            assert given.tolist() == [number + 1, 8.0]
        elif function is _reads:
            np.testing.assert_array_equal(result.numpy(), x * 2)
    assert run.plans == 0
    assert run.reason
    assert re.search(why, run.reason), run.reason
    assert run.explain().endswith(run.reason)


@pytest.mark.usefixtures("quiet")
def test_arguments_that_no_plan_takes() -> None:
    run = pyneural.compile(lambda x, *rest: x * 2.0)
    assert run(Tensor([1.0], requires_grad=True)).tolist() == [2.0]
    assert run.reason == "an argument of shape (1,) requires a gradient"
    assert run(Tensor([1.0]), {"a": np.zeros(2)}).tolist() == [2.0]
    assert "an argument cannot be part of a signature" in run.reason
    with pyneural.kernels.record():
        assert run(Tensor([1.0])).tolist() == [2.0]
        assert "kernels are being watched" in run.reason
    assert run(Tensor([1.0])).tolist() == [2.0]
    assert run.reason == ""


@pytest.mark.usefixtures("quiet")
def test_steps_that_look_at_values(rng: np.random.Generator) -> None:
    batches = batches_of(NETWORKS["perceptron"][1], rng)
    model = perceptron()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    plateau = ReduceLROnPlateau(optimizer)
    run = pyneural.compile(training(model, optimizer, after=lambda: plateau.step(1.0)))
    curve(run, batches)
    assert "ReduceLROnPlateau.step listens" in run.reason
    assert plateau.last_epoch == STEPS
    run = pyneural.compile(lambda x, y: optimizer.step(lambda: functional.cross_entropy(model(x), y)))
    run(*batches[0])
    assert run.reason == "SGD.step is given a closure"


def test_the_reason_is_a_warning_once() -> None:
    run = pyneural.compile(_reads)
    with pytest.warns(RuntimeWarning, match="compile: _reads has no plan: it reads a value"):
        run(Tensor([1.0, 2.0]))
    run(Tensor([1.0, 2.0]))


def test_only_what_can_be_called() -> None:
    with pytest.raises(TypeError, match="compile: function must be callable, not int"):
        pyneural.compile(3)


@pytest.mark.usefixtures("quiet")
def test_hooks(rng: np.random.Generator) -> None:
    """They are called: without a plan where there are some, and no plan is used once there are."""
    model, seen = nn.Linear(3, 3), []
    run, x = pyneural.compile(model), Tensor(rng.standard_normal((2, 3), np.float32))
    with pyneural.no_grad():
        for _ in range(3):
            run(x)
        handle = model.register_forward_hook(lambda *_: seen.append(1))
        for _ in range(3):
            run(x)
        assert len(seen) == 3
        assert run.reason == "a module or a leaf has hooks"
        handle.remove()
    weight = Tensor([1.0, 2.0], requires_grad=True)
    step = pyneural.compile(lambda x: (x * weight).sum().backward())
    for _ in range(3):
        step(Tensor([3.0, 4.0]))
    weight.register_hook(lambda gradient: seen.append(gradient))
    step(Tensor([3.0, 4.0]))
    assert len(seen) == 4
