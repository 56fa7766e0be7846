"""The NumPy references of unfold and fold against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels.fold import reference

torch = pytest.importorskip("torch", reason="PyTorch, the independent oracle, is not installed")

CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 5, 7), {"kernel_size": 3}),
    ((1, 2, 6, 5), {"kernel_size": (3, 2), "padding": (1, 2)}),
    ((3, 1, 9, 8), {"kernel_size": 2, "stride": (3, 2)}),
    ((1, 2, 9, 11), {"kernel_size": (2, 3), "stride": 2, "padding": 1, "dilation": (3, 2)}),
    ((2, 2, 2, 3), {"kernel_size": 2, "padding": 3}),
    ((1, 4, 3, 3), {"kernel_size": 1}),
]


@pytest.mark.parametrize(("shape", "attributes"), CASES, ids=str)
def test_unfold_and_fold(rng: np.random.Generator, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    x = rng.standard_normal(shape)
    expected = torch.nn.functional.unfold(torch.from_numpy(x), **attributes).numpy()
    np.testing.assert_array_equal(reference.unfold(x, **attributes), expected)
    columns = rng.standard_normal(expected.shape)
    image = torch.nn.functional.fold(torch.from_numpy(columns), shape[2:], **attributes).numpy()
    folded = reference.fold(columns, output_size=shape[2:], **attributes)
    np.testing.assert_allclose(folded, image, rtol=1e-12, atol=1e-12)
