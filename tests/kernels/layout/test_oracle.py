"""The reference layout operations against PyTorch, and keys against NumPy's indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend
from pyneural.kernels.layout import keys

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")


@pytest.mark.parametrize(
    ("shapes", "dim"), [(((3,), (1,)), 0), (((2, 3), (2, 5), (2, 1)), 1), (((2, 3, 4), (1, 3, 4)), -3)]
)
def test_cat(rng: np.random.Generator, shapes: tuple[tuple[int, ...], ...], dim: int) -> None:
    arrays = [rng.standard_normal(shape) for shape in shapes]
    expected = torch.cat([torch.from_numpy(each) for each in arrays], dim=dim).numpy()
    np.testing.assert_array_equal(backend("reference").cat(arrays, dim=dim), expected, strict=True)


@pytest.mark.parametrize(
    ("shape", "dims"), [((7,), (0,)), ((3, 5), (-1,)), ((2, 3, 4), (2, 0)), ((2, 3), ()), ((), ())]
)
def test_flip(rng: np.random.Generator, shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
    x = np.asarray(rng.standard_normal(shape))
    expected = torch.flip(torch.from_numpy(x), dims).numpy()
    np.testing.assert_array_equal(backend("reference").flip(x, dims=dims), expected, strict=True)


@pytest.mark.parametrize(
    ("shape", "shifts", "dims"),
    [((7,), 2, 0), ((3, 5), 4, None), ((3, 5), (1, -8), (0, 1)), ((2, 3, 4), (1, 1), (1, 1)), ((0, 3), 1, 0)],
)
def test_roll(rng: np.random.Generator, shape: tuple[int, ...], shifts: Any, dims: Any) -> None:
    x = rng.standard_normal(shape)
    expected = torch.roll(torch.from_numpy(x), shifts, dims).numpy()
    np.testing.assert_array_equal(backend("reference").roll(x, shifts=shifts, dims=dims), expected, strict=True)


@pytest.mark.parametrize("name", ["tril", "triu"])
@pytest.mark.parametrize(
    ("shape", "diagonal"), [((3, 5), 0), ((5, 3), 1), ((2, 3, 4, 4), -1), ((4, 4), 9), ((0, 3), 0)]
)
def test_triangles(rng: np.random.Generator, name: str, shape: tuple[int, ...], diagonal: int) -> None:
    x = rng.standard_normal(shape)
    x.reshape(-1)[:1] = np.nan
    expected = getattr(torch, name)(torch.from_numpy(x), diagonal).numpy()
    np.testing.assert_array_equal(getattr(backend("reference"), name)(x, diagonal=diagonal), expected, strict=True)


KEYS: list[tuple[tuple[int, ...], tuple[Any, ...]]] = [
    ((5, 4), (np.array([[4, 0], [-1, 4]]),)),
    ((5, 4), (np.array([4, 0, 4]), np.array([1, -2, 1]))),
    ((4, 3, 5), (slice(None), np.array([2, 0, 2]))),
    ((4, 3, 5), (np.array([[0], [3]]), slice(1, None), np.array([1, 1]))),
    ((4, 3, 5), (Ellipsis, np.array([True, False, True, True, False]))),
]


@pytest.mark.parametrize(("shape", "key"), KEYS)
def test_indexing_and_its_gradient(rng: np.random.Generator, shape: tuple[int, ...], key: tuple[Any, ...]) -> None:
    x = rng.standard_normal(shape)
    t = torch.from_numpy(x).requires_grad_()
    torch_key = tuple(torch.from_numpy(each) if isinstance(each, np.ndarray) else each for each in key)
    expected = t[torch_key]
    got = backend("reference").index(x, key=key)
    np.testing.assert_array_equal(got, expected.detach().numpy(), strict=True)
    grad = rng.standard_normal(got.shape)
    expected.backward(torch.from_numpy(grad))
    got = backend("reference").index_backward(grad, key=key, input_shape=shape)
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-14, strict=True)


@pytest.mark.parametrize("accumulate", [False, True])
def test_index_put(rng: np.random.Generator, accumulate: bool) -> None:
    x, values = rng.standard_normal((5, 4)), rng.standard_normal((3, 4))
    rows = np.array([4, 0, 4]) if accumulate else np.array([4, 0, 1])
    expected = torch.from_numpy(x.copy())
    expected.index_put_((torch.from_numpy(rows),), torch.from_numpy(values), accumulate=accumulate)
    backend("reference").index_put(x, values, key=(rows,), accumulate=accumulate)
    np.testing.assert_allclose(x, expected.numpy(), rtol=1e-14)


def _random_key(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Any mixture of what a key may hold; some are refused."""
    key: list[Any] = []
    dim, ellipsis = 0, False
    while dim < len(shape) and rng.random() < 0.9:
        kind = rng.integers(7)
        if kind == 0:
            key.append(None)
        elif kind == 1 and not ellipsis:
            key.append(Ellipsis)
            ellipsis = True
            dim += int(rng.integers(len(shape) - dim + 1))
        elif kind == 2:
            first, last = (None if rng.random() < 0.5 else int(n) for n in rng.integers(-4, 5, 2))
            key.append(slice(first, last, [None, 2, -1, -2][rng.integers(4)]))
            dim += 1
        elif kind == 3:
            key.append(int(rng.integers(-shape[dim], shape[dim])))
            dim += 1
        elif kind == 4:
            last_dim = int(rng.integers(dim + 1, len(shape) + 1))
            key.append(rng.random(shape[dim:last_dim]) < 0.5)
            dim = last_dim
        else:
            sizes: list[tuple[int, ...]] = [(), (3,), (2, 3), (1, 3), (2, 1)]
            key.append(np.asarray(rng.integers(-1, 2, sizes[rng.integers(5)])))
            dim += 1
    return tuple(key)


def test_keys_mean_what_numpy_means(rng: np.random.Generator) -> None:
    compared = refused = 0
    while compared < 800:
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
        key = _random_key(rng, shape)
        if not any(isinstance(each, np.ndarray) for each in key):
            continue
        x = np.arange(np.prod(shape)).reshape(shape)
        try:
            expected = x[key]
        except (IndexError, ValueError):
            with pytest.raises((IndexError, ValueError), match="index: "):
                keys.selected_shape("index", shape, key)
            refused += 1
            continue
        if not expected.size:  # where nothing is chosen, NumPy does not look whether indices are in range
            continue
        assert keys.selected_shape("index", shape, key) == expected.shape, (shape, key)
        chosen = keys.select("index", shape, key)
        places = chosen.outer[:, None, None, None] + chosen.index[:, None, None] + chosen.inner[:, None]
        got = x.reshape(-1)[(places + np.arange(chosen.block)).reshape(chosen.shape)]
        np.testing.assert_array_equal(got, expected, err_msg=f"{shape} {key}")
        compared += 1
    assert refused > 10
