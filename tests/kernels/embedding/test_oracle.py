"""The references of looking up and adding by index against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Sample, backend, dtypes

torch = pytest.importorskip("torch", reason="the oracle is PyTorch")

REFERENCE = backend("reference")


def cases(operation: str) -> list[Any]:
    samples = OPERATIONS[operation].samples(np.random.default_rng(0), OPERATIONS[operation].dtypes[0])
    return [pytest.param(number, id=each.name) for number, each in enumerate(samples)]


def of_number(operation: str, number: int, rng: np.random.Generator) -> Sample:
    return list(OPERATIONS[operation].samples(rng, OPERATIONS[operation].dtypes[0]))[number]


def tensor(array: np.ndarray, requires_grad: bool = False) -> Any:
    return torch.tensor(np.ascontiguousarray(array).reshape(array.shape), requires_grad=requires_grad)


def int64(array: np.ndarray) -> Any:
    return tensor(array.astype(np.int64))


def check_lookup(
    operation: str, sample: Sample, function: Callable[[Any, Any], Any], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The values; a random cotangent of them, and the gradient by the first argument that PyTorch gives."""
    x, index = sample.args
    leaf = tensor(x, requires_grad=True)
    expected = function(leaf, int64(index))
    found = getattr(REFERENCE, operation)(x, index, **sample.kwargs)
    np.testing.assert_array_equal(found, expected.detach().numpy(), strict=True)
    grad = rng.standard_normal(found.shape)
    (by_x,) = torch.autograd.grad(expected, leaf, torch.tensor(grad))
    return grad, by_x.numpy()


@pytest.mark.parametrize("number", cases("embedding"))
def test_embedding(number: int, rng: np.random.Generator) -> None:
    sample = of_number("embedding", number, rng)
    grad, expected = check_lookup("embedding", sample, lambda w, i: torch.nn.functional.embedding(i, w), rng)
    weight, indices = sample.args
    found = REFERENCE.embedding_backward(grad, indices, num_embeddings=weight.shape[0])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("number", cases("embedding_backward"))
def test_embedding_backward(number: int, rng: np.random.Generator) -> None:
    sample = of_number("embedding_backward", number, rng)
    grad, indices = sample.args
    attributes = dict(sample.kwargs)
    rows = attributes.pop("num_embeddings")
    weight = torch.zeros((rows, grad.shape[-1]), dtype=torch.float64, requires_grad=True)
    torch.nn.functional.embedding(int64(indices), weight, **attributes).backward(tensor(grad))
    found = REFERENCE.embedding_backward(*sample.args, **sample.kwargs)
    np.testing.assert_allclose(found, weight.grad.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("number", cases("index_select"))
def test_index_select(number: int, rng: np.random.Generator) -> None:
    sample = of_number("index_select", number, rng)
    dim = sample.kwargs["dim"]
    grad, expected = check_lookup("index_select", sample, lambda x, i: torch.index_select(x, dim, i), rng)
    x, index = sample.args
    if x.ndim:
        found = REFERENCE.index_select_backward(grad, np.atleast_1d(index), dim=dim, size=x.shape[dim])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("number", cases("gather"))
def test_gather(number: int, rng: np.random.Generator) -> None:
    sample = of_number("gather", number, rng)
    dim = sample.kwargs["dim"]
    grad, expected = check_lookup("gather", sample, lambda x, i: torch.gather(x, dim, i), rng)
    x, index = sample.args
    found = REFERENCE.scatter_add(np.zeros_like(x), index, grad, dim=dim)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("number", cases("scatter_add"))
def test_scatter_add(number: int, rng: np.random.Generator) -> None:
    sample = of_number("scatter_add", number, rng)
    x, index, source = sample.args
    expected = torch.scatter_add(tensor(x), sample.kwargs["dim"], int64(index), tensor(source))
    found = REFERENCE.scatter_add(*sample.args, **sample.kwargs)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-13, strict=True)


@pytest.mark.parametrize("number", cases("one_hot"))
def test_one_hot(number: int, rng: np.random.Generator) -> None:
    sample = of_number("one_hot", number, rng)
    expected = torch.nn.functional.one_hot(int64(sample.args[0]), **sample.kwargs)
    np.testing.assert_array_equal(REFERENCE.one_hot(*sample.args, **sample.kwargs), expected.numpy(), strict=True)


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
def test_scatter_add_of_integers_wraps_around(dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    x = np.full(3, np.iinfo(dtype).max, dtype)
    index, source = np.array([0, 2, 2]), np.array([1, 1, 1], dtype)
    expected = torch.scatter_add(tensor(x), 0, tensor(index), tensor(source)).numpy()
    for name in ("reference", "numba_cpu"):
        np.testing.assert_array_equal(backend(name).scatter_add(x, index, source, dim=0), expected, strict=True)
