"""The reference of attention against PyTorch, forward and backward, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample, backend, dtypes

torch = pytest.importorskip("torch", reason="the oracle is PyTorch")

NAMES = [
    each.name
    for each in OPERATIONS["scaled_dot_product_attention"].samples(np.random.default_rng(0), dtypes.float64)
    if not each.name.startswith("NaN")
]


def plain(query: Any, key: Any, value: Any, mask: Any, is_causal: bool, scale: float | None) -> tuple[Any, Any]:
    """Attention and log-sum-exp spelled out in PyTorch's primitives, differentiable by itself."""
    factor = scale if scale is not None else 1 / max(query.shape[-1], 1) ** 0.5
    scores = query @ key.mT * factor
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    if is_causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    dead = (scores == -torch.inf).all(-1, keepdim=True)
    weights = scores.masked_fill(dead, 0).softmax(-1).masked_fill(dead, 0)
    result = weights @ value
    return result, scores.logsumexp(-1).expand(result.shape[:-1])


def call(sample: Sample) -> tuple[list[Any], Any, dict[str, Any]]:
    """Query, key and value as leaves, the mask, the attributes."""
    tensors = [torch.tensor(each.copy(), requires_grad=each.dtype == np.float64) for each in sample.args]
    mask = tensors[3].detach() if len(tensors) > 3 else None
    return tensors[:3], mask, {"is_causal": False, "scale": None, **sample.kwargs}


def of_name(name: str, rng: np.random.Generator) -> Sample:
    samples = OPERATIONS["scaled_dot_product_attention"].samples(rng, dtypes.float64)
    return next(each for each in samples if each.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_forward(name: str, rng: np.random.Generator) -> None:
    sample = of_name(name, rng)
    inputs, mask, attributes = call(sample)
    output, logsumexp = backend("reference").scaled_dot_product_attention(*sample.args, **sample.kwargs)
    expected, expected_logsumexp = plain(*inputs, mask, **attributes)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(logsumexp, expected_logsumexp.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", [each for each in NAMES if "added mask" not in each])
def test_forward_is_pytorchs_function(name: str, rng: np.random.Generator) -> None:
    """PyTorch's own function, which refuses a mask beside ``is_causal`` and broadcast batches."""
    sample = of_name(name, rng)
    if name == "broadcast batches":
        arrays = [np.broadcast_to(each, (2, 3, *each.shape[-2:])) for each in sample.args]
        sample = Sample(tuple(arrays), sample.kwargs)
    inputs, mask, attributes = call(sample)
    if inputs[0].shape[-1] == 0:
        attributes["scale"] = 1.0
    expected = torch.nn.functional.scaled_dot_product_attention(*inputs, mask, **attributes)
    output, _ = backend("reference").scaled_dot_product_attention(*sample.args, **sample.kwargs)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_backward(name: str, rng: np.random.Generator) -> None:
    sample = of_name(name, rng)
    inputs, mask, attributes = call(sample)
    expected, _ = plain(*inputs, mask, **attributes)
    grad = rng.standard_normal(tuple(expected.shape))
    wanted = torch.autograd.grad(expected, inputs, torch.tensor(grad))
    kernels = backend("reference")
    query, key, value, *rest = sample.args
    output, logsumexp = kernels.scaled_dot_product_attention(query, key, value, *rest, **sample.kwargs)
    found = kernels.scaled_dot_product_attention_backward(
        grad, query, key, value, output, logsumexp, *rest, **sample.kwargs
    )
    for have, want in zip(found, wanted, strict=True):
        summed = have.sum(axis=tuple(range(have.ndim - want.ndim)))
        stretched = tuple(i for i, (n, m) in enumerate(zip(summed.shape, want.shape, strict=True)) if n != m)
        np.testing.assert_allclose(summed.sum(axis=stretched, keepdims=True), want.numpy(), rtol=1e-11, atol=1e-12)
