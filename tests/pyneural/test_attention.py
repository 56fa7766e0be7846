"""Attention of tensors: PyTorch's gradients, masks, groups of heads, dropout, second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import Tensor, autograd
from pyneural import functional as F
from pyneural.autograd import gradcheck, gradgradcheck
from pyneural.random import Generator


def leaves(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Tensor]:
    return [Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]


def test_agrees_with_pytorch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    shapes = (2, 3, 70, 8), (2, 3, 131, 8), (2, 3, 131, 5)
    for mask, is_causal in ((None, False), (None, True), (rng.random((70, 131)) < 0.7, False)):
        mine = leaves(rng, *shapes)
        theirs = [torch.tensor(each.detach().numpy(), requires_grad=True) for each in mine]
        got = F.scaled_dot_product_attention(*mine, None if mask is None else Tensor(mask), is_causal=is_causal)
        want = torch.nn.functional.scaled_dot_product_attention(
            *theirs, None if mask is None else torch.tensor(mask), is_causal=is_causal
        )
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-11, atol=1e-13)
        cotangent = rng.standard_normal(got.shape)
        found = autograd.grad(got, mine, Tensor(cotangent))
        expected = torch.autograd.grad(want, theirs, torch.tensor(cotangent))
        for have, wanted in zip(found, expected, strict=True):
            assert have is not None
            np.testing.assert_allclose(have.numpy(), wanted.numpy(), rtol=1e-10, atol=1e-12)


def test_gradient_of_the_mask(rng: np.random.Generator) -> None:
    query, key, value, mask = leaves(rng, (2, 3, 2), (2, 4, 2), (2, 4, 3), (3, 4))
    assert gradcheck(F.scaled_dot_product_attention, (query, key, value, mask), rng=rng)
    fused = F.scaled_dot_product_attention(query, key, value, mask.detach(), is_causal=True)
    composed = F.scaled_dot_product_attention(query, key, value, mask, is_causal=True)
    np.testing.assert_allclose(fused.detach().numpy(), composed.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_second_derivative_with_masks_and_broadcasting(rng: np.random.Generator) -> None:
    query, key, value = leaves(rng, (2, 1, 3, 2), (2, 4, 2), (1, 4, 1))
    flags = np.ones((3, 4), bool)
    flags[0, 1:] = flags[1] = False
    for mask in (Tensor(flags), Tensor(np.where(flags, 0.5, -np.inf))):

        def call(*given: Tensor, mask: Tensor = mask) -> Tensor:
            return F.scaled_dot_product_attention(*given, attn_mask=mask, scale=0.7)

        assert gradgradcheck(call, (query, key, value), rng=rng, atol=1e-4)


def test_some_inputs_without_gradients(rng: np.random.Generator) -> None:
    full = leaves(rng, (3, 4), (5, 4), (5, 2))
    expected = autograd.grad(F.scaled_dot_product_attention(*full).sum(), full)
    for kept in range(3):
        inputs = [each if i == kept else each.detach() for i, each in enumerate(full)]
        (found,) = autograd.grad(F.scaled_dot_product_attention(*inputs).sum(), inputs[kept])
        assert found is not None
        np.testing.assert_array_equal(found.numpy(), expected[kept].numpy())  # type: ignore[union-attr]


@pytest.mark.parametrize("mask_heads", [None, 1, 6])
def test_grouped_queries(mask_heads: int | None, rng: np.random.Generator) -> None:
    query, key, value = leaves(rng, (2, 6, 5, 4), (2, 3, 7, 4), (2, 3, 7, 3))
    mask = None if mask_heads is None else Tensor(rng.standard_normal((2, mask_heads, 5, 7)))
    got = F.scaled_dot_product_attention(query, key, value, mask, enable_gqa=True)
    repeated = [F.reshape(F.stack([each, each], 2), (2, 6, *each.shape[2:])) for each in (key, value)]
    want = F.scaled_dot_product_attention(query, *repeated, mask)
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-13, atol=1e-14)
    cotangent = Tensor(rng.standard_normal(got.shape))
    pairs = zip(
        autograd.grad(got, (query, key, value), cotangent),
        autograd.grad(want, (query, key, value), cotangent),
        strict=True,
    )
    for have, wanted in pairs:
        assert have is not None
        assert wanted is not None
        np.testing.assert_allclose(have.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-13)


def test_dropout(rng: np.random.Generator) -> None:
    """Rows of constant values: the output is the sum of the weights that were kept, scaled."""
    query, key, value = Tensor(np.zeros((50, 4))), Tensor(rng.standard_normal((40, 4))), Tensor(np.ones((40, 1)))
    first, again, other = (
        F.scaled_dot_product_attention(query, key, value, dropout_p=0.25, generator=Generator(seed)).numpy()
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    kept = first * 40 * 0.75
    np.testing.assert_allclose(kept, np.round(kept), atol=1e-9)
    assert abs(first.mean() - 1) < 0.1
    query, key, value = leaves(rng, (3, 2), (4, 2), (4, 2))
    assert gradcheck(
        lambda *given: F.scaled_dot_product_attention(*given, dropout_p=0.5, generator=Generator(1)),
        (query, key, value),
        rng=rng,
    )


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"dropout_p": 1.5}, ValueError, r"dropout_p \(=1.5\) must be in \[0, 1\]"),
        ({"query": np.zeros((2, 4))}, TypeError, "query must be a tensor, not ndarray"),
        ({"attn_mask": Tensor(np.ones((2, 3)) > 0)}, ValueError, r"attn_mask of shape \(2, 3\) .* \(4, 2, 5\)"),
        ({"dropout_p": 0.5, "key": Tensor(np.zeros((4, 5, 2)))}, ValueError, "query has 3 features .* but key has 2"),
        (
            {"enable_gqa": True, "query": Tensor(np.zeros((3, 2, 3)))},
            ValueError,
            r"query \(=3\) must be a multiple",
        ),
        ({"enable_gqa": True, "query": Tensor(np.zeros((2, 3)))}, ValueError, "at least 3 dimensions"),
        ({"enable_gqa": True, "value": Tensor(np.zeros((1, 5, 3)))}, ValueError, "key has 4 heads but value has 1"),
    ],
)
def test_refuses(changes: dict[str, Any], kind: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {
        "query": Tensor(np.zeros((4, 2, 3))),
        "key": Tensor(np.zeros((4, 5, 3))),
        "value": Tensor(np.zeros((4, 5, 3))),
    }
    with pytest.raises(kind, match=f"^scaled_dot_product_attention: .*{message}"):
        F.scaled_dot_product_attention(**{**arguments, **changes})
