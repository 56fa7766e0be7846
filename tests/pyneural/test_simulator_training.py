"""Networks trained by the CUDA kernels, in the simulator: the losses of the Numba kernels, step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, amp, functional, nn, optim
from pyneural.apps import digits
from pyneural.random import Generator
from tests.networks import Language, sentences

Batch = tuple[np.ndarray, ...]
STEPS = 3

pytest.importorskip("sklearn", reason="scikit-learn has the digits and is not installed")


def digits_losses(device: str, seed: int, steps: int) -> list[float]:
    """Those of the first steps of ``pyneural train digits``."""
    pyneural.manual_seed(seed)
    data = digits.load_data(device)
    data = digits.Digits(*(each[: steps * 32] for each in (data.train_images, data.train_labels)), *(
        each[:1] for each in (data.test_images, data.test_labels)))  # fmt: skip
    history, _ = digits.train(digits.build(device=device), data, epochs=1, generator=Generator(seed + 1))
    assert len(history.losses) == steps
    return history.losses


def test_digits(rng: np.random.Generator) -> None:
    """Step by step; where a gradient is all rounding, Adam makes a whole step of its sign, so the bound is wider."""
    seed = int(rng.integers(2**31))
    ours, theirs = digits_losses("simulator", seed, 8), digits_losses("cpu", seed, 8)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6)
    np.testing.assert_allclose(ours, theirs, rtol=5e-3)


@pytest.mark.slow
def test_digits_to_the_end() -> None:
    """All 580 steps: rounding errors grow with them, the accuracy stays."""
    scores, curves = [], []
    for device in ("cpu", "simulator"):
        pyneural.manual_seed(0)
        data = digits.load_data(device)
        model = digits.build(device=device)
        history, _ = digits.train(model, data, generator=Generator(1))
        curves.append(np.asarray(history.losses))
        scores.append(digits.evaluate(model, data.test_images, data.test_labels))
    np.testing.assert_allclose(curves[1][:100], curves[0][:100], rtol=1e-4)
    np.testing.assert_allclose(curves[1], curves[0], rtol=0.02)
    assert abs(scores[0] - scores[1]) <= 2 / 899


def _language() -> nn.Module:
    return Language(17, 9, 24, 4, 48, 2)


def _sentences(rng: np.random.Generator) -> Batch:
    return sentences(rng, 17, 5, 9)


def _images(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((7, 1, 8, 8)), rng.integers(0, 10, 7)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[np.random.Generator], Batch]]] = {
    "cnn with batch norm": (digits.build, _images),
    "transformer": (_language, _sentences),
}
# How it is trained, and how far a loss may be off: rounding to 8 bits may fall to either side.
WAYS: dict[str, tuple[Any, bool, float]] = {
    "float32": (np.float32, False, 2e-3),
    "bfloat16 autocast": (np.float32, True, 0.02),
    "bfloat16": (pyneural.bfloat16, False, 0.02),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("network", NETWORKS)
def test_network(network: str, way: str, rng: np.random.Generator) -> None:
    make, data = NETWORKS[network]
    dtype, mixed, rtol = WAYS[way]
    batches, seed = [data(rng) for _ in range(STEPS)], int(rng.integers(2**31))
    curves = {}
    for device in ("cpu", "simulator"):
        pyneural.manual_seed(seed)
        model = make().to(device).to(dtype)
        optimizer = optim.AdamW(model.parameters(), 3e-3)
        pyneural.manual_seed(seed)  # the bits of dropout
        losses = []
        for inputs, labels in batches:
            x = Tensor(inputs, device=device)
            with amp.autocast(device, pyneural.bfloat16) if mixed else nullcontext():
                output = model(x.to(dtype) if x.is_floating_point() else x)
                loss = functional.cross_entropy(output, Tensor(labels, device=device), label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves[device] = losses
    np.testing.assert_allclose(curves["simulator"], curves["cpu"], rtol=rtol)
