"""Whose memory a gradient is, and what happens when saved tensors change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.autograd import backward, grad, no_grad
from pyneural.functional import exp, linear, relu, sigmoid, softmax


def leaf(value: Any, device: str = "reference") -> Tensor:
    return Tensor(np.asarray(value, np.float64), device=device, requires_grad=True)


def shared(a: Tensor, b: Tensor) -> bool:
    return np.shares_memory(a.detach().numpy(), b.detach().numpy())


# Gradients are nobody else's memory


@pytest.mark.parametrize("shape", [(), (3,), (200, 100)], ids=str)  # small, and from the pool
def test_both_operands_of_a_sum_get_their_own_gradient(device: str, shape: tuple[int, ...]) -> None:
    a, b = leaf(np.ones(shape), device), leaf(np.ones(shape), device)
    (a + b).sum().backward()
    assert not shared(a.grad, b.grad)
    a.grad.mul_(5.0)
    assert (b.grad.numpy() == 1.0).all()


def test_users_cotangent_is_never_kept_nor_changed(device: str, rng: np.random.Generator) -> None:
    x, y = leaf(np.ones((3, 4)), device), leaf(np.ones((3, 4)), device)
    array = rng.standard_normal((3, 4))
    cotangent = Tensor(array, device=device)
    for _ in range(3):  # later calls accumulate in place
        (x + y + x).backward(cotangent)
    assert np.array_equal(cotangent.numpy(), array)
    assert not shared(x.grad, cotangent)
    assert not shared(y.grad, cotangent)
    np.testing.assert_allclose(x.grad.numpy(), 6 * array)
    x.grad = None
    x.backward(cotangent)
    assert not shared(x.grad, cotangent)


def test_a_hooks_gradient_is_not_changed_later(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    kept: list[Tensor] = []
    x.register_hook(kept.append)
    y = x * 1.0
    y.register_hook(kept.append)
    for _ in range(3):
        (y * 2.0 + y).sum().backward(retain_graph=True)
    assert [each.numpy().tolist() for each in kept] == [[3.0, 3.0]] * 6
    assert x.grad.numpy().tolist() == [9.0, 9.0]


def test_the_gradient_a_hook_returns_stays_its_own(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    mine = Tensor(np.array([10.0, 20.0]), device=device)
    x.register_hook(lambda _: mine)
    for _ in range(2):
        (x * 1.0).sum().backward()
    assert mine.numpy().tolist() == [10.0, 20.0]
    assert x.grad.numpy().tolist() == [20.0, 40.0]


def test_results_of_grad_are_apart(device: str) -> None:
    a, b = leaf([1.0, 2.0], device), leaf([3.0, 4.0], device)
    total = a + b
    by_total, by_a, by_b = grad((total + a).sum(), [total, a, b])
    before = [each.numpy().copy() for each in (by_total, by_a, by_b)]
    assert [each.tolist() for each in before] == [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    a.grad = by_a
    (a * 3.0).sum().backward()
    assert np.array_equal(by_total.numpy(), before[0])
    assert np.array_equal(by_b.numpy(), before[2])


def test_a_gradient_is_not_a_view_of_a_broadcast(device: str) -> None:
    x = leaf(np.ones((4, 5)), device)
    x.sum().backward()
    assert x.grad.is_contiguous()
    x.grad.add_(1.0)
    assert (x.grad.numpy() == 2.0).all()


def test_the_gradient_of_a_view_is_apart(device: str) -> None:
    x = leaf(np.arange(6.0).reshape(2, 3), device)
    cotangent = Tensor(np.ones((3, 2)), device=device)
    backward(x.T, cotangent)
    assert not shared(x.grad, cotangent)
    x.grad.add_(1.0)
    assert (cotangent.numpy() == 1.0).all()


def test_gradient_and_data_are_apart(device: str) -> None:
    """The derivative of x * y by x is y itself, unless someone copies."""
    x, y = leaf([1.0, 2.0], device), leaf([3.0, 4.0], device)
    (x * y).sum().backward()
    assert not shared(x.grad, y)
    one = pyneural.ones((), device=device, dtype=np.float64)
    z = leaf(5.0, device)
    (z * y.detach().sum()).backward(one)
    assert one.item() == 1.0


# Saved tensors are watched


@pytest.mark.parametrize(
    ("function", "name"),
    [
        pytest.param(lambda x, w: x * w, "Mul", id="mul"),
        pytest.param(lambda x, w: x @ w, "Matmul", id="matmul"),
        pytest.param(lambda x, w: linear(x, w), "Linear", id="linear"),
        pytest.param(lambda x, w: x / w, "Div", id="div"),
    ],
)
def test_a_saved_operand_changed_in_place(device: str, function: Any, name: str) -> None:
    x, w = leaf(np.ones((2, 2)), device), Tensor(np.full((2, 2), 3.0), device=device)
    y = function(x, w).sum()
    w.add_(1.0)
    with pytest.raises(
        RuntimeError,
        match=rf"{name}: a tensor of shape \(2, 2\) saved for backward was changed in place: "
        "it is at version 1, saved at version 0",
    ):
        y.backward()


@pytest.mark.parametrize(
    "function", [exp, sigmoid, relu, lambda x: softmax(x, -1)], ids=["exp", "sigmoid", "relu", "softmax"]
)
def test_a_saved_result_changed_in_place(device: str, function: Any) -> None:
    x = leaf([1.0, 2.0], device)
    y = function(x)
    with no_grad():
        y.mul_(2.0)
    with pytest.raises(RuntimeError, match=r"a tensor of shape \(2,\) saved for backward was changed in place"):
        y.sum().backward()


def test_a_change_through_a_view_is_noticed(device: str) -> None:
    x, w = leaf(np.ones((2, 3)), device), Tensor(np.full((2, 3), 3.0), device=device)
    changes: list[Any] = [
        lambda t: t[0].zero_(),
        lambda t: t.T.add_(1.0),
        lambda t: t.reshape(6)[2:4].fill_(7.0),
        lambda t: t.detach().mul_(2.0),
        lambda t: t.__setitem__((0, 1), 5.0),
        lambda t: t.__setitem__(t > 100.0, 5.0),
        lambda t: t.unsqueeze(0).copy_(pyneural.zeros(1, 2, 3, device=device)),
    ]
    for version, change in enumerate(changes, 1):
        y = (x * w).sum()
        change(w)
        with pytest.raises(RuntimeError, match=f"at version {version}, saved at version {version - 1}"):
            y.backward()


def test_a_change_of_the_base_is_noticed_by_a_saved_view(device: str) -> None:
    x, w = leaf(np.ones(3), device), Tensor(np.ones((2, 3)), device=device)
    y = (x * w[1]).sum()
    w.add_(1.0)
    with pytest.raises(RuntimeError, match="saved for backward was changed in place"):
        y.backward()


def test_what_is_not_saved_may_change(device: str) -> None:
    """x + w needs neither operand, and x * w only the one that has no gradient of its own."""
    x, w = leaf([1.0, 2.0], device), Tensor(np.ones(2), device=device)
    y = (x + w).sum()
    w.add_(1.0)
    y.backward()
    assert x.grad.numpy().tolist() == [1.0, 1.0]
    z = (x * w).sum()
    with no_grad():
        x.add_(1.0)
    z.backward()
    assert x.grad.numpy().tolist() == [3.0, 3.0]


def test_a_change_before_saving_is_no_error(device: str) -> None:
    w = Tensor(np.ones(2), device=device)
    w.add_(1.0)
    x = leaf([1.0, 2.0], device)
    (x * w).sum().backward()
    assert x.grad.numpy().tolist() == [2.0, 2.0]


def test_training_steps_change_parameters_between_graphs(device: str) -> None:
    w = leaf([1.0, 1.0], device)
    for step in range(3):
        (w * w).sum().backward()
        assert w.grad.numpy().tolist() == [2.0 * 0.5**step] * 2
        with no_grad():
            w -= w.grad * 0.25
        w.grad = None


def test_gradients_with_a_graph_are_apart_too(device: str) -> None:
    a, b = leaf([1.0, 2.0], device), leaf([3.0, 4.0], device)
    (a + b).sum().backward(create_graph=True)
    assert not shared(a.grad, b.grad)
    c = leaf([5.0, 6.0], device)
    (a * c + b * c).sum().backward(create_graph=True)
    assert a.grad is not b.grad
    (a * 2.0).sum().backward()
    assert b.grad.detach().numpy().tolist() == [6.0, 7.0]
    assert a.grad.detach().numpy().tolist() == [8.0, 9.0]
