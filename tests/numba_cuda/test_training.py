"""Networks trained by Numba's CUDA kernels, in its simulator: the losses of the CPU, step by step."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, functional, kernels, nn, optim
from tests.networks import Language, sentences

pytestmark = [
    pytest.mark.numba_cuda,
    pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") != "1", reason="needs NUMBA_ENABLE_CUDASIM=1"),
]

Batch = tuple[np.ndarray, np.ndarray]
STEPS = 2  # each takes seconds


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, 2, bias=False),
        nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(3, 5),
    )  # fmt: skip


def _images(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((2, 1, 6, 6)).astype(np.float32), rng.integers(0, 5, 2)


def _language() -> nn.Module:
    return Language(5, 3, 4, 2, 6, 1)


def _sentences(rng: np.random.Generator) -> Batch:
    return sentences(rng, 5, 2, 3)


Optimizer = Callable[[list[Tensor]], optim.Optimizer]
WAYS: dict[str, tuple[Callable[[], nn.Module], Callable[[np.random.Generator], Batch], Optimizer]] = {
    "cnn, sgd": (_convolutions, _images, lambda parameters: optim.SGD(parameters, 0.05, momentum=0.9)),
    "transformer, adamw": (_language, _sentences, lambda parameters: optim.AdamW(parameters, 3e-3)),
}


@pytest.mark.parametrize("way", WAYS)
def test_network(way: str, rng: np.random.Generator) -> None:
    make, data, optimizer_of = WAYS[way]
    batches, seed = [data(rng) for _ in range(STEPS)], int(rng.integers(2**31))

    def losses(device: str) -> list[float]:
        pyneural.manual_seed(seed)
        model = make().to(device)
        optimizer = optimizer_of(list(model.parameters()))
        pyneural.manual_seed(seed)  # the bits of dropout
        found = []
        for inputs, labels in batches:
            loss = functional.cross_entropy(
                model(Tensor(inputs, device=device)), Tensor(labels, device=device), label_smoothing=0.1
            )
            optimizer.zero_grad()
            loss.backward()
            if way == "cnn, sgd":
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            found.append(loss.item())
        return found

    with kernels.use("numba_cuda") as chosen, kernels.record() as recording:
        assert kernels.active("simulator").name == "numba_cuda"
        simulated = losses("simulator")
    assert {"cross_entropy_with_gradient", "linear"} <= set(recording.uses)
    assert chosen is kernels.backend("numba_cuda")
    assert kernels.active("simulator").name == "cuda"
    np.testing.assert_allclose(simulated, losses("cpu"), rtol=2e-3)
