"""The reference padding against PyTorch, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")


@pytest.mark.parametrize(
    ("shape", "pad"),
    [((5,), (1, 2)), ((3, 4), (0, 0, 2, 1)), ((3, 4), (-1, -2)), ((2, 3, 4), (1, -2, -1, 3)), ((2, 3, 4), (1,) * 6)],
)
def test_pad(rng: np.random.Generator, shape: tuple[int, ...], pad: tuple[int, ...]) -> None:
    x = rng.standard_normal(shape)
    expected = torch.nn.functional.pad(torch.from_numpy(x), pad, value=1.5).numpy()
    np.testing.assert_array_equal(backend("reference").pad(x, pad=pad, value=1.5), expected, strict=True)


@pytest.mark.parametrize(
    ("shape", "mode", "pad"),
    [
        ((2, 5), "reflect", (4, 3)),
        ((2, 5), "replicate", (7, 1)),
        ((2, 5), "circular", (5, 2)),
        ((2, 3, 4), "reflect", (1, -2, 2, 1)),
        ((2, 3, 4), "replicate", (2, -1, -1, 3)),
        ((2, 4, 4), "circular", (-1, 2, 2, -1)),
        ((2, 2, 3, 3), "reflect", (1, 2, 0, 1, 1, 0)),
        ((2, 2, 3, 4, 3), "replicate", (1, 2, 0, 1, 3, 1)),
    ],
)
def test_modes(rng: np.random.Generator, shape: tuple[int, ...], mode: str, pad: tuple[int, ...]) -> None:
    x = rng.standard_normal(shape)
    t = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.pad(t, pad, mode=mode)
    np.testing.assert_array_equal(
        backend("reference").pad(x, pad=pad, mode=mode), expected.detach().numpy(), strict=True
    )
    grad = rng.standard_normal(tuple(expected.shape))
    expected.backward(torch.from_numpy(grad))
    got = backend("reference").pad_backward(grad, pad=pad, mode=mode, input_shape=shape)
    np.testing.assert_allclose(got, t.grad.numpy(), rtol=1e-12, atol=1e-13, strict=True)


@pytest.mark.parametrize(("mode", "pad"), [("reflect", (5, 0)), ("circular", (6, 0))])
def test_more_than_there_is_is_refused_as_in_pytorch(mode: str, pad: tuple[int, ...]) -> None:
    x = np.zeros((1, 5))
    with pytest.raises(RuntimeError, match=r"size|wrapping"):
        torch.nn.functional.pad(torch.from_numpy(x), pad, mode=mode)
    with pytest.raises(ValueError, match=f"pad: .* for mode {mode}"):
        backend("reference").pad(x, pad=pad, mode=mode)
