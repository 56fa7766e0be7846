"""In-place operators: values, dtypes, the graph through them, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.autograd import no_grad


def leaf(value: Any, device: str = "reference") -> Tensor:
    return Tensor(np.asarray(value, np.float64), device=device, requires_grad=True)


CASES: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], Any]]] = {
    "add_": (lambda t: t.add_(2.5), lambda a: a + 2.5),
    "add_ alpha": (lambda t: t.add_(2.5, alpha=2), lambda a: a + 5.0),
    "sub_": (lambda t: t.sub_(2.5), lambda a: a - 2.5),
    "mul_": (lambda t: t.mul_(-3.0), lambda a: a * -3.0),
    "div_": (lambda t: t.div_(4.0), lambda a: a / 4.0),
    "pow_": (lambda t: t.pow_(2.0), lambda a: a**2),
    "neg_": (lambda t: t.neg_(), lambda a: -a),
    "exp_": (lambda t: t.exp_(), np.exp),
    "log_": (lambda t: t.log_(), np.log),
    "sqrt_": (lambda t: t.sqrt_(), np.sqrt),
    "clamp_": (lambda t: t.clamp_(0.7, 1.2), lambda a: np.clip(a, 0.7, 1.2)),
    "fill_": (lambda t: t.fill_(7.0), lambda a: np.full_like(a, 7.0)),
    "zero_": (lambda t: t.zero_(), np.zeros_like),
    "copy_": (lambda t: t.copy_(pyneural.ones(4, device=t.device)), np.ones_like),
}


@pytest.mark.parametrize("name", CASES)
def test_values_memory_and_version(name: str, device: str, rng: np.random.Generator) -> None:
    change, expected = CASES[name]
    array = rng.random((3, 4)) + 0.5
    for given in (Tensor(array, device=device), Tensor(array.T, device=device).T):
        memory, version = given.array, given._version[0]
        assert change(given) is given
        assert given.array is memory
        assert given._version[0] == version + 1
        np.testing.assert_allclose(given.numpy(), expected(array), rtol=1e-14)


def test_operators(device: str) -> None:
    t = Tensor([2.0, 4.0], device=device)
    same = t
    t += 1.0
    t *= Tensor([2.0, 3.0], device=device)
    t -= 1
    t /= 2
    t **= 2
    assert t is same
    np.testing.assert_allclose(t.numpy(), [6.25, 49.0])


def test_a_view_changes_its_base(device: str) -> None:
    t = pyneural.zeros(3, 4, device=device)
    t[1] += 2.0
    t.T[3].fill_(5.0)
    t.reshape(12)[0].sub_(1.0)
    assert t.numpy().tolist() == [[-1, 0, 0, 5], [2, 2, 2, 5], [0, 0, 0, 5]]


def test_overlapping_operands(device: str) -> None:
    """The old values are read before the new ones are written."""
    array = np.arange(6.0)
    t = Tensor(array, device=device)
    t.add_(Tensor(array[::-1].copy(), device=device))
    assert t.numpy().tolist() == [5.0] * 6
    s = Tensor(array, device=device)
    s[1:].add_(s[:-1])
    assert s.numpy().tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 9.0]
    square = Tensor(array[:4].reshape(2, 2), device=device)
    square += square.T
    assert square.numpy().tolist() == [[0.0, 3.0], [3.0, 6.0]]


def test_the_dtype_stays(device: str) -> None:
    small = Tensor([1.0, 2.0], device=device, dtype=np.float16)
    small += Tensor([0.5, 0.5], device=device, dtype=np.float64)
    assert small.dtype == np.float16
    assert small.numpy().tolist() == [1.5, 2.5]
    whole = Tensor([1, 2], device=device, dtype=np.int32)
    whole += 3
    assert whole.dtype == np.int32
    with pytest.raises(TypeError, match=r"mul_: a result of dtype float32 does not fit into a tensor of dtype int32"):
        whole *= 1.5
    with pytest.raises(TypeError, match=r"div_: a result of dtype float32 does not fit into a tensor of dtype int32"):
        whole /= 2
    assert whole.numpy().tolist() == [4, 5]


# The graph goes through


def test_gradient_through_changes(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    y = x * 3.0
    y += x
    y *= 2.0
    y.add_(1.0, alpha=2)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * (8 * np.array([1.0, 2.0]) + 2) * 8)


def test_gradient_through_exp_in_place(device: str) -> None:
    x = leaf([1.5, 2.0], device)
    y = x * 1.0
    y.exp_()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.5, 2.0]))


def test_a_constant_becomes_part_of_the_graph(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    total = pyneural.zeros(2, device=device, dtype=np.float64)
    for factor in (1.0, 2.0, 3.0):
        total += x * factor
    assert total.requires_grad
    total.sum().backward()
    assert x.grad.numpy().tolist() == [6.0, 6.0]


def test_a_leaf_is_refused(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    for change in (lambda: x.add_(1.0), lambda: x.zero_(), lambda: x.fill_(3.0), lambda: x.__setitem__(0, 1.0)):
        with pytest.raises(RuntimeError, match=r"the tensor of shape \(2,\) is a leaf that requires a gradient"):
            change()
    assert x.detach().numpy().tolist() == [1.0, 2.0]
    with no_grad():
        x.add_(1.0)
    assert x.detach().numpy().tolist() == [2.0, 3.0]
    assert x.is_leaf
    assert x.requires_grad


def test_a_view_inside_a_graph_is_refused(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    y = x * 1.0
    with pytest.raises(RuntimeError, match=r"add_: a view of shape \(1,\) cannot be changed inside a recorded graph"):
        y[:1].add_(1.0)
    assert y.detach().numpy().tolist() == [1.0, 2.0]
    base = pyneural.zeros(3, device=device, dtype=np.float64)
    with pytest.raises(RuntimeError, match="add_: a view of shape"):
        base[1:].add_(x)


def test_a_view_taken_before_a_recorded_change_is_refused(device: str) -> None:
    """The view's memory has a new history that the view does not know: its gradient would be wrong."""
    x = leaf([1.0, 2.0], device)
    y = x * 3.0
    view, later = y[:1], (y[:1] * 1.0).sum()
    y *= 2.0
    with pytest.raises(RuntimeError, match=r"Sum: a view of shape \(1,\) was taken before its base was changed"):
        view.sum()
    with no_grad():
        assert view.sum().item() == 6.0
    (y[:1].sum() + later).backward()
    assert x.grad.numpy().tolist() == [9.0, 0.0]


def test_a_view_of_what_becomes_part_of_a_graph_is_refused(device: str) -> None:
    x, total = leaf([1.0, 2.0], device), pyneural.zeros(2, device=device, dtype=np.float64)
    view, apart = total.reshape(1, 2)[0], total.detach()
    total += x
    assert apart.numpy().tolist() == [1.0, 2.0]
    assert not (apart * 2.0).requires_grad
    with pytest.raises(RuntimeError, match=r"Mul: a view of shape \(2,\) was taken before its base was changed"):
        view * 2.0


def test_views_survive_unrecorded_changes(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    view = x[:1]
    with no_grad():
        x.add_(1.0)
    (view * 3.0).sum().backward()
    assert x.grad.numpy().tolist() == [3.0, 0.0]


def test_setitem_inside_a_graph_is_refused(device: str) -> None:
    x = leaf([1.0, 2.0], device)
    y, plain = x * 1.0, pyneural.zeros(2, device=device, dtype=np.float64)
    with pytest.raises(RuntimeError, match=r"setitem: the tensor of shape \(2,\) is part of a recorded graph"):
        y[0] = 5.0
    with pytest.raises(RuntimeError, match="setitem: the value requires a gradient, which setitem does not record"):
        plain[0] = x[0]
    plain[0] = x[0].detach()
    assert plain.numpy().tolist() == [1.0, 0.0]


def test_wrong_shapes_are_refused(device: str) -> None:
    t = pyneural.zeros(3, device=device)
    with pytest.raises(ValueError, match=r"add_: the result has shape \(2, 3\), the tensor \(3,\)"):
        t.add_(pyneural.ones(2, 3, device=device))
    with pytest.raises(ValueError, match=r"shape \(4,\) cannot be expanded to \(3,\)"):
        t.copy_(pyneural.ones(4, device=device))
    with pytest.raises(ValueError, match=r"setitem: value of shape \(2,\) for a place of shape \(3,\)"):
        t[:] = pyneural.ones(2, device=device)
    assert t._version[0] == 0
    assert t.numpy().tolist() == [0.0] * 3
