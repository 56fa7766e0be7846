"""The reference pooling against PyTorch, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")

GEOMETRIES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 4, 6), {"kernel_size": 2}),
    ((1, 2, 7, 5), {"kernel_size": 2}),
    ((2, 1, 8, 9), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ((2, 2, 7, 6), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
    ((1, 2, 7, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ((1, 2, 5, 7), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ((1, 1, 11, 13), {"kernel_size": (4, 3), "stride": 2, "padding": (2, 1), "ceil_mode": True}),
    ((3, 2, 33, 31), {"kernel_size": 3, "stride": 2, "padding": 1}),
]
FULL = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [*GEOMETRIES, ((1, 2, 9, 10), {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2})],
)
def test_max_pool2d(rng: np.random.Generator, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    x = rng.standard_normal(shape)
    t = torch.from_numpy(x).requires_grad_()
    expected, places = torch.nn.functional.max_pool2d(t, return_indices=True, **attributes)
    values, indices = backend("reference").max_pool2d(x, **attributes)
    np.testing.assert_array_equal(values, expected.detach().numpy(), strict=True)
    np.testing.assert_array_equal(indices, places.numpy(), strict=True)

    grad = rng.standard_normal(values.shape)
    expected.backward(torch.from_numpy(grad))
    got = backend("reference").max_pool2d_backward(grad, indices, input_size=shape[2:])
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-14, strict=True)
    np.testing.assert_array_equal(backend("reference").max_pool2d_gather(x, indices), values, strict=True)


@pytest.mark.parametrize("attributes", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}])
def test_max_pool2d_ties_and_special_values(rng: np.random.Generator, attributes: dict[str, Any]) -> None:
    x = rng.integers(0, 3, (2, 2, 8, 8)).astype(np.float64)
    x[0, 0, 1, 1], x[0, 1, 2, 2:5], x[1, 0, 3, 3], x[1, 1, :4, :4] = np.nan, np.nan, np.inf, -np.inf
    expected, places = torch.nn.functional.max_pool2d(torch.from_numpy(x), return_indices=True, **attributes)
    values, indices = backend("reference").max_pool2d(x, **attributes)
    np.testing.assert_array_equal(values, expected.numpy(), strict=True)
    np.testing.assert_array_equal(indices, places.numpy(), strict=True)


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        *GEOMETRIES,
        ((1, 2, 6, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
        (
            (1, 2, 6, 7),
            {"kernel_size": (2, 3), "stride": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
        ),
        ((1, 1, 6, 6), {"kernel_size": 2, "divisor_override": 3}),
    ],
)
def test_avg_pool2d(rng: np.random.Generator, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    x = rng.standard_normal(shape)
    t = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.avg_pool2d(t, **attributes)
    got = backend("reference").avg_pool2d(x, **attributes)
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-12, atol=1e-14, strict=True)

    grad = rng.standard_normal(got.shape)
    expected.backward(torch.from_numpy(grad))
    full = {**FULL, **attributes}
    got = backend("reference").avg_pool2d_backward(grad, input_size=shape[2:], **full)
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-14, strict=True)


@pytest.mark.parametrize("attributes", [{"kernel_size": 9}, {"kernel_size": 2, "padding": 2}, {"kernel_size": 0}])
def test_impossible_windows_are_refused_as_in_pytorch(attributes: dict[str, Any]) -> None:
    x = np.zeros((1, 1, 5, 5))
    with pytest.raises(RuntimeError):
        torch.nn.functional.max_pool2d(torch.from_numpy(x), **attributes)
    with pytest.raises(ValueError, match=r"max_pool2d: .*kernel_size"):
        backend("reference").max_pool2d(x, **attributes)


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 3, 4, 6), (2, 2)), ((1, 2, 7, 5), (3, 2)), ((2, 2, 5, 3), (1, 1)), ((1, 1, 3, 4), (5, 7))]
)
def test_adaptive_average(rng: np.random.Generator, shape: tuple[int, ...], size: tuple[int, int]) -> None:
    x, grad = rng.standard_normal(shape), rng.standard_normal((*shape[:2], *size))
    t = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.adaptive_avg_pool2d(t, size)
    expected.backward(torch.from_numpy(grad))
    got = backend("reference").adaptive_avg_pool2d(x, output_size=size)
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-12, atol=1e-13, strict=True)
    got = backend("reference").adaptive_avg_pool2d_backward(grad, input_size=shape[2:])
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-13, strict=True)
