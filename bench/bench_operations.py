"""Every kind of operation, float32, forward and with its gradient, against the reference and PyTorch eager.

``python -m bench.bench_operations [--quick]``. PyTorch takes part as it is and with glibc's malloc told to
keep its memory: page faults cost it more than the arithmetic of a memory-bound operation.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.bench.contestants import TUNED

from . import harness

CONTESTANTS = (
    harness.Contestant("pyneural", "cpu", {}),
    harness.Contestant("NumPy reference", "reference", {}),
    harness.Contestant("PyTorch", "torch", {}),
    harness.Contestant("PyTorch tuned", "torch", TUNED),
)
ROWS = (2048, 1024)  # a batch of activations
IMAGES = (32, 64, 32, 32)

Operation = Callable[..., Any]  # f(library, library's nn.functional, *tensors)


@functools.cache
def _indices(library: Any, device: Any, count: int, step: int, size: int) -> Any:
    return library.tensor(np.arange(count) * step % size, device=device)


def indices(library: Any, like: Any, count: int, step: int, size: int) -> Any:
    """``count`` integers below ``size`` on the device of ``like``, made once."""
    return _indices(library, like.device, count, step, size)


# name: the shapes of its normal random inputs, and the operation on them
OPERATIONS: dict[str, tuple[tuple[tuple[int, ...], ...], Operation]] = {
    "add": ((ROWS, ROWS), lambda t, f, x, y: x + y),
    "add row": ((ROWS, ROWS[1:]), lambda t, f, x, y: x + y),
    "mul": ((ROWS, ROWS), lambda t, f, x, y: x * y),
    "div": ((ROWS, ROWS), lambda t, f, x, y: x / (y * y + 1)),
    "maximum": ((ROWS, ROWS), lambda t, f, x, y: t.maximum(x, y)),
    "where": ((ROWS, ROWS), lambda t, f, x, y: t.where(x > 0, x, y)),
    "clamp": ((ROWS,), lambda t, f, x: t.clamp(x, -1.0, 1.0)),
    "exp": ((ROWS,), lambda t, f, x: t.exp(x)),
    "log1p": ((ROWS,), lambda t, f, x: t.log1p(x * x)),
    "sqrt": ((ROWS,), lambda t, f, x: t.sqrt(x * x + 1)),
    "sin": ((ROWS,), lambda t, f, x: t.sin(x)),
    "relu": ((ROWS,), lambda t, f, x: f.relu(x)),
    "leaky_relu": ((ROWS,), lambda t, f, x: f.leaky_relu(x)),
    "elu": ((ROWS,), lambda t, f, x: f.elu(x)),
    "selu": ((ROWS,), lambda t, f, x: f.selu(x)),
    "gelu": ((ROWS,), lambda t, f, x: f.gelu(x)),
    "gelu tanh": ((ROWS,), lambda t, f, x: f.gelu(x, approximate="tanh")),
    "silu": ((ROWS,), lambda t, f, x: f.silu(x)),
    "mish": ((ROWS,), lambda t, f, x: f.mish(x)),
    "hardswish": ((ROWS,), lambda t, f, x: f.hardswish(x)),
    "sigmoid": ((ROWS,), lambda t, f, x: t.sigmoid(x)),
    "tanh": ((ROWS,), lambda t, f, x: t.tanh(x)),
    "softplus": ((ROWS,), lambda t, f, x: f.softplus(x)),
    "softmax": ((ROWS,), lambda t, f, x: f.softmax(x, dim=1)),
    "log_softmax": ((ROWS,), lambda t, f, x: f.log_softmax(x, dim=1)),
    "logsumexp": ((ROWS,), lambda t, f, x: t.logsumexp(x, dim=1)),
    "sum": ((ROWS,), lambda t, f, x: t.sum(x)),
    "sum columns": ((ROWS,), lambda t, f, x: t.sum(x, dim=0)),
    "mean rows": ((ROWS,), lambda t, f, x: t.mean(x, dim=1)),
    "var rows": ((ROWS,), lambda t, f, x: t.var(x, dim=1)),
    "amax rows": ((ROWS,), lambda t, f, x: t.amax(x, dim=1)),
    "cumsum rows": ((ROWS,), lambda t, f, x: t.cumsum(x, dim=1)),
    "layer_norm": ((ROWS, ROWS[1:], ROWS[1:]), lambda t, f, x, w, b: f.layer_norm(x, (ROWS[1],), w, b)),
    "rms_norm": ((ROWS, ROWS[1:]), lambda t, f, x, w: f.rms_norm(x, (ROWS[1],), w)),
    "batch_norm": ((IMAGES, (64,), (64,)), lambda t, f, x, w, b: f.batch_norm(x, None, None, w, b, training=True)),
    "group_norm": ((IMAGES, (64,), (64,)), lambda t, f, x, w, b: f.group_norm(x, 8, w, b)),
    "max_pool2d": ((IMAGES,), lambda t, f, x: f.max_pool2d(x, 2)),
    "avg_pool2d": ((IMAGES,), lambda t, f, x: f.avg_pool2d(x, 2)),
    "mse_loss": ((ROWS, ROWS), lambda t, f, x, y: f.mse_loss(x, y)),
    "huber_loss": ((ROWS, ROWS), lambda t, f, x, y: f.huber_loss(x, y)),
    "bce_with_logits": (
        (ROWS, ROWS),
        lambda t, f, x, y: f.binary_cross_entropy_with_logits(x, t.sigmoid(y.detach())),
    ),
    "cross_entropy": ((ROWS,), lambda t, f, x: f.cross_entropy(x, indices(t, x, ROWS[0], 1, ROWS[1]))),
    "cat": ((ROWS, ROWS), lambda t, f, x, y: t.cat([x, y], 1)),
    "pad": ((IMAGES,), lambda t, f, x: f.pad(x, (1, 1, 1, 1))),
    "transposed copy": ((ROWS,), lambda t, f, x: x.transpose(0, 1).contiguous()),
    "flip": ((ROWS,), lambda t, f, x: t.flip(x, (1,))),
    "roll": ((ROWS,), lambda t, f, x: t.roll(x, 3, 1)),
    "tril": ((ROWS,), lambda t, f, x: t.tril(x)),
    "index rows": ((ROWS,), lambda t, f, x: x[indices(t, x, 4096, 7, ROWS[0])]),
    "embedding": (
        ((10_000, 256),),
        lambda t, f, w: f.embedding(indices(t, w, 8192, 31, 10_000), w),
    ),
    "linear": (((256, 512), (512, 512), (512,)), lambda t, f, x, w, b: f.linear(x, w, b)),
    "bmm": (((64, 128, 32), (64, 32, 128)), lambda t, f, x, y: t.bmm(x, y)),
    "attention": (((4, 8, 128, 64),) * 3, lambda t, f, q, k, v: f.scaled_dot_product_attention(q, k, v)),
    "causal attention": (
        ((4, 8, 128, 64),) * 3,
        lambda t, f, q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
}


def arrays(options: dict[str, Any]) -> list[np.ndarray]:
    rng = np.random.default_rng(options["seed"])
    return [rng.standard_normal(shape, np.float32) for shape in OPERATIONS[options["name"]][0]]


def cotangent(options: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """Random, because the gradient of a plain sum can vanish (softmax)."""
    return np.asarray(np.random.default_rng([options["seed"], 1]).standard_normal(shape, np.float32))


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    inputs = arrays(options)
    operation = OPERATIONS[options["name"]][1]
    library: Any
    if kind == "torch":
        import torch as library

        functional = library.nn.functional
        tensors = [library.from_numpy(each) for each in inputs]
    else:
        import pyneural as library

        library.set_default_device(kind)
        functional = library.functional
        tensors = [library.tensor(each, device=kind) for each in inputs]
    # The memory of the tensors: what is written there is what the next call reads.
    shared = tuple(each.numpy() for each in tensors)
    if not options["gradient"]:
        return harness.Subject(lambda: operation(library, functional, *tensors), lambda result: result.numpy(), shared)
    for each in tensors:
        each.requires_grad_()
    result = operation(library, functional, *tensors)
    weights = cotangent(options, tuple(result.shape))
    cotangents = library.from_numpy(weights) if kind == "torch" else library.tensor(weights, device=kind)

    def run() -> Any:
        for each in tensors:
            each.grad = None
        operation(library, functional, *tensors).backward(cotangents)
        return tensors[0].grad

    return harness.Subject(run, lambda gradient: gradient.numpy(), shared)


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    import pyneural

    before = pyneural.get_default_device()
    pyneural.set_default_device("reference")
    try:
        tensors = [pyneural.tensor(each) for each in inputs]
        if options["gradient"]:
            for each in tensors:
                each.requires_grad_()
        result = OPERATIONS[options["name"]][1](pyneural, pyneural.functional, *tensors)
        if options["gradient"]:
            result.backward(pyneural.tensor(cotangent(options, result.shape).astype(np.float64)))
            result = tensors[0].grad
        array: np.ndarray = result.detach().numpy()
        return array
    finally:
        pyneural.set_default_device(before)


def describe(kind: str) -> dict[str, Any]:
    return harness.versions("torch" if kind == "torch" else "numba" if kind == "cpu" else "numpy")


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    quick = "--quick" in sys.argv[1:]
    cases = [
        harness.Case(
            f"{name}{' and gradient' if gradient else ''}", 0.0, {"name": name, "gradient": gradient, "seed": seed}
        )
        for name in OPERATIONS
        for gradient in (False, True)
    ]
    rounds, seconds = (2, 0.01) if quick else (5, 0.04)
    report = harness.race(
        "bench.bench_operations", CONTESTANTS, cases, truth, threads=2, rounds=rounds, round_seconds=seconds
    )
    harness.show("operations, float32", report, "pyneural")
    if not quick:
        print(harness.write("operations", [report]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
