"""float32 convolution, forward and both gradients, against PyTorch: ``python -m bench.bench_conv``.

PyTorch takes part three times: as it is; with glibc's malloc told to keep its memory, because page
faults cost it more than the arithmetic; and with channels_last tensors besides.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pyneural.bench.contestants import TUNED

from . import harness

CONTESTANTS = (
    harness.Contestant("pyneural", "pyneural", {}),
    harness.Contestant("PyTorch", "torch", {}),
    harness.Contestant("PyTorch tuned", "torch", TUNED),
    harness.Contestant("PyTorch tuned channels_last", "torch_channels_last", TUNED),
)
# x, output channels, kernel, stride, padding, groups
SHAPES = [
    ((32, 3, 32, 32), 64, 3, 1, 1, 1),
    ((32, 64, 32, 32), 64, 3, 1, 1, 1),
    ((32, 128, 16, 16), 128, 3, 1, 1, 1),
    ((8, 64, 56, 56), 128, 3, 2, 1, 1),
    ((32, 256, 8, 8), 256, 1, 1, 0, 1),
    ((32, 64, 16, 16), 64, 3, 1, 1, 64),
    ((64, 1, 8, 8), 32, 3, 1, 1, 1),
    ((64, 32, 8, 8), 64, 3, 1, 1, 1),
]
PASSES = ("forward", "dgrad", "wgrad")


def arrays(options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(options["seed"])
    n, c, h, w = options["x"]
    k, size, stride, padding = (options[name] for name in ("outs", "kernel", "stride", "padding"))
    p, q = ((each + 2 * padding - size) // stride + 1 for each in (h, w))
    x = rng.standard_normal((n, c, h, w), np.float32)
    weight = rng.standard_normal((k, c // options["groups"], size, size), np.float32)
    return x, weight, rng.standard_normal((n, k, p, q), np.float32)


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    x, weight, grad = arrays(options)
    stride, padding, groups, which = (options[name] for name in ("stride", "padding", "groups", "pass"))
    if kind == "pyneural":
        from pyneural import kernels

        own = (x, weight, grad)
        return harness.Subject(_ours(kernels.backend("numba_cpu"), *own, options), np.asarray, own)
    import torch

    layout = torch.channels_last if kind == "torch_channels_last" else torch.contiguous_format
    tensors = [torch.from_numpy(each).contiguous(memory_format=layout) for each in (x, weight, grad)]
    torch_x, torch_weight, torch_grad = tensors
    inputs = tuple(each.numpy() for each in tensors)
    pair = ([stride] * 2, [padding] * 2, [1, 1])
    if which == "forward":
        return harness.Subject(
            lambda: torch.nn.functional.conv2d(torch_x, torch_weight, None, stride, padding, 1, groups),
            lambda result: result.numpy(),
            inputs,
        )
    wanted = [which == "dgrad", which == "wgrad", False]
    backward = torch.ops.aten.convolution_backward
    return harness.Subject(
        lambda: backward(torch_grad, torch_x, torch_weight, None, *pair, False, [0, 0], groups, wanted),
        lambda result: result[0 if which == "dgrad" else 1].numpy(),
        inputs,
    )


def _ours(module: Any, x: np.ndarray, weight: np.ndarray, grad: np.ndarray, options: dict[str, Any]) -> harness.Run:
    attributes = {name: options[name] for name in ("stride", "padding", "groups")}
    if options["pass"] == "forward":
        return lambda: module.conv2d(x, weight, **attributes, dilation=1)
    if options["pass"] == "dgrad":
        return lambda: module.conv2d_dgrad(grad, weight, input_size=x.shape[2:], **attributes, dilation=1)
    return lambda: module.conv2d_wgrad(grad, x, kernel_size=weight.shape[2:], **attributes, dilation=1)


def describe(kind: str) -> dict[str, Any]:
    if kind != "pyneural":
        return harness.versions("torch")
    from pyneural.kernels import simd

    return {**harness.versions("numba", "llvmlite"), "simd": simd.CHOSEN.name}


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    from pyneural.kernels.conv import reference

    x, weight, grad = inputs
    result: np.ndarray = _ours(reference, x, weight, grad, options)()
    return result


def main() -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    cases = []
    for x, outs, kernel, stride, padding, groups in SHAPES:
        options = {"x": x, "outs": outs, "kernel": kernel, "stride": stride, "padding": padding, "groups": groups}
        name = f"{'x'.join(map(str, x))} to {outs}, k{kernel} s{stride}" + (f" g{groups}" if groups > 1 else "")
        pixels = ((x[2] + 2 * padding - kernel) // stride + 1) * ((x[3] + 2 * padding - kernel) // stride + 1)
        work = 2.0 * x[0] * outs * pixels * x[1] // groups * kernel * kernel
        for which in PASSES:
            cases.append(harness.Case(f"{name}, {which}", work, {**options, "pass": which, "seed": seed}))
    report = harness.race("bench.bench_conv", CONTESTANTS, cases, truth, threads=2, rounds=6, round_seconds=0.06)
    harness.show("conv2d, float32", report, "pyneural")
    print(harness.write("conv", [report]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        harness.serve(prepare, describe)
    else:
        main()
