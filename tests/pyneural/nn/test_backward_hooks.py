"""Hooks on the gradients at a module's inputs and outputs, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, nn

pytestmark = pytest.mark.usefixtures("reference_device")


class Two(nn.Module):
    """Two inputs, two outputs, one of each without a gradient."""

    def forward(self, a: Tensor, scale: float, b: Tensor) -> tuple[Tensor, Tensor]:
        return a * b * scale, b.detach()


def test_gradients_are_seen_and_replaced():
    layer = nn.Linear(2, 3)
    seen: list[Any] = []

    def hook(module: nn.Module, grad_input: tuple[Any, ...], grad_output: tuple[Any, ...]) -> Any:
        seen.append((module, [each.tolist() for each in grad_input], [each.tolist() for each in grad_output]))
        return (grad_input[0] * 10.0,)

    handle = layer.register_full_backward_hook(hook)
    x = pyneural.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    plain = layer.weight.detach().numpy().sum(0)
    assert seen[0][0] is layer
    np.testing.assert_allclose(seen[0][1][0][0], plain, rtol=1e-6)
    assert seen[0][2] == [[[1.0, 1.0, 1.0]]]
    np.testing.assert_allclose(x.grad.numpy()[0], 10.0 * plain, rtol=1e-6)
    assert layer.weight.grad.tolist() == [[1.0, 1.0]] * 3
    handle.remove()
    x.grad = None
    layer(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[0], plain, rtol=1e-6)
    assert len(seen) == 1


def test_pre_hook_comes_first_and_changes_all():
    layer = nn.Linear(2, 3)
    order: list[str] = []
    layer.register_full_backward_pre_hook(lambda module, grads: order.append("pre") or (grads[0] * 2.0,))

    def hook(module: nn.Module, grad_input: tuple[Any, ...], grad_output: tuple[Any, ...]) -> None:
        order.append("hook")
        assert grad_output[0].tolist() == [[2.0, 2.0, 2.0]]

    layer.register_full_backward_hook(hook)
    x = pyneural.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert order == ["pre", "hook"]
    assert layer.bias.grad.tolist() == [2.0, 2.0, 2.0]


def test_several_inputs_and_outputs_as_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")

    class TorchTwo(torch.nn.Module):
        def forward(self, a, scale, b):
            return a * b * scale, b.detach()

    seen: dict[str, list[Any]] = {}
    for name, module, make in (
        ("ours", Two(), lambda v: Tensor(v, requires_grad=True)),
        ("theirs", TorchTwo(), lambda v: torch.tensor(v, requires_grad=True)),
    ):
        found = seen.setdefault(name, [])

        def hook(_: Any, grad_input: Any, grad_output: Any, found: list[Any] = found) -> None:
            found += [[None if g is None else g.tolist() for g in grads] for grads in (grad_input, grad_output)]

        module.register_full_backward_hook(hook)
        a, b = make([1.0, 2.0]), make([3.0, 4.0])
        module(a, 5.0, b)[0].sum().backward()
        found.append([a.grad.tolist(), b.grad.tolist()])
    assert seen["ours"] == seen["theirs"]


def test_without_an_input_gradient_the_hook_comes_with_the_output():
    layer = nn.Linear(2, 1)
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda module, grads, outputs: seen.append((grads, outputs[0].tolist())))
    layer(pyneural.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0]])]


def test_nothing_happens_without_gradients():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda *_: pytest.fail("no backward ran"))
    x = pyneural.ones(1, 2)
    with pyneural.no_grad():
        assert layer(x).requires_grad is False
    assert nn.ReLU()(x).requires_grad is False


def test_second_derivatives_pass():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, grads, outputs: (grads[0] * 3.0,))
    x = Tensor([0.5], dtype="float64", requires_grad=True)
    (first,) = pyneural.autograd.grad(layer(x).sum(), x, create_graph=True)
    (second,) = pyneural.autograd.grad(first.sum(), x)
    t = np.tanh(0.5)
    np.testing.assert_allclose(first.detach().numpy(), [3.0 * (1 - t * t)])
    # The second backward passes the input again, and with it the hook.
    np.testing.assert_allclose(second.numpy(), [-18.0 * t * (1 - t * t)])


def test_wrong_number_of_gradients():
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda module, grads, outputs: (grads[0], grads[0]))
    with pytest.raises(RuntimeError, match="ReLU: a full backward hook gave 2 gradients for 1"):
        layer(pyneural.ones(2, requires_grad=True)).sum().backward()


def test_a_gradient_for_an_input_that_has_none():
    layer = nn.Linear(1, 1)
    layer.register_full_backward_hook(lambda module, grads, outputs: outputs)
    with pytest.raises(RuntimeError, match="Linear: a backward hook gave gradients, but no input requires one"):
        layer(pyneural.ones(1, 1)).sum().backward()
