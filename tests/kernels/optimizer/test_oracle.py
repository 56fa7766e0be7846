"""The reference optimizer steps against torch.optim over several steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests and is not installed")

SHAPES: list[tuple[int, ...]] = [(3, 5), (), (1,), (2, 3, 2), (31,)]
STEPS = 5


def _arrays(rng: np.random.Generator) -> list[np.ndarray]:
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


@pytest.mark.parametrize("name", ["reference", "numba_cpu"])
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.3, "maximize": True},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True},
    ],
)
def test_sgd(rng: np.random.Generator, name: str, options: dict[str, Any]) -> None:
    params = _arrays(rng)
    twins = [torch.from_numpy(each.copy()).requires_grad_() for each in params]
    optimizer = torch.optim.SGD(twins, **options)
    momenta = [np.full_like(each, np.nan) for each in params]
    for step in range(STEPS):
        grads = _arrays(rng)
        for twin, grad in zip(twins, grads, strict=True):
            twin.grad = torch.from_numpy(grad)
        optimizer.step()
        backend(name).sgd_step(params, grads, momenta, first=step == 0, **options)
        for param, twin in zip(params, twins, strict=True):
            np.testing.assert_allclose(param, twin.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["reference", "numba_cpu"])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.01},
        {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95)},
        {"lr": 0.01, "weight_decay": 0.2, "eps": 1e-3, "maximize": True},
    ],
)
def test_adam(rng: np.random.Generator, name: str, decoupled: bool, options: dict[str, Any]) -> None:
    options = {"weight_decay": 0.0, **options}
    params = _arrays(rng)
    twins = [torch.from_numpy(each.copy()).requires_grad_() for each in params]
    optimizer = (torch.optim.AdamW if decoupled else torch.optim.Adam)(twins, **options)
    beta1, beta2 = options.pop("betas", (0.9, 0.999))
    averages, squares = ([np.zeros_like(each) for each in params] for _ in range(2))
    for step in range(1, STEPS + 1):
        grads = _arrays(rng)
        for twin, grad in zip(twins, grads, strict=True):
            twin.grad = torch.from_numpy(grad)
        optimizer.step()
        backend(name).adam_step(
            params, grads, averages, squares, step=step, beta1=beta1, beta2=beta2, decoupled=decoupled, **options
        )
        for param, twin in zip(params, twins, strict=True):
            np.testing.assert_allclose(param, twin.detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["reference", "numba_cpu"])
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.01},
        {"lr": 0.01, "alpha": 0.9, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.01, "momentum": 0.9, "eps": 1e-3},
        {"lr": 0.01, "centered": True},
        {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.2, "alpha": 0.8},
    ],
)
def test_rmsprop(rng: np.random.Generator, name: str, options: dict[str, Any]) -> None:
    params = _arrays(rng)
    twins = [torch.from_numpy(each.copy()).requires_grad_() for each in params]
    optimizer = torch.optim.RMSprop(twins, **options)
    squares, momenta, averages = ([np.zeros_like(each) for each in params] for _ in range(3))
    for _ in range(STEPS):
        grads = _arrays(rng)
        for twin, grad in zip(twins, grads, strict=True):
            twin.grad = torch.from_numpy(grad)
        optimizer.step()
        backend(name).rmsprop_step(params, grads, squares, momenta, averages, **options)
        for param, twin in zip(params, twins, strict=True):
            np.testing.assert_allclose(param, twin.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["reference", "numba_cpu"])
def test_infinite_parameters_without_decay(name: str) -> None:
    params, grads = [np.array([np.inf, 1.0])], [np.array([1.0, 2.0])]
    backend(name).sgd_step(params, grads, (), lr=0.5)
    np.testing.assert_array_equal(params[0], [np.inf, 0.0])
