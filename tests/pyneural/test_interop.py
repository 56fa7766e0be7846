"""In and out of the library: NumPy, DLPack, Python numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, from_dlpack, from_numpy
from pyneural.kernels import dtypes


def test_a_tensor_copies_its_data() -> None:
    array = np.arange(6.0).reshape(2, 3)
    t = Tensor(array)
    array[0, 0] = 99.0
    assert t[0, 0].item() == 0.0
    assert not np.shares_memory(t.numpy(), array)
    again = Tensor(t)
    again[0, 0] = 5.0
    assert t[0, 0].item() == 0.0


def test_numpy_shares_memory(device: str) -> None:
    t = Tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    array = t.numpy()
    array[0, 0] = 7.0
    assert t[0, 0].item() == 7.0
    t[1, 1] = 9.0
    assert array[1, 1] == 9.0
    assert np.shares_memory(t.T.numpy(), array)


def test_from_numpy_shares_memory() -> None:
    array = np.arange(6.0)[::2]
    t = from_numpy(array)
    array[1] = 50.0
    assert t.tolist() == [0.0, 50.0, 4.0]
    assert (t + 1.0).tolist() == [1.0, 51.0, 5.0]


def test_array_protocol(device: str) -> None:
    t = Tensor([1.5, 2.5], device=device)
    assert np.asarray(t).dtype == np.float32
    assert np.shares_memory(np.asarray(t), t.numpy())
    assert np.asarray(t, np.float64).tolist() == [1.5, 2.5]
    copied = np.array(t)
    copied[0] = 0.0
    assert t[0].item() == 1.5
    assert np.array(t, copy=True).tolist() == [1.5, 2.5]
    assert float(np.sum(np.asarray(t))) == 4.0


def test_numpy_of_a_tensor_with_gradient_is_refused() -> None:
    t = pyneural.ones(2, requires_grad=True)
    for use in (t.numpy, lambda: np.asarray(t), t.__dlpack__):
        with pytest.raises(RuntimeError, match=r"the tensor requires a gradient"):
            use()
    assert t.detach().numpy().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"float32 cannot become float64 without a copy"):
        t.detach().__array__(np.float64, copy=False)


def test_numpy_on_the_left_is_refused() -> None:
    """An array and a tensor must not silently become an array of tensors."""
    t = pyneural.ones(2)
    with pytest.raises(TypeError):
        np.ones(2) + t
    with pytest.raises(TypeError, match="add: mixing a tensor and a NumPy array is ambiguous"):
        t + np.ones(2)
    assert (np.float32(2.0) * t).tolist() == [2.0, 2.0]
    assert isinstance(np.float64(2.0) + t, Tensor)


@pytest.mark.parametrize("dtype", [each for each in dtypes.ALL if each.name != "bfloat16"], ids=str)
def test_dlpack_with_numpy(dtype: np.dtype[Any]) -> None:
    t = Tensor(np.array([[0, 1], [1, 0]]), dtype=dtype)
    array = np.from_dlpack(t)
    assert array.dtype == dtype
    assert np.shares_memory(array, t.numpy())
    back = from_dlpack(array)
    assert back.dtype == dtype
    assert np.shares_memory(back.numpy(), t.numpy())
    assert t.__dlpack_device__() == (1, 0)


def test_dlpack_with_torch(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="the exchange with PyTorch needs PyTorch")
    theirs = torch.from_numpy(rng.standard_normal((3, 4)))
    ours = from_dlpack(theirs.T)
    assert ours.shape == (4, 3)
    assert ours.stride() == (1, 4)
    theirs[0, 1] = 42.0
    assert ours[1, 0].item() == 42.0
    there = torch.from_dlpack(ours[1:])
    there[0, 0] = -1.0
    assert ours[1, 0].item() == -1.0
    assert theirs[0, 1].item() == -1.0
    product = pyneural.matmul(ours, ours.T)
    np.testing.assert_allclose(product.numpy(), (theirs.T @ theirs).numpy(), rtol=1e-12)


def test_memory_outlives_the_tensor() -> None:
    """A pooled buffer must not be handed out again while an array over it lives."""
    array = pyneural.full((200, 100), 3.0).numpy()
    foreign = np.from_dlpack(pyneural.full((200, 100), 4.0))
    for _ in range(4):
        pyneural.full((200, 100), 9.0)
    assert (array == 3.0).all()
    assert (foreign == 4.0).all()


def test_python_numbers(device: str) -> None:
    t = Tensor([[2.5]], device=device)
    assert t.item() == 2.5
    assert float(t) == 2.5
    assert int(t) == 2
    assert bool(t)
    assert not bool(Tensor([0], device=device))
    assert [10, 20, 30][Tensor(1, device=device)] == 20
    assert Tensor([[1, 2]], device=device).tolist() == [[1, 2]]
    assert type(Tensor(3).item()) is int
    assert type(Tensor(True).item()) is bool


@pytest.mark.parametrize(
    ("use", "error", "match"),
    [
        (lambda t: t.item(), RuntimeError, r"item: a tensor of shape \(2,\) has 2 elements, not one"),
        (float, RuntimeError, r"has 2 elements, not one"),
        (bool, RuntimeError, r"bool: the truth of a tensor of shape \(2,\) is ambiguous"),
        (lambda t: len(t.sum()), TypeError, "len: a 0-d tensor has no length"),
        (lambda t: list(t.sum()), TypeError, "iter: a 0-d tensor cannot be iterated over"),
        (lambda t: [0, 1][t[0]], TypeError, "index: a tensor of dtype float32 is no integer"),
        (lambda t: from_numpy([1, 2]), TypeError, "from_numpy: expected a NumPy array, not list"),
        (lambda t: from_numpy(np.array([1j])), TypeError, "from_numpy: dtype complex128 is none of"),
        (lambda t: from_numpy(np.ones(2, ">f4")), TypeError, "byte order|dtype >f4"),
        (lambda t: Tensor("abc"), TypeError, "Tensor: data of type str"),
        (lambda t: Tensor([[1, 2], [3]]), ValueError, "Tensor: the data is not a regular array of numbers"),
        (lambda t: Tensor([1j]), TypeError, "complex128"),
        (lambda t: Tensor([1.0], dtype="complex64"), TypeError, "Tensor: dtype complex64 is none of"),
        (lambda t: Tensor([1], requires_grad=True), RuntimeError, "only floating tensors have gradients, not int64"),
    ],
)
def test_wrong_uses(use: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        use(pyneural.ones(2))
