"""`Tensor` itself: what it says of itself, copies, shapes, comparisons, new tensors."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural import functional as F
from pyneural.autograd import grad


def test_facts(device: str) -> None:
    t = Tensor(np.zeros((2, 3), np.float32), device=device)
    assert t.shape == t.size() == (2, 3)
    assert t.size(-1) == 3
    assert t.ndim == t.dim() == 2
    assert t.numel() == 6
    assert t.element_size() == 4
    assert t.stride() == (3, 1)
    assert t.T.stride(0) == 1
    assert t.is_contiguous()
    assert not t.T.is_contiguous()
    assert t.is_floating_point()
    assert t.is_leaf
    assert t.grad_fn is None
    assert str(t.device) == device
    assert len(t) == 2
    assert hash(t) == hash(t)


def test_repr() -> None:
    assert repr(Tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(Tensor([1, 2])) == "tensor([1, 2])"
    assert repr(Tensor(True)) == "tensor(True)"
    assert "dtype=float64" in repr(Tensor([1.0], dtype="float64"))
    assert "device='reference'" in repr(Tensor([1.0], device="reference"))
    assert "requires_grad=True" in repr(Tensor([1.0], requires_grad=True))
    assert "grad_fn=<Mul>" in repr(Tensor([1.0], requires_grad=True, device="reference") * 2.0)
    assert "dtype=float32" in repr(pyneural.zeros(0, 3))
    assert len(repr(pyneural.zeros(1000, 1000))) < 1000
    assert eval(repr(Tensor([[1.5, -2.0]])), {"tensor": pyneural.tensor}).tolist() == [[1.5, -2.0]]


def test_deepcopy(device: str) -> None:
    t = Tensor([1.0, 2.0], device=device, requires_grad=True)
    (t * 3.0).sum().backward()
    twin = copy.deepcopy(t)
    assert twin.requires_grad
    assert twin.device is t.device
    assert twin.tolist() == t.tolist()
    assert twin.grad.tolist() == [3.0, 3.0]
    assert not np.shares_memory(twin.grad.numpy(), t.grad.numpy())
    with pyneural.no_grad():
        twin.add_(1.0)
    assert t.tolist() == [1.0, 2.0]
    both = copy.deepcopy([t, t])
    assert both[0] is both[1]
    with pytest.raises(RuntimeError, match="deepcopy: only a leaf can be copied"):
        copy.deepcopy(t * 2.0)


def test_detach_shares_memory_outside_the_graph(device: str) -> None:
    x = Tensor([1.0, 2.0], device=device, requires_grad=True)
    d = (x * 2.0).detach()
    assert not d.requires_grad
    assert d.is_leaf
    y = x.detach()
    y[0] = 5.0
    assert x.detach().tolist() == [5.0, 2.0]


def test_requires_grad() -> None:
    t = pyneural.ones(2, device="reference")
    assert t.requires_grad_() is t
    assert t.requires_grad
    with pytest.raises(RuntimeError, match="requires_grad_: only a leaf's requires_grad can be changed"):
        (t * 2.0).requires_grad_(False)
    with pytest.raises(RuntimeError, match="requires_grad_: only floating tensors have gradients, not int64"):
        Tensor([1]).requires_grad_()
    assert not t.requires_grad_(False).requires_grad


def test_views_share_memory_and_copies_do_not(device: str) -> None:
    x = Tensor(np.arange(24.0).reshape(2, 3, 4), device=device)
    views: dict[str, Any] = {
        "reshape": x.reshape(6, 4),
        "view": x.view(-1),
        "flatten": x.flatten(1),
        "permute": x.permute(2, 0, 1),
        "transpose": x.transpose(0, 2),
        "T": x.T,
        "mT": x.mT,
        "unsqueeze": x.unsqueeze(1),
        "squeeze": x[:1].squeeze(0),
        "expand": x.unsqueeze(0).expand(5, 2, 3, 4),
        "narrow": x.narrow(2, 1, 2),
        "split": x.split(2, 2)[1],
        "detach": x.detach(),
        "contiguous": x.contiguous(),
    }
    for name, each in views.items():
        assert np.shares_memory(each.numpy(), x.numpy()), name
    copies = {
        "clone": x.clone(),
        "transposed": x.T.reshape(24),
        "contiguous": x.T.contiguous(),
        "to": x.to(x, copy=True),
    }
    for name, each in copies.items():
        assert not np.shares_memory(each.numpy(), x.numpy()), name
        assert each.is_contiguous(), name


def test_shapes_against_numpy(device: str) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    x = Tensor(array, device=device)
    assert np.array_equal(x.permute(1, 2, 0).numpy(), array.transpose(1, 2, 0))
    assert np.array_equal(x.T.reshape((4, -1)).numpy(), array.T.reshape(4, -1))
    assert np.array_equal(x.expand(3, -1, -1, 4).numpy(), np.broadcast_to(array, (3, 2, 3, 4)))
    assert np.array_equal(x.mT.numpy(), array.transpose(0, 2, 1))
    assert [each.shape for each in x.split([1, 3], 2)] == [(2, 3, 1), (2, 3, 3)]
    assert pyneural.zeros(0, 3, device=device).reshape(3, 0, 5).shape == (3, 0, 5)
    assert Tensor(5.0, device=device).reshape(1, 1).shape == (1, 1)


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons(name: str, device: str, rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 3, (4, 1)), rng.integers(0, 3, (3,))
    x, y = Tensor(a, device=device), Tensor(b, device=device)
    expected = getattr(
        np,
        {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater"}.get(
            name, "greater_equal"
        ),
    )(a, b)
    for result in (getattr(F, name)(x, y), getattr(x, name)(y), getattr(x, f"__{name}__")(y)):
        assert result.dtype == np.bool_
        assert np.array_equal(result.numpy(), expected)
    assert np.array_equal(getattr(x, f"__{name}__")(1).numpy(), getattr(a, f"__{name}__")(1))
    assert np.array_equal((~(x == y)).numpy(), a != b)
    assert F.logical_not(Tensor([0.0, 2.0], device=device)).tolist() == [True, False]


def test_argmax(device: str, rng: np.random.Generator) -> None:
    array = rng.integers(0, 4, (3, 5, 4)).astype(np.float32)
    x = Tensor(array, device=device)
    assert x.argmax().item() == array.argmax()
    for dim in (0, 1, -1):
        assert np.array_equal(x.argmax(dim).numpy(), array.argmax(dim))
        assert np.array_equal(x.argmax(dim, keepdim=True).numpy(), np.expand_dims(array.argmax(dim), dim))
    array[1, 2, 0] = np.nan
    assert Tensor(array, device=device).argmax().item() == array.argmax()


SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (1,),
    (3,),
    (1, 3),
    (2, 1),
    (2, 3),
    (4, 1, 3),
    (4, 2, 1),
    (1, 1, 1),
    (0, 1, 3),
)


@pytest.mark.parametrize("name", ["add", "mul", "div"])
def test_gradients_of_every_pair_of_shapes(name: str, device: str, rng: np.random.Generator) -> None:
    """Broadcasting is undone: each gradient has its operand's shape and the right sums."""
    for a, b in itertools.product(SHAPES, repeat=2):
        try:
            shape = np.broadcast_shapes(a, b)
        except ValueError:
            continue
        x, y = np.asarray(rng.standard_normal(a)), np.asarray(rng.random(b) + 0.5)
        cotangent = np.asarray(rng.standard_normal(shape))
        ours = [Tensor(each, device=device, requires_grad=True) for each in (x, y)]
        found = grad(getattr(F, name)(*ours), ours, Tensor(cotangent, device=device))
        slopes = {
            "add": (np.ones(shape), np.ones(shape)),
            "mul": (np.broadcast_to(y, shape), np.broadcast_to(x, shape)),
            "div": (np.broadcast_to(1 / y, shape), np.broadcast_to(-x / y**2, shape)),
        }[name]
        for operand, slope, result in zip((x, y), slopes, found, strict=True):
            expected = cotangent * slope
            extra = expected.ndim - operand.ndim
            axes = tuple(i for i in range(expected.ndim) if i < extra or operand.shape[i - extra] == 1)
            assert result.shape == operand.shape
            np.testing.assert_allclose(
                result.numpy(), expected.sum(axis=axes).reshape(operand.shape), rtol=1e-12, atol=1e-13
            )


def test_new_tensors(device: str) -> None:
    assert pyneural.zeros(2, 3, device=device).tolist() == [[0.0] * 3] * 2
    assert pyneural.ones((2,), dtype="int32", device=device).dtype == pyneural.int32
    assert pyneural.full((2,), 7, device=device).dtype == pyneural.int64
    assert pyneural.full((), 7.0, device=device).dtype == pyneural.float32
    assert pyneural.arange(5, device=device).tolist() == [0, 1, 2, 3, 4]
    assert pyneural.arange(1, 2, 0.25, device=device).tolist() == [1.0, 1.25, 1.5, 1.75]
    assert pyneural.linspace(0, 1, 5, device=device).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert pyneural.eye(2, 3, device=device).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert pyneural.empty(4, device=device).shape == (4,)
    x = pyneural.ones(2, device=device, dtype="float64", requires_grad=True)
    assert pyneural.zeros_like(x).dtype == pyneural.float64
    assert not pyneural.ones_like(x).requires_grad
    assert x.new_zeros((3,)).dtype == pyneural.float64
    assert str(pyneural.zeros_like(x).device) == device


def test_methods_are_the_functions() -> None:
    for name in ("add", "exp", "clamp", "sum", "matmul", "softmax", "relu", "transpose"):
        assert getattr(Tensor, name) is getattr(F, name)
        assert getattr(Tensor, name).__doc__
