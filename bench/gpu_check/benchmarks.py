"""pyneural's kernels against cuBLAS, cuDNN and PyTorch, on one GPU.

Every contestant computes on the same memory, in CUDA-event time, warmed up, in turns; the operands change from call to
call, so that none is in the level-2 cache from the one before. A result that is wrong before or after the timing is not
timed but reported.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural.kernels import dtypes

from .races import TOLERANCE, Race, error, races
from .run import Findings, seconds_left

ROUNDS = 9
BATCH = 0.02  # seconds that are timed at once
CACHE = 192 * 1024**2  # bytes: more than any level-2 cache
MOST = 6 * 1024**3  # bytes of operands

PEAKS = {
    "H200": (67e12, 989e12, 4.8e12),
    "H100 PCIe": (51e12, 756e12, 2.0e12),
    "H100 NVL": (60e12, 835e12, 3.9e12),
    "H100": (67e12, 989e12, 3.35e12),
    "A100": (19.5e12, 312e12, 1.555e12),
    "L40S": (91.6e12, 362e12, 0.864e12),
    "RTX 4090": (82.6e12, 165e12, 1.008e12),
    "RTX 3090": (35.6e12, 71e12, 0.936e12),
}
"""By a part of the card's name: float32 and 16-bit tensor-core operations and bytes a second (NVIDIA's data sheets)."""


def peak(card: str) -> tuple[float, float, float] | None:
    return next((each for name, each in PEAKS.items() if name.lower() in card.lower()), None)


def share(race: Race, seconds: float, limits: tuple[float, float, float]) -> tuple[float, str]:
    """What of the card's peak a time is, and which peak it is that bounds the computation."""
    single, half, bandwidth = limits
    by_memory = race.nbytes / bandwidth
    by_arithmetic = race.flops / (half if race.dtype.itemsize == 2 else single)
    if by_memory >= by_arithmetic:
        return by_memory / seconds, "memory"
    return by_arithmetic / seconds, "arithmetic"


def measure(runs: dict[str, Callable[[int], Any]]) -> dict[str, float]:
    """Seconds of a call of each, the median of rounds in turns."""
    import cupy

    begin, end = cupy.cuda.Event(), cupy.cuda.Event()

    def timed(run: Callable[[int], Any], count: int) -> float:
        begin.record()
        for number in range(count):
            run(number)
        end.record()
        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3 / count

    counts, times = {}, {name: [] for name in runs}  # type: dict[str, int], dict[str, list[float]]
    for name, run in runs.items():
        timed(run, 3)
        counts[name] = max(1, min(1000, math.ceil(BATCH / max(timed(run, 3), 1e-7))))
    order = list(runs)
    for _ in range(ROUNDS):
        for name in order:
            times[name].append(timed(runs[name], counts[name]))
        order = [*order[1:], order[0]]
    return {name: statistics.median(each) for name, each in times.items()}


def _torch(array: Any) -> Any:
    """A tensor of PyTorch's over CuPy's memory."""
    import torch

    if array.dtype.itemsize == 2:  # DLPack has bfloat16, but not every version of CuPy
        named = torch.bfloat16 if array.dtype == dtypes.bfloat16 else torch.float16
        return torch.from_dlpack(array.view(np.int16)).view(named)
    return torch.from_dlpack(array)


def _host(result: Any, where: Any) -> np.ndarray:
    cut = result[where]
    if hasattr(cut, "cpu"):
        return np.asarray(cut.double().cpu().numpy())
    from pyneural.kernels.gpu import to_host

    return to_host(cut).astype(np.float64)


def contestants(race: Race, sets: list[list[Any]], kernels: Any, findings: Findings) -> dict[str, Callable[[int], Any]]:
    """Who computes, as functions of the number of the call; those that cannot are reported."""
    own = race.own(kernels)
    runs: dict[str, Callable[[int], Any]] = {"pyneural": lambda number: own(*sets[number % len(sets)])}
    try:
        import torch

        if torch.cuda.is_available():
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cudnn.benchmark = True
            tensors = [[_torch(each) for each in operands] for operands in sets]

            def by_torch(number: int) -> Any:
                with torch.no_grad():
                    return race.torch(*tensors[number % len(tensors)])

            runs["PyTorch"] = by_torch
    except Exception as problem:
        findings.add("absent", f"{race.name}: PyTorch: {type(problem).__name__}: {problem}")
    import cupy

    by_cupy = race.cupy
    if by_cupy is not None and hasattr(cupy, "matmul"):
        runs["CuPy (cuBLAS)"] = lambda number: by_cupy(*sets[number % len(sets)])
    return runs


def run_race(race: Race, findings: Findings, limits: tuple[float, float, float] | None) -> None:
    """Judge, time, judge again, report."""
    import pyneural

    cuda = pyneural.device("cuda")
    first = race.operands(0)
    nbytes = sum(each.nbytes for each in first)
    count = max(2, min(64, math.ceil(CACHE / nbytes), MOST // max(nbytes, 1)))
    # Two sets of numbers, in as many places as fill the cache.
    numbers = [first, race.operands(1)]
    sets = [[cuda.from_host(each) for each in numbers[number % 2]] for number in range(count)]
    truths = [race.truth(each) for each in numbers]
    runs = contestants(race, sets, cuda.kernels, findings)
    errors: dict[str, float] = {}

    def judge(moment: str) -> None:
        for name, run in list(runs.items()):
            try:
                worst = max(error(_host(run(number), truths[number][0]), truths[number][1]) for number in range(2))
            except Exception as problem:
                if name == "pyneural":
                    raise
                findings.add("absent", f"{race.name}: {name}: {type(problem).__name__}: {problem}")
                del runs[name]
                continue
            errors[name] = max(worst, errors.get(name, 0.0))
            if not worst <= TOLERANCE[race.dtype.name]:
                message = f"wrong {moment}: error {worst:.3g}, allowed {TOLERANCE[race.dtype.name]:.3g}"
                findings.add("failures", {"case": f"{race.name}: {name}", "error": message})
                print(f"{race.name}: {name}: {message}")
                del runs[name]

    judge("before the timing")
    if "pyneural" not in runs:
        return
    seconds = measure(runs)
    judge("after the timing")
    seconds = {name: each for name, each in seconds.items() if name in runs}
    case: dict[str, Any] = {"case": race.name, "seconds": seconds, "errors": errors}
    if limits and "pyneural" in seconds:
        case["share"], case["bound"] = share(race, seconds["pyneural"], limits)
    findings.add("cases", case)
    print(case, flush=True)


def run_adam(findings: Findings, limits: tuple[float, float, float] | None, tensors: int, size: int) -> None:
    """AdamW on many tensors at once, against PyTorch's fused one; judged on numbers of its own."""
    import cupy

    import pyneural
    from pyneural.kernels import backend

    cuda, rng = pyneural.device("cuda"), np.random.default_rng(3)
    attributes = {"step": 3, "lr": 1e-3, "weight_decay": 0.01, "decoupled": True}
    name = f"adamw {tensors} tensors of {size} float32"

    def judge() -> bool:
        lists = [[rng.random(257).astype(np.float32) for _ in range(5)] for _ in range(4)]
        exact = [[each.astype(np.float64) for each in several] for several in lists]
        there = [[cuda.from_host(each) for each in several] for several in lists]
        backend("reference").adam_step(*exact, **attributes)
        cuda.kernels.adam_step(*there, **attributes)
        worst = max(error(each.get(), true) for each, true in zip(there[0], exact[0], strict=True))
        if not worst <= TOLERANCE["float32"]:
            findings.add("failures", {"case": name, "error": f"wrong: error {worst:.3g}"})
        return worst <= TOLERANCE["float32"]

    if not judge():
        return
    lists = [[cuda.from_host(rng.random(size).astype(np.float32)) for _ in range(tensors)] for _ in range(4)]
    runs: dict[str, Callable[[int], Any]] = {"pyneural": lambda _: cuda.kernels.adam_step(*lists, **attributes)}
    try:
        import torch

        if torch.cuda.is_available():
            params = [torch.nn.Parameter(_torch(each).clone()) for each in lists[0]]
            for param, grad in zip(params, lists[1], strict=True):
                param.grad = _torch(grad).clone()
            adam = torch.optim.AdamW(params, lr=1e-3, weight_decay=0.01, fused=True)
            runs["PyTorch"] = lambda _: adam.step()
    except Exception as problem:
        findings.add("absent", f"{name}: PyTorch: {type(problem).__name__}: {problem}")
    seconds = measure(runs)
    if judge():
        case: dict[str, Any] = {"case": name, "seconds": seconds}
        if limits:  # reads four arrays, writes three
            case["share"], case["bound"] = 7.0 * 4 * tensors * size / limits[2] / seconds["pyneural"], "memory"
        findings.add("cases", case)
        print(case, flush=True)
    cupy.get_default_memory_pool().free_all_blocks()


def copy_bandwidth(nbytes: int) -> float:
    """Bytes a second that a copy within the GPU's memory reads and writes."""
    import cupy

    source, target = (cupy.empty((nbytes,), np.dtype(np.uint8)) for _ in range(2))
    stream = cupy.cuda.get_current_stream()
    found = measure({"copy": lambda _: target.data.copy_from_device_async(source.data, nbytes, stream)})
    return 2.0 * nbytes / found["copy"]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="sizes for a rehearsal")
    parser.add_argument("--operations", default="", help="only these")
    options = parser.parse_args()
    begin, findings = time.monotonic(), Findings()
    import cupy

    name = cupy.cuda.runtime.getDeviceProperties(0)["name"]
    card = name.decode() if isinstance(name, bytes) else str(name)
    limits = peak(card)
    findings.set("peak", limits)
    findings.set("cases", [])
    try:
        findings.set("copy_bandwidth", copy_bandwidth(1 << 16 if options.small else 1 << 29))
    except Exception as problem:
        findings.add("failures", {"case": "copy", "error": f"{type(problem).__name__}: {problem}"})
    asked = {each for each in options.operations.split(",") if each}
    for race in races(options.small):
        if asked and race.operation not in asked:
            continue
        if seconds_left(begin) < 30:
            findings.add("not_run", race.name)
            continue
        try:
            run_race(race, findings, limits)
        except Exception as problem:
            findings.add("failures", {"case": race.name, "error": f"{type(problem).__name__}: {problem}"})
            traceback.print_exc()
        cupy.get_default_memory_pool().free_all_blocks()
    if not asked or "adam_step" in asked:
        try:
            run_adam(findings, limits, *((3, 500) if options.small else (64, 1 << 20)))
        except Exception as problem:
            findings.add("failures", {"case": "adamw", "error": f"{type(problem).__name__}: {problem}"})
            traceback.print_exc()
    return 1 if findings.values.get("failures") or not findings.values["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
