"""Whole training steps, float32, against PyTorch: ``python -m bench.bench_training [--quick]``.

A step clears the gradients, computes a loss and its gradients, and lets the optimizer update the weights, with a
learning rate of 0: so every step has the same right answer, which is judged, the loss and the gradient of the first
weight. The package takes part as it is and through ``pyneural.compile``, PyTorch as it is, with glibc's malloc told to
keep its memory, and through ``torch.compile``. Images are not laid out channels_last for it: layers of this size gain
nothing by it there.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.bench.contestants import TUNED

from . import harness

CONTESTANTS = (
    harness.Contestant("pyneural", "cpu", {}),
    harness.Contestant("pyneural compiled", "cpu-compile", {}),
    harness.Contestant("PyTorch", "torch", {}),
    harness.Contestant("PyTorch tuned", "torch", TUNED),
    harness.Contestant("PyTorch compiled", "torch-compile", TUNED),
)
TOLERANCE = 2e-3
"""Where a sum is nearly 0, rounding decides which side of a ReLU it falls on, and that a part of a gradient."""

Library = Any  # pyneural or torch


def _mlp(nn: Any, **made: Any) -> Any:
    return nn.Sequential(nn.Linear(784, 512, **made), nn.ReLU(), nn.Linear(512, 10, **made))


def _lenet(nn: Any, **made: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, **made), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, **made), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120, **made), nn.ReLU(), nn.Linear(120, 84, **made), nn.ReLU(), nn.Linear(84, 10, **made),
    )  # fmt: skip


def _digits(nn: Any, **made: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, **made), nn.BatchNorm2d(32, **made), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, **made), nn.BatchNorm2d(64, **made), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 128, **made), nn.ReLU(), nn.Linear(128, 10, **made),
    )  # fmt: skip


def _resnet(nn: Any, **made: Any) -> Any:
    """Three residual blocks of 16, 32 and 64 channels: 7 convolutions and a linear layer, 2 more on the short cuts."""

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            stride = outputs // inputs
            self.body = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False, **made),
                nn.BatchNorm2d(outputs, **made), nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, padding=1, bias=False, **made), nn.BatchNorm2d(outputs, **made),
            )  # fmt: skip
            self.past = (
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False, **made) if stride > 1 else nn.Identity()
            )
            self.relu = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.body(x) + self.past(x))

    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False, **made), nn.BatchNorm2d(16, **made), nn.ReLU(),
        Block(16, 16), Block(16, 32), Block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10, **made),
    )  # fmt: skip


def _lstm(nn: Any, **made: Any) -> Any:
    class Last(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(128, 128, 2, batch_first=True, **made)
            self.out = nn.Linear(128, 10, **made)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    return Last()


def _transformer(nn: Any, **made: Any) -> Any:
    class Mean(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            layers = [
                nn.TransformerEncoderLayer(
                    128, 4, 512, dropout=0.0, activation="gelu", batch_first=True, norm_first=True, **made
                )
                for _ in range(2)
            ]
            self.layers, self.out = nn.Sequential(*layers), nn.Linear(128, 10, **made)

        def forward(self, x: Any) -> Any:
            return self.out(self.layers(x).mean(dim=1))

    return Mean()


STEPS: dict[str, tuple[Callable[..., Any], tuple[int, ...], str]] = {
    "MLP 784-512-10, batch 128": (_mlp, (128, 784), "SGD"),
    "LeNet, batch 64": (_lenet, (64, 1, 28, 28), "SGD"),
    "CNN of 32 and 64 channels on 8x8, batch 64": (_digits, (64, 1, 8, 8), "AdamW"),
    "ResNet-8 on 32x32, batch 32": (_resnet, (32, 3, 32, 32), "SGD"),
    "LSTM 2x128, 32 steps, batch 16": (_lstm, (16, 32, 128), "AdamW"),
    "transformer, 2 layers of 128, 16x128 tokens": (_transformer, (16, 128, 128), "AdamW"),
}
"""The model, the shape of its random input, the optimizer."""

_made: dict[str, Callable[[Any], Any]] = {}


def weights(model: Any, seed: int) -> dict[str, np.ndarray]:
    """Random ones of the scale that layers begin with, by name; those of a normalisation are 1 and 0."""
    rng, found = np.random.default_rng(seed), {}
    for name, each in model.named_parameters():
        shape = tuple(each.shape)
        if len(shape) > 1:
            found[name] = rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
        else:
            found[name] = np.full(shape, float(name.endswith("weight")))
    return found


def step(library: Library, options: dict[str, Any], compiled: bool = False, **made: Any) -> Callable[[Any], Any]:
    """``step(x)`` of a case: the loss and the gradient of the first weight.

    Compiled is what each library compiles: ours the whole step, PyTorch the forward and the backward.
    """
    build, shape, optimizer_name = STEPS[options["name"]]
    model = build(library.nn, **made)
    parameters = dict(model.named_parameters())
    drawn = weights(model, options["seed"])
    for name, each in parameters.items():
        with library.no_grad():
            each[...] = library.tensor(drawn[name], **made)
    optimizers = library.optim
    settings = {"momentum": 0.9} if optimizer_name == "SGD" else {}
    optimizer = getattr(optimizers, optimizer_name)(model.parameters(), lr=0.0, **settings)
    labels = library.tensor(np.arange(shape[0]) % 10, device=made.get("device"))
    cross_entropy = (
        library.nn.functional.cross_entropy if library.__name__ == "torch" else library.functional.cross_entropy
    )
    first = next(iter(parameters.values()))

    def loss_of(x: Any) -> Any:
        return cross_entropy(model(x), labels)

    if compiled and library.__name__ == "torch":
        loss_of = library.compile(loss_of)

    def whole(x: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if compiled and library.__name__ != "torch":
        whole = library.compile(whole)
    return lambda x: (whole(x), first.grad)


def flat(result: Any) -> np.ndarray:
    loss, gradient = (each.numpy() for each in result)
    return np.concatenate([loss.reshape(1), gradient.reshape(-1)])


def inputs(options: dict[str, Any]) -> np.ndarray:
    return np.random.default_rng(options["seed"]).standard_normal(STEPS[options["name"]][1], np.float32)


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    """One model a case: what is made of another seed is another input of it."""
    x, name = inputs(options), options["name"]
    if kind.startswith("cpu"):
        import pyneural as library

        x = library.tensor(x, device="cpu").numpy()
        made = {"device": "cpu", "dtype": np.float32}
    else:
        import torch as library

        made = {"dtype": library.float32}
    if name not in _made:
        _made.clear()
        _made[name] = step(library, {"name": name, "seed": options["model"]}, kind.endswith("-compile"), **made)
    run, given = _made[name], library.from_numpy(x)
    return harness.Subject(lambda: run(given), flat, (x,))


def truth(options: dict[str, Any], arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    import pyneural

    made = {"device": "reference", "dtype": np.float64}
    run = step(pyneural, {"name": options["name"], "seed": options["model"]}, **made)
    return flat(run(pyneural.tensor(arrays[0], **made)))


def describe(kind: str) -> dict[str, Any]:
    return harness.versions("numba" if kind.startswith("cpu") else "torch")


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    quick = "--quick" in sys.argv[1:]
    cases = [harness.Case(name, 0.0, {"name": name, "seed": seed, "model": seed}, TOLERANCE) for name in STEPS]
    rounds, seconds = (2, 0.05) if quick else (7, 0.15)
    reports = []
    for threads in (2, 1):
        report = harness.race(
            "bench.bench_training", CONTESTANTS, cases, truth, threads=threads, rounds=rounds, round_seconds=seconds
        )
        harness.show("training steps, float32", report, "pyneural")
        reports.append(report)
    if not quick:
        print(harness.write("training", reports))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
