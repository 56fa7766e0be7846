"""Hooks of leaves whose gradient is whole, and callbacks at the end of a backward."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, autograd
from pyneural.autograd import Function, leaf_hooks, queue_callback

pytestmark = pytest.mark.usefixtures("reference_device")


def _leaf(values: Any) -> Tensor:
    return Tensor(values, dtype=np.float64, requires_grad=True)


def test_a_leaf_that_is_used_often_is_told_once_when_all_is_there() -> None:
    x, seen = _leaf([1.0, 2.0]), []
    x.register_post_accumulate_grad_hook(lambda leaf: seen.append((leaf is x, leaf.grad.tolist())))
    y = x * x + x.exp() * 0.0 + x
    (y * x).sum().backward()
    expected = (3 * np.array([1.0, 4.0]) + 2 * np.array([1.0, 2.0])).tolist()
    assert seen == [(True, expected)]
    x.sum().backward()
    assert len(seen) == 2
    assert seen[1][1] == [each + 1.0 for each in expected]


def test_the_order_is_that_of_backward_and_the_end_comes_last() -> None:
    a, b, c, order = _leaf(2.0), _leaf(3.0), _leaf(5.0), []

    def told(name: str) -> Any:
        def hook(leaf: Tensor) -> None:
            if not order:
                queue_callback(lambda failed: order.append(("end", failed)))
            order.append(name)

        return hook

    for name, leaf in (("a", a), ("b", b), ("c", c)):
        leaf.register_post_accumulate_grad_hook(told(name))
    ((a * 2.0).exp() * b + 0.0 * c).backward()
    assert order[0] in ("b", "c")
    assert order[-2:] == ["a", ("end", False)]
    assert len(order) == 4


class _Stops(Function):
    """Says that its first input has no gradient."""

    def forward(self, kernels: Any, x: Tensor, y: Tensor) -> Any:
        return kernels.add(x.array, y.array)

    def backward(self, grad: Tensor) -> Any:
        return None, grad


def test_a_gradient_that_never_comes_is_not_waited_for() -> None:
    """Once because a backward gives None for the leaf, once for what lies between."""
    x, y, seen = _leaf(2.0), _leaf(3.0), []
    for name, leaf in (("x", x), ("y", y)):
        leaf.register_post_accumulate_grad_hook(lambda leaf, name=name: seen.append((name, leaf.grad.item())))
    (_Stops()(x, y) + x).backward()
    assert sorted(seen) == [("x", 1.0), ("y", 1.0)]
    seen.clear()
    (_Stops()(x * 2.0, y) + x * 3.0).backward()
    assert sorted(seen) == [("x", 4.0), ("y", 2.0)]
    seen.clear()
    _Stops()(x, y).backward()
    assert [name for name, _ in seen] == ["y"]


def test_a_leaf_alone_and_one_that_is_not_reached() -> None:
    x, y, seen = _leaf(2.0), _leaf(3.0), []
    for leaf in (x, y):
        leaf.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf))
    x.backward()
    assert len(seen) == 1
    assert seen[0] is x
    autograd.grad(x * y, [y])
    assert len(seen) == 1
    assert y.grad is None


def test_a_failure_in_backward_ends_what_was_queued() -> None:
    x, ends = _leaf(2.0), []

    def broken(_: Tensor) -> None:
        queue_callback(ends.append)
        raise KeyError("hook")

    handle = x.register_post_accumulate_grad_hook(broken)
    with pytest.raises(KeyError):
        (x * x).backward()
    assert ends == [True]
    with pytest.raises(RuntimeError, match="queue_callback: no backward runs"):
        queue_callback(ends.append)
    handle.remove()
    (x * x).backward()
    assert ends == [True]


def test_a_backward_inside_a_backward_has_an_end_of_its_own() -> None:
    x, y, order = _leaf(2.0), _leaf(3.0), []

    def inner(_: Tensor) -> None:
        queue_callback(lambda failed: order.append("outer"))
        with pyneural.enable_grad():
            (y * y).backward()

    def outer(_: Tensor) -> None:
        queue_callback(lambda failed: order.append("inner"))

    x.register_post_accumulate_grad_hook(inner)
    y.register_post_accumulate_grad_hook(outer)
    (x * x).backward()
    assert order == ["inner", "outer"]
    assert y.grad.item() == 6.0


def test_only_leaves_with_gradients_have_such_hooks_and_a_dead_leaf_has_none() -> None:
    x = _leaf(2.0)
    for other in (x * 2.0, Tensor(1.0)):
        with pytest.raises(RuntimeError, match=r"of shape \(\) is no leaf that requires a gradient"):
            other.register_post_accumulate_grad_hook(print)
    before = len(leaf_hooks._hooks)
    x.register_post_accumulate_grad_hook(print)
    assert len(leaf_hooks._hooks) == before + 1
    del x, other
    gc.collect()
    assert len(leaf_hooks._hooks) == before
