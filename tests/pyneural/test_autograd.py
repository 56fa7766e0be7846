"""The walk over the graph: depth, shared results, hooks, retained graphs, higher orders, `grad`."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.autograd import Function, backward, detect_anomaly, enable_grad, grad, is_grad_enabled, no_grad
from pyneural.functional import exp, log, sin, sqrt, where


def leaf(value: Any, device: str = "reference") -> Tensor:
    return Tensor(np.asarray(value, np.float64), device=device, requires_grad=True)


def values(tensor: Tensor | None) -> np.ndarray:
    assert tensor is not None
    return tensor.detach().numpy()


def test_chain_of_100_000(device: str) -> None:
    """Backward, and the destruction of the graph, must not recurse."""
    x = leaf(2.0, device)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    node = weakref.ref(y.grad_fn)
    (y * y).backward()
    assert x.grad.item() == 2 * 100_002.0
    del y
    gc.collect()
    assert node() is None


def test_long_chain_is_destroyed_without_backward(device: str) -> None:
    y = leaf(2.0, device)
    for _ in range(100_000):
        y = -y
    node = weakref.ref(y.grad_fn)
    del y
    gc.collect()
    assert node() is None


def test_graph_is_freed_without_the_garbage_collector(rng: np.random.Generator) -> None:
    """A step must leave no reference cycle, or memory grows until the collector runs."""
    x = leaf(rng.standard_normal((4, 4)))
    gc.collect()
    gc.disable()
    try:
        y = exp(sin(x) @ x).softmax(-1)
        z = sqrt(y * y + 1.0).sum()
        nodes = [weakref.ref(each) for each in (y.grad_fn, z.grad_fn)]
        tensors = [weakref.ref(y), weakref.ref(z)]
        z.backward()
        del y, z
        assert [each() for each in (*nodes, *tensors)] == [None] * 4
    finally:
        gc.enable()


def test_diamond_of_depth_60(device: str) -> None:
    """2**60 paths, one visit a node."""
    x = leaf(1.0, device)
    y = x
    for _ in range(60):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.item() == 1.0
    z = x
    for _ in range(60):
        z = z + z
    (derivative,) = grad(z, x)
    assert derivative.item() == 2.0**60


def test_every_consumer_is_visited_before_its_producer(rng: np.random.Generator) -> None:
    """A result used near and far from the end, in an order that a depth-first walk gets wrong."""
    x = leaf(rng.standard_normal(3))
    a = sin(x)
    b = a * 2.0
    c = exp(b) + a
    d = (c * a).sum() + b.sum()
    d.backward()
    s, k = np.sin(values(x)), np.cos(values(x))
    expected = (np.exp(2 * s) * 2 * s + np.exp(2 * s) + 2 * s + 2) * k
    np.testing.assert_allclose(values(x.grad), expected, rtol=1e-13)


def test_a_tensor_used_1_000_times(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    total = x * 0.0
    for i in range(1000):
        total = total + x * float(i)
    total.sum().backward()
    assert values(x.grad).tolist() == [499_500.0, 499_500.0]


def test_same_tensor_as_both_operands(device: str, rng: np.random.Generator) -> None:
    x = leaf(rng.standard_normal((3, 3)), device)
    (x * x).sum().backward()
    np.testing.assert_allclose(values(x.grad), 2 * values(x))
    x.grad = None
    (x @ x).sum().backward()
    ones = np.ones((3, 3))
    np.testing.assert_allclose(values(x.grad), ones @ values(x).T + values(x).T @ ones, rtol=1e-13)


def test_gradients_accumulate_until_forgotten(device: str) -> None:
    x = leaf([1.0, -2.0], device)
    for count in (1, 2, 3):
        (x * 3.0).sum().backward()
        assert values(x.grad).tolist() == [3.0 * count] * 2
    x.zero_grad()
    assert x.grad is None


def test_several_roots_and_cotangents() -> None:
    x = leaf([1.0, 2.0])
    a, b = x * 2.0, x * x
    backward([a.sum(), b], [None, Tensor(np.array([10.0, 100.0]), device="reference")])
    assert values(x.grad).tolist() == [2 + 20, 2 + 400]


def test_a_leaf_can_be_the_root() -> None:
    x = leaf(3.0)
    x.backward()
    assert x.grad.item() == 1.0
    (found,) = grad(x, x)
    assert found.item() == 1.0


# Hooks


def test_hooks_see_and_replace() -> None:
    x = leaf([1.0, 2.0])
    y = x * 3.0
    seen: list[Any] = []
    y.register_hook(lambda g: seen.append(values(g).copy()))
    y.register_hook(lambda g: g * 10.0)
    removed = y.register_hook(lambda g: g * 1000.0)
    removed.remove()
    removed.remove()
    x.register_hook(lambda g: g + 1.0)
    y.sum().backward()
    assert [each.tolist() for each in seen] == [[1.0, 1.0]]
    assert values(x.grad).tolist() == [31.0, 31.0]


def test_a_hook_sees_the_whole_gradient_once() -> None:
    x = leaf(2.0)
    y = x * 1.0
    seen: list[float] = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3.0 + y * y).backward()
    assert seen == [7.0]


def test_hook_of_another_shape_is_refused() -> None:
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g.sum())
    with pytest.raises(RuntimeError, match=r"hook: gave shape \(\) for a gradient of shape \(2,\)"):
        x.sum().backward()


def test_hook_without_gradient_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"register_hook: a tensor of shape \(3,\) does not require a gradient"):
        pyneural.zeros(3).register_hook(lambda g: g)


def test_retain_grad() -> None:
    x = leaf([1.0, 2.0])
    y = x * x
    y.retain_grad()
    x.retain_grad()
    (y * 3.0).sum().backward()
    assert values(y.grad).tolist() == [3.0, 3.0]
    assert values(x.grad).tolist() == [6.0, 12.0]
    assert x.is_leaf
    assert not y.is_leaf


# Retained graphs and higher orders


def test_second_backward_is_refused() -> None:
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"Mul: backward through the graph a second time.*retain_graph=True"):
        y.backward()
    z = exp(x).sum()
    z.backward()
    with pytest.raises(RuntimeError, match=r"Exp: backward through the graph a second time"):
        z.backward()


def test_second_backward_on_a_retained_graph() -> None:
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert values(x.grad).tolist() == [4.0, 8.0]


def test_nothing_to_differentiate() -> None:
    with pytest.raises(RuntimeError, match=r"backward: a tensor of shape \(\) does not require a gradient"):
        pyneural.ones(()).backward()
    x = leaf([1.0, 2.0])
    with no_grad():
        y = x * 2.0
    with pytest.raises(RuntimeError, match=r"backward: a tensor of shape \(2,\) does not require a gradient"):
        y.backward()


def test_derivatives_to_the_third_order(device: str) -> None:
    x = leaf([0.5, 1.5], device)
    y = (x**4.0 * sin(x)).sum()
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True)
    (third,) = grad(second.sum(), x)
    v = values(x)
    s, c = np.sin(v), np.cos(v)
    np.testing.assert_allclose(values(first), 4 * v**3 * s + v**4 * c, rtol=1e-13)
    np.testing.assert_allclose(values(second), 12 * v**2 * s + 8 * v**3 * c - v**4 * s, rtol=1e-13)
    np.testing.assert_allclose(values(third), 24 * v * s + 36 * v**2 * c - 12 * v**3 * s - v**4 * c, rtol=1e-13)
    assert not third.requires_grad


def test_backward_with_create_graph() -> None:
    x = leaf(3.0)
    (x * x * x).backward(create_graph=True)
    (second,) = grad(x.grad, x)
    assert second.item() == 18.0


def test_gradient_penalty(rng: np.random.Generator) -> None:
    """The derivative of a function of a gradient: what a Wasserstein GAN trains with."""
    w, x = leaf(rng.standard_normal((3, 3))), leaf(rng.standard_normal((2, 3)))
    (by_x,) = grad((x @ w).tanh().sum(), x, create_graph=True)
    penalty = ((sqrt((by_x * by_x).sum(dim=1)) - 1.0) ** 2.0).mean()
    penalty.backward()
    eps, numeric = 1e-6, np.zeros((3, 3))
    for index in np.ndindex(3, 3):
        ends = []
        for sign in (1, -1):
            moved = values(w).copy()
            moved[index] += sign * eps
            slope = (1 - np.tanh(values(x) @ moved) ** 2) @ moved.T
            ends.append(((np.sqrt((slope**2).sum(1)) - 1) ** 2).mean())
        numeric[index] = (ends[0] - ends[1]) / (2 * eps)
    np.testing.assert_allclose(values(w.grad), numeric, atol=1e-8)


# grad


def test_grad_leaves_grad_alone() -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    by_x, by_w = grad((x * w).sum(), [x, w])
    assert values(by_x).tolist() == [3.0, 4.0]
    assert values(by_w).tolist() == [1.0, 2.0]
    assert x.grad is None
    assert w.grad is None


def test_grad_of_intermediate_results() -> None:
    x = leaf([1.0, 2.0])
    y = x * 2.0
    z = y * y
    by_y, by_x, by_z = grad((z * 5.0).sum(), [y, x, z])
    assert values(by_z).tolist() == [5.0, 5.0]
    assert values(by_y).tolist() == [20.0, 40.0]
    assert values(by_x).tolist() == [40.0, 80.0]


def test_grad_of_an_unused_input() -> None:
    x, unused = leaf([1.0, 2.0]), leaf([[5.0]])
    y = (x * 2.0).sum()
    with pytest.raises(RuntimeError, match=r"grad: inputs\[1\] of shape \(1, 1\) is not in the graph.*allow_unused"):
        grad(y, [x, unused], retain_graph=True)
    by_x, nothing = grad(y, [x, unused], allow_unused=True)
    assert values(by_x).tolist() == [2.0, 2.0]
    assert nothing is None


def test_grad_of_an_input_without_gradient() -> None:
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match=r"grad: inputs\[0\] of shape \(2,\) does not require a gradient"):
        grad(x.sum(), pyneural.zeros(2))


def test_grad_skips_what_no_input_needs() -> None:
    """Only the path between outputs and inputs is walked."""
    walked: list[str] = []

    class Noted(Function):
        def forward(self, kernels: Any, x: Tensor) -> Any:
            return kernels.neg(x.array)

        def backward(self, grad: Tensor) -> Any:
            walked.append("noted")
            return -grad

    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = (Noted()(w) * x).sum()
    (by_x,) = grad(y, x)
    assert values(by_x).tolist() == [-3.0, -4.0]
    assert walked == []


@pytest.mark.parametrize(
    ("cotangent", "match"),
    [
        (None, r"the derivative of a tensor of shape \(2, 3\) needs a cotangent"),
        (np.ones((3, 2)), r"cotangent of shape \(3, 2\) on reference for a tensor of shape \(2, 3\)"),
        (np.ones((2, 3), np.float32), r"cotangent of dtype float32 for a tensor of dtype float64"),
    ],
)
def test_wrong_cotangents(cotangent: Any, match: str) -> None:
    x = leaf(np.zeros((2, 3)))
    given = None if cotangent is None else Tensor(cotangent, device="reference")
    with pytest.raises(RuntimeError, match=f"backward: {match}"):
        (x * 2.0).backward(given)


def test_number_of_cotangents() -> None:
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="grad: 2 tensors but 1 cotangents"):
        grad([x * 2.0, x * 3.0], x, [pyneural.ones((), device="reference", dtype=np.float64)])


# Recording or not


def test_grad_mode() -> None:
    x = leaf([1.0])
    with no_grad():
        assert not is_grad_enabled()
        assert not (x * 2.0).requires_grad
        with enable_grad():
            assert (x * 2.0).requires_grad
        with pytest.raises(KeyError):  # noqa: SIM117
            with enable_grad():
                raise KeyError
        assert not is_grad_enabled()
    assert is_grad_enabled()

    @no_grad()
    def frozen(t: Tensor) -> Tensor:
        return t * 2.0

    assert not frozen(x).requires_grad
    assert is_grad_enabled()
    pyneural.set_grad_enabled(True)


def test_grad_mode_belongs_to_the_thread() -> None:
    x = leaf([1.0])
    seen: list[bool] = []
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append((x * 2.0).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    seen.append((x * 2.0).requires_grad)
    done.set()
    thread.join()
    assert seen == [True, False]


def test_threads_walk_their_own_graphs(rng: np.random.Generator) -> None:
    inputs = [rng.standard_normal((8, 8)) for _ in range(4)]
    found: list[Any] = [None] * 4

    def work(number: int) -> None:
        for _ in range(20):
            x = leaf(inputs[number])
            y = x
            for _ in range(20):
                y = sin(y) @ x
            (found[number],) = grad(y.sum(), x)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for number in range(4):
        parallel = values(found[number]).copy()
        work(number)
        assert np.array_equal(parallel, values(found[number]))


# Anomalies


def test_anomaly_names_the_operation() -> None:
    x = leaf([4.0, 0.0])
    with detect_anomaly():
        y = sqrt(x) * x  # at 0: infinity times 0
        with pytest.raises(RuntimeError, match=r"gradient of input 0 of Sqrt has a NaN(.|\n)*test_autograd.py"):
            y.sum().backward()
    y = sqrt(x) * x
    y.sum().backward()
    assert np.isnan(values(x.grad)).any()


def test_anomaly_lets_good_gradients_pass() -> None:
    x = leaf([4.0, 1.0])
    with detect_anomaly():
        (log(x) * where(x > 2.0, x, 1.0)).sum().backward()
    np.testing.assert_allclose(values(x.grad), [np.log(4.0) + 1, 1.0])


# Functions of one's own


def test_a_wrong_number_of_gradients_is_refused() -> None:
    class Bad(Function):
        def forward(self, kernels: Any, a: Tensor, b: Tensor) -> Any:
            return kernels.add(a.array, b.array)

        def backward(self, grad: Tensor) -> Any:
            return grad, grad, grad

    with pytest.raises(RuntimeError, match="Bad: backward gave 3 gradients for 2 inputs"):
        Bad()(leaf([1.0]), leaf([2.0])).sum().backward()


def test_a_gradient_of_a_wrong_shape_is_refused() -> None:
    class Bad(Function):
        def forward(self, kernels: Any, x: Tensor) -> Any:
            return kernels.neg(x.array)

        def backward(self, grad: Tensor) -> Any:
            return grad.reshape((3, 2))

    with pytest.raises(RuntimeError, match=r"Bad: backward gave shape \(3, 2\) for an input of shape \(2, 3\)"):
        Bad()(leaf(np.zeros((2, 3)))).sum().backward()


def test_several_results_of_which_one_is_used(rng: np.random.Generator) -> None:
    class Both(Function):
        def forward(self, kernels: Any, x: Tensor) -> Any:
            return kernels.neg(x.array), kernels.abs(x.array)

        def backward(self, first: Tensor | None, second: Tensor | None) -> Any:
            assert first is None
            return second * 7.0

    x = leaf(rng.standard_normal(4))
    _, second = Both()(x)
    second.sum().backward()
    assert values(x.grad).tolist() == [7.0] * 4
