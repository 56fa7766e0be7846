"""Optimizers against PyTorch's, step for step, and their state."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, kernels, nn, optim

pytestmark = pytest.mark.usefixtures("reference_device")

_CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "maximize": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    ("RMSprop", {"lr": 0.05}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.8}),
    ("RMSprop", {"lr": 0.05, "centered": True, "maximize": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.5}),
]


@pytest.mark.parametrize(("name", "settings"), _CASES)
def test_steps_are_pytorch_s(name: str, settings: dict[str, Any], rng: np.random.Generator):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    starts = [rng.standard_normal(shape) for shape in ((3, 4), (5,), ())]
    ours = [Tensor(each, requires_grad=True) for each in starts]
    theirs = [torch.tensor(each, requires_grad=True) for each in starts]
    optimizer = getattr(optim, name)(ours, **settings)
    oracle = getattr(torch.optim, name)(theirs, **settings)
    for step in range(6):
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if number == 1 and step % 2 == 0:  # it has no gradient in some steps, and falls behind in its own count
                a.grad = b.grad = None
                continue
            gradient = rng.standard_normal(a.shape)
            a.grad, b.grad = Tensor(gradient), torch.tensor(gradient)
        optimizer.step()
        oracle.step()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


def test_one_kernel_call_for_all_parameters():
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters())
    model(pyneural.ones(2, 4)).sum().backward()
    with kernels.record() as recording:
        optimizer.step()
    assert {name: use.calls for name, use in recording.uses.items()} == {"adam_step": 1}


def test_groups_with_their_own_settings():
    a, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1)
    a.grad = b.grad = Tensor([1.0])
    optimizer.step()
    assert a.item() == 0.5
    assert b.item() == pytest.approx(0.9)
    optimizer.param_groups[1]["lr"] = 0.0
    optimizer.step()
    assert a.item() == 0.0
    assert b.item() == pytest.approx(0.9)
    assert "group 0: 1 parameters, lr=0.5" in repr(optimizer)


def test_added_group_is_trained():
    a, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([a], lr=0.1)
    optimizer.add_param_group({"params": [b], "lr": 1.0})
    b.grad = Tensor([1.0])
    optimizer.step()
    assert (a.item(), b.item()) == (1.0, 0.0)


def test_two_dtypes_in_one_group():
    a = Tensor(np.ones(3), requires_grad=True)
    b = Tensor(np.ones(3, np.float32), requires_grad=True)
    optimizer = optim.AdamW([a, b], lr=0.1)
    a.grad, b.grad = pyneural.ones_like(a), pyneural.ones_like(b)
    optimizer.step()
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6)


def test_a_strided_gradient():
    a = Tensor(np.ones((2, 3)), requires_grad=True)
    a.grad = Tensor(np.arange(6.0).reshape(3, 2)).T
    optim.SGD([a], lr=1.0).step()
    assert a.tolist() == [[1.0, -1.0, -3.0], [0.0, -2.0, -4.0]]


def test_zero_grad_both_ways():
    a = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([a], lr=0.1)
    a.grad = Tensor([3.0])
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.item() == 0.0
    optimizer.zero_grad()
    assert a.grad is None
    optimizer.step()
    assert a.item() == 1.0


def test_closure_gives_the_loss():
    a = Tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([a], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with pyneural.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert a.item() == pytest.approx(1.6)


def test_a_step_invalidates_what_a_graph_saved():
    a = Tensor([2.0], requires_grad=True)
    loss = (a * a).sum()
    a.grad = Tensor([1.0])
    optim.SGD([a], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(("name", "settings"), _CASES)
def test_state_dict_resumes_bit_for_bit(name: str, settings: dict[str, Any], rng: np.random.Generator):
    gradients = rng.standard_normal((8, 5)).astype(np.float32)

    def make() -> tuple[Tensor, optim.Optimizer]:
        parameter = Tensor(np.ones(5, np.float32), requires_grad=True)
        return parameter, getattr(optim, name)([parameter], **settings)

    def run(parameter: Tensor, optimizer: optim.Optimizer, rows: np.ndarray) -> None:
        for row in rows:
            parameter.grad = Tensor(row)
            optimizer.step()

    straight, optimizer = make()
    run(straight, optimizer, gradients)
    first, before = make()
    run(first, before, gradients[:4])
    state = copy.deepcopy(before.state_dict())
    second, after = make()
    second.array[...] = first.array
    after.param_groups[0]["lr"] = 99.0
    after.load_state_dict(state)
    run(second, after, gradients[4:])
    assert np.array_equal(straight.detach().numpy(), second.detach().numpy())


def test_loaded_state_is_a_copy():
    a = Tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([a])
    a.grad = Tensor([1.0])
    optimizer.step()
    twin = optim.Adam([a])
    twin.load_state_dict(optimizer.state_dict())
    assert not np.shares_memory(twin.state[a]["exp_avg"].array, optimizer.state[a]["exp_avg"].array)
    assert twin.state[a]["step"] == 1
