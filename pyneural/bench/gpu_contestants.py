"""Who takes part in ``pyneural bench --device cuda``; run as `contestants` is.

On the GPU: pyneural on the device "cuda", CuPy (with cuBLAS under its products) and PyTorch. The contestants of
`contestants` that need no GPU may take part beside them: on the host's arrays, by the host's clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.kernels.gpu import from_host, to_host

from . import contestants, gpu, subjects
from .contestants import ALL, SUBJECT, WIDE, Kind
from .machine import last_level_cache, versions
from .workloads import WORKLOADS, Workload, inputs

MODULE = "pyneural.bench.gpu_contestants"
HOST = ("reference", "numpy", "scipy", "numba")
TORCH = ("torch", "torch-compile")
TORCH_DEVICE = "cuda"

_PRODUCTS = (WORKLOADS["matmul"], WORKLOADS["linear"])


def _torch_lacks() -> list[str]:
    import torch

    return [] if torch.cuda.is_available() else ["a PyTorch that finds the GPU"]


KINDS: dict[str, Kind] = {
    SUBJECT: Kind(("numba", "cupy"), ALL),
    "cublas": Kind(("cupy",), (*WIDE, "float16"), lambda workload: workload in _PRODUCTS),
    "cupy": Kind(("cupy",), WIDE, lambda workload: workload.numpy is not None),
    **dict.fromkeys(TORCH, Kind(("torch",), ALL, lacks=_torch_lacks)),
    **{name: contestants.KINDS[name] for name in HOST},
}
"""By the name that ``--against`` takes. CuPy runs what NumPy's contestant does; of its products cuBLAS is the name."""


def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
    """The contestant's side of one case, as `contestants.prepare`.

    With the option ``replay``, what it computes on the GPU is a graph that is recorded here and replayed at each call.
    """
    if kind in HOST:
        return contestants.prepare(kind, options)
    # In memory of their own: what others write there would be missing from the copy on the GPU.
    workload, arrays = WORKLOADS[options["operation"]], inputs({**options, "set": None})
    if kind in TORCH:
        subject, replayed = _torch(workload, arrays, compiled=kind == "torch-compile"), torch_replayed
    else:
        subject, replayed = (_pyneural if kind == SUBJECT else _cupy)(workload, arrays), gpu.replayed
    return subject._replace(run=replayed(subject.run)) if options.get("replay") else subject


def _pyneural(workload: Workload, arrays: list[np.ndarray]) -> subjects.Subject:
    import pyneural

    tensors = [pyneural.tensor(each, device="cuda") for each in arrays]
    return subjects.Subject(
        lambda: workload.call(pyneural, pyneural.functional, *tensors),
        lambda result: result.cpu().numpy(),
        tuple(arrays),
        lambda result: result.fill_(math.nan),
        gpu.event_clock,
        lambda: _write([each.array for each in tensors], arrays),
    )


def _cupy(workload: Workload, arrays: list[np.ndarray]) -> subjects.Subject:
    import cupy

    function: Callable[..., Any] | None = workload.numpy
    assert function is not None
    call, there = function, [from_host(cupy.cuda.runtime.getDevice(), each) for each in arrays]
    return subjects.Subject(
        lambda: call(*there),
        to_host,
        tuple(arrays),
        lambda result: result.fill(math.nan),
        gpu.event_clock,
        lambda: _write(there, arrays),
    )


def _write(there: list[Any], arrays: list[np.ndarray]) -> None:
    for array, new in zip(there, arrays, strict=True):
        array.set(new)


def torch_clock(run: subjects.Run) -> tuple[float, Any]:
    """`gpu.event_clock` in PyTorch's stream."""
    import torch

    event: Any = torch.cuda.Event
    begin, end = event(enable_timing=True), event(enable_timing=True)
    torch.cuda.synchronize()
    begin.record()
    result = run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3, result


def torch_replayed(run: subjects.Run) -> subjects.Run:
    """`gpu.replayed` by PyTorch's graphs."""
    import torch

    library: Any = torch.cuda
    aside = library.Stream()
    aside.wait_stream(library.current_stream())
    with library.stream(aside):  # what is chosen or compiled at first calls, as PyTorch's notes on graphs have it
        for _ in range(3):
            run()
    library.current_stream().wait_stream(aside)
    graph = library.CUDAGraph()
    with library.graph(graph):
        result = run()

    def replay() -> Any:
        graph.replay()
        return result

    return replay


def _torch(workload: Workload, arrays: list[np.ndarray], *, compiled: bool) -> subjects.Subject:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # as everybody else
    torch.backends.cudnn.benchmark = True
    on_host = contestants.torch_on(workload, arrays, compiled=compiled)
    there = [each.to(TORCH_DEVICE, copy=True) for each in on_host.tensors]
    return subjects.Subject(
        lambda: on_host.call(*there),
        lambda result: on_host.to_numpy(result.cpu()),
        tuple(arrays),
        lambda result: result.fill_(math.nan),
        torch_clock,
        lambda: _copy(there, on_host.tensors),
    )


def _copy(there: list[Any], tensors: list[Any]) -> None:
    for tensor, new in zip(there, tensors, strict=True):
        tensor.copy_(new)


def describe(kind: str) -> dict[str, Any]:
    """Versions; of pyneural also the card and its ceilings."""
    if kind in HOST:
        return contestants.describe(kind)
    if kind in TORCH:
        import torch

        cudnn: Any = torch.backends.cudnn
        return {**versions("torch"), "cuda": torch.version.cuda, "cudnn": cudnn.version()}
    import cupy

    if kind != SUBJECT:
        return {"cupy": cupy.__version__}
    import pyneural

    return {
        "pyneural": pyneural.__version__,
        "cupy": cupy.__version__,
        "card": gpu.card(),
        "ceilings": gpu.ceilings(),
    }


def cache(kind: str) -> int:
    """Bytes of the last cache before the memory of a contestant's inputs."""
    return last_level_cache() if kind in HOST else gpu.level_2_cache()


if __name__ == "__main__":
    subjects.serve(prepare, describe, cache)
