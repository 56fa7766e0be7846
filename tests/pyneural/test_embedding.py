"""Looking up and adding by index tensors: what the contracts' generated tests do not reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural import Tensor, autograd
from pyneural import functional as F
from pyneural.autograd import gradcheck, gradgradcheck


def leaf(rng: np.random.Generator, *shape: int) -> Tensor:
    return Tensor(rng.standard_normal(shape), requires_grad=True)


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
@pytest.mark.parametrize("scale_grad_by_freq", [False, True])
def test_embedding_gradients(padding_idx: int | None, scale_grad_by_freq: bool, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    weight, indices = leaf(rng, 5, 3), rng.integers(0, 5, (4, 6))
    attributes = {"padding_idx": padding_idx, "scale_grad_by_freq": scale_grad_by_freq}
    theirs = torch.tensor(weight.detach().numpy(), requires_grad=True)
    want = torch.nn.functional.embedding(torch.tensor(indices), theirs, **attributes)
    got = F.embedding(Tensor(indices), weight, **attributes)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    cotangent = rng.standard_normal(got.shape)
    (expected,) = torch.autograd.grad(want, theirs, torch.tensor(cotangent))
    given = Tensor(cotangent, requires_grad=True)
    (found,) = autograd.grad(got, weight, given, create_graph=True)
    assert found is not None
    np.testing.assert_allclose(found.detach().numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)

    def first(cotangent: Tensor) -> Any:
        return autograd.grad(F.embedding(Tensor(indices), weight, **attributes), weight, cotangent, create_graph=True)

    assert gradcheck(first, given, rng=rng)


def test_second_derivatives_of_a_smaller_index(rng: np.random.Generator) -> None:
    x, source, index = leaf(rng, 4, 3), leaf(rng, 5, 4), Tensor(rng.integers(0, 4, (3, 2)))
    assert gradcheck(lambda a, b: F.scatter_add(a, 0, index, b), (x, source), rng=rng)
    assert gradgradcheck(lambda a, b: F.scatter_add(a * a, 0, index, b * b), (x, source), rng=rng)
    assert gradgradcheck(lambda a: F.gather(a * a * a, 0, index), x, rng=rng)


def test_gather_undoes_sorting(rng: np.random.Generator) -> None:
    x = Tensor(rng.standard_normal((6, 11)))
    order = np.argsort(x.numpy(), axis=1)
    ordered = x.gather(1, Tensor(order))
    np.testing.assert_array_equal(ordered.numpy(), np.sort(x.numpy(), axis=1))
    back = Tensor(np.zeros((6, 11))).scatter_add(1, Tensor(order), ordered)
    np.testing.assert_array_equal(back.numpy(), x.numpy())


def test_take_along_dim(rng: np.random.Generator) -> None:
    x = leaf(rng, 3, 1, 5)
    indices = rng.integers(-5, 5, (1, 4, 2))
    got = x.take_along_dim(Tensor(indices), 2)
    stretched = np.broadcast_to(x.detach().numpy(), (3, 4, 5)), np.broadcast_to(indices, (3, 4, 2))
    np.testing.assert_array_equal(got.detach().numpy(), np.take_along_axis(*stretched, 2))
    assert gradcheck(lambda a: F.take_along_dim(a, Tensor(indices), 2), x, rng=rng)
    flat = F.take_along_dim(x, Tensor(np.array([[14, -1], [0, 3]])))
    np.testing.assert_array_equal(flat.detach().numpy(), x.detach().numpy().reshape(-1)[[14, -1, 0, 3]])


def test_one_hot_counts_the_classes() -> None:
    found = F.one_hot(Tensor(np.array([[0, 2], [1, 0]])))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found.numpy(), np.eye(3, dtype=np.int64)[[[0, 2], [1, 0]]])
    assert F.one_hot(Tensor(np.array([0, 1], np.int32)), 4).shape == (2, 4)


def test_zero_dimensions() -> None:
    x, zero = Tensor(3.0, requires_grad=True), Tensor(np.array([0, 0]))
    for result in (F.gather(x, 0, zero), F.index_select(x, 0, zero[:1]), F.scatter_add(x, 0, zero[0], x)):
        (grad,) = autograd.grad(result.sum(), x)
        assert grad is not None
        assert grad.shape == ()
    np.testing.assert_array_equal(F.gather(x, 0, zero).detach().numpy(), [3.0, 3.0])
    assert F.gather(Tensor(np.arange(4.0)), 0, zero[0]).shape == ()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x, i: F.embedding(i, x, max_norm=1.0), NotImplementedError, r"embedding: max_norm \(=1.0\)"),
        (lambda x, i: F.embedding(i, x, sparse=True), NotImplementedError, r"embedding: sparse \(=True\)"),
        (lambda x, i: F.embedding(i, x, padding_idx=4), ValueError, r"padding_idx \(=4\) must be in \[-4, 3\]"),
        (lambda x, i: F.embedding(i + 3, x), IndexError, r"indices holds 4 at \(1,\), which is not in \[0, 4\)"),
        (lambda x, i: F.embedding(i.numpy(), x), TypeError, "input must be a tensor, not ndarray"),
        (lambda x, i: F.index_select(x, 2, i), IndexError, r"dim \(=2\) must be in \[-2, 1\]"),
        (lambda x, i: F.gather(x, 0, i), ValueError, r"index of shape \(2,\) must have as many dimensions"),
        (lambda x, i: F.gather(x, 0, x), TypeError, "index must have dtype int64 or int32, not float64"),
        (
            lambda x, i: F.scatter_add(x, 0, F.reshape(i, (2, 1)), x[:1]),
            ValueError,
            r"larger than source of .* \(1, 3\)",
        ),
        (lambda x, i: F.one_hot(i, 1), IndexError, r"indices holds 1 at \(1,\), which is not in \[0, 1\)"),
        (lambda x, i: F.one_hot(i[:0]), ValueError, "an empty input needs num_classes"),
        (lambda x, i: F.take_along_dim(x, i, 0), ValueError, r"shape \(4, 3\) and indices of shape \(2,\)"),
    ],
)
def test_refuses(call: Callable[..., Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(Tensor(np.zeros((4, 3))), Tensor(np.array([0, 1])))
