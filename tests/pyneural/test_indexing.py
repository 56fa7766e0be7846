"""Indexing: random keys against NumPy (values, views, assignment) and against scattered gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.autograd import gradcheck


def _slice(rng: np.random.Generator, n: int) -> slice:
    start, stop = (None if rng.random() < 0.3 else int(rng.integers(-n - 2, n + 3)) for _ in range(2))
    return slice(start, stop, [None, 1, 2, 3, -1, -2][rng.integers(6)])


def _basic(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Integers, slices of both directions, None, and at most one Ellipsis."""
    key: list[Any] = []
    for n in shape[: rng.integers(0, len(shape) + 1)]:
        if rng.random() < 0.2:
            key.append(None)
        key.append(int(rng.integers(-n, n)) if n and rng.random() < 0.4 else _slice(rng, n))
    if rng.random() < 0.3:
        key.insert(int(rng.integers(0, len(key) + 1)), Ellipsis)
        named = sum(each is not None and each is not Ellipsis for each in key)
        at = key.index(Ellipsis)
        # Entries after the Ellipsis count from the last dimension.
        after = [i for i in range(at + 1, len(key)) if key[i] is not None]
        for offset, i in enumerate(after):
            n = shape[len(shape) - len(after) + offset]
            if isinstance(key[i], int):
                key[i] = int(rng.integers(-n, n)) if n else slice(None)
        assert named <= len(shape)
    return tuple(key)


def _advanced(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Integer arrays that broadcast, bool masks, integers and slices mixed."""
    common = ((4,), (2, 3), (1,), (0,), ())[rng.integers(5)]
    key: list[Any] = []
    i = 0
    while i < len(shape):
        n, kind = shape[i], rng.random()
        if kind < 0.4 and n:
            index = rng.integers(-n, n, common)
            key.append(np.asarray(index))
        elif kind < 0.5:
            mask = rng.random(n) < 0.5
            if common and common[-1] > 1 and n >= common[-1]:
                mask[:] = False
                mask[rng.permutation(n)[: common[-1]]] = True
                key.append(mask)
            else:
                key.append(slice(None))
        elif kind < 0.6 and n:
            key.append(int(rng.integers(-n, n)))
        else:
            key.append(_slice(rng, n))
        if rng.random() < 0.1:
            key.append(None)
        i += 1
    if not any(isinstance(each, np.ndarray) for each in key):
        key[0] = np.asarray(rng.integers(-shape[0], shape[0], common))
    return tuple(key)


def _ours(key: tuple[Any, ...], device: str) -> tuple[Any, ...]:
    return tuple(Tensor(each, device=device) if isinstance(each, np.ndarray) else each for each in key)


SHAPES = ((5,), (4, 6), (3, 4, 5), (2, 3, 2, 4))


@pytest.mark.parametrize("kind", [_basic, _advanced], ids=["basic", "advanced"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_keys_against_numpy(kind: Any, shape: tuple[int, ...], device: str, rng: np.random.Generator) -> None:
    tried = 0
    for _ in range(60):
        key = kind(rng, shape)
        array = rng.standard_normal(shape)
        try:
            expected = array[key]
        except IndexError:  # arrays that do not broadcast
            with pytest.raises((IndexError, ValueError)):
                Tensor(array, device=device)[_ours(key, device)]
            continue
        tried += 1
        x = Tensor(array, device=device, requires_grad=True)
        y = x[_ours(key, device)]
        assert y.shape == np.shape(expected), key
        assert np.array_equal(y.detach().numpy(), expected), key
        cotangent = np.asarray(rng.standard_normal(y.shape))
        y.backward(Tensor(cotangent, device=device))
        scattered = np.zeros(shape)
        np.add.at(scattered, key, cotangent)
        np.testing.assert_allclose(x.grad.numpy(), scattered, rtol=1e-14, err_msg=str(key))
        changed = Tensor(array, device=device)
        changed[_ours(key, device)] = 7.0
        array[key] = 7.0
        assert np.array_equal(changed.numpy(), array), key
    assert tried > 20


def test_basic_keys_are_views(device: str) -> None:
    x = pyneural.zeros(3, 4, device=device)
    x[1][2].fill_(5.0)
    x[:, ::2][0, 1] = 7.0
    assert x.numpy().tolist() == [[0, 0, 7, 0], [0, 0, 5, 0], [0, 0, 0, 0]]
    assert x[0, 0].shape == ()
    copied = x[[0, 1]]
    copied.fill_(9.0)
    assert x.numpy().max() == 7.0


def test_lists_masks_and_empty_keys(device: str) -> None:
    x = Tensor(np.arange(12.0).reshape(3, 4), device=device)
    assert x[[2, 0]].tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]
    assert x[x > 8.0].tolist() == [9, 10, 11]
    assert x[[]].shape == (0, 4)
    assert x[...].tolist() == x.tolist()
    assert x[()].tolist() == x.tolist()
    assert x[Tensor(1, device=device)].tolist() == [4, 5, 6, 7]
    assert x[np.int64(2), -1].item() == 11.0
    assert [row.tolist() for row in x] == x.tolist()


def test_repeated_indices_add_up(device: str) -> None:
    x = Tensor(np.ones(3), device=device, requires_grad=True)
    (x[[0, 0, 2, 0]] * Tensor(np.array([1.0, 2.0, 4.0, 8.0]), device=device)).sum().backward()
    assert x.grad.tolist() == [11.0, 0.0, 4.0]


def test_second_derivative_of_indexing(device: str, rng: np.random.Generator) -> None:
    x = Tensor(rng.standard_normal((4, 3)), device=device, requires_grad=True)
    rows = Tensor([0, 2, 2], device=device)
    assert gradcheck(lambda t: pyneural.autograd.grad((t[rows] ** 3.0).sum(), t, create_graph=True)[0], x)
    assert gradcheck(lambda t: pyneural.autograd.grad((t[1:, ::2] ** 3.0).sum(), t, create_graph=True)[0], x)


def test_assignment_of_tensors(device: str) -> None:
    x = pyneural.zeros(3, 4, device=device)
    x[1] = pyneural.ones(4, device=device) * 2.0
    x[:, 0] = Tensor([7, 8, 9], device=device)
    x[x == 2.0] = 3.0
    x[[0, 2], [1, 2]] = Tensor([4.0, 5.0], device=device)
    assert x.tolist() == [[7, 4, 0, 0], [8, 3, 3, 3], [9, 0, 5, 0]]
    x[0] = pyneural.ones(1, 1, 4, device=device)
    assert x[0].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (5, r"index 5 is out of bounds .* size 3"),
        ((0, -5), r"index -5 is out of bounds .* size 4"),
        ((0, 0, 0), r"too many indices.*\(shape \(3, 4\)\)"),
        ("a", "getitem: str is no index"),
        (1.5, "getitem: float is no index"),
        ((Ellipsis, Ellipsis), "one Ellipsis|single ellipsis"),
        ([0, 3], r"3.*(size|length) 3"),
        ([0.5], "an index must have an integer or bool dtype, not float"),
    ],
)
def test_wrong_keys(key: Any, match: str, device: str) -> None:
    x = pyneural.zeros(3, 4, device=device)
    with pytest.raises(IndexError, match=match):
        x[key]


def test_wrong_masks(device: str) -> None:
    x = pyneural.zeros(3, 4, device=device)
    with pytest.raises(IndexError, match=r"\b2\b.*\b3\b|\b3\b.*\b2\b"):
        x[Tensor([True, False], device=device)]


def test_a_single_bool_is_refused(device: str) -> None:
    x = pyneural.zeros(3, device=device)
    with pytest.raises(TypeError, match="a boolean index array must have at least one dimension"):
        x[True]


def test_index_on_another_device() -> None:
    x = pyneural.zeros(3, device="cpu")
    with pytest.raises(ValueError, match="getitem: index on reference for a tensor on cpu"):
        x[Tensor([0], device="reference")]
