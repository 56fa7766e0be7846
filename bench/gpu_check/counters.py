"""Counters of real kernels by Nsight Compute, beside what the simulator counts for the same launches."""

from __future__ import annotations

import argparse
import csv
import io
import os
import pathlib
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .run import Findings, run, seconds_left, tail
from .steps import find_tool

METRICS = {
    "global_load_requests": "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum",
    "global_load_sectors": "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum",
    "global_store_requests": "l1tex__t_requests_pipe_lsu_mem_global_op_st.sum",
    "global_store_sectors": "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum",
    "shared_load_wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum",
    "shared_store_wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum",
    "shared_load_bank_conflicts": "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum",
    "shared_store_bank_conflicts": "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum",
}
"""The simulator's names, and Nsight Compute's (docs/simulator.md)."""

SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "add": ((1 << 18,), (1 << 18,)),
    "gelu": ((1 << 18,),),
    "softmax": ((256, 1000),),
    "layer_norm": ((256, 1024), (1024,), (1024,)),
    "sum": ((128, 4096),),
    "matmul": ((256, 192), (192, 320)),
}
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "softmax": {"dim": 1}, "layer_norm": {"normalized_shape": (1024,)}, "sum": {"dim": 1}
}  # fmt: skip


def calls(move: Callable[[np.ndarray], Any], small: bool) -> dict[str, tuple[list[Any], dict[str, Any]]]:
    """The operations that are counted, with arrays as ``move`` makes them; ``small``: few, of few elements."""
    rng = np.random.default_rng(7)
    chosen = {name: tuple((1 << 10,) for _ in SHAPES[name]) for name in ("add", "gelu")} if small else SHAPES
    return {
        name: ([move(rng.standard_normal(shape).astype(np.float32)) for shape in shapes], _ATTRIBUTES.get(name, {}))
        for name, shapes in chosen.items()
    }


def on_gpu(small: bool) -> None:
    """What ncu watches: every call once, marked by a name of its own on standard output."""
    import cupy

    import pyneural

    cuda = pyneural.device("cuda")
    for name, (arrays, attributes) in calls(cuda.engine.uploaded, small).items():
        getattr(cuda.kernels, name)(*arrays, **attributes)
        cupy.cuda.runtime.deviceSynchronize()


def simulated(small: bool = False) -> list[dict[str, Any]]:
    """The simulator's counters of each launch, in order."""
    from pyneural import cuda, kernels
    from pyneural.kernels import cuda_launch

    found: list[dict[str, Any]] = []

    def count(launch: Any) -> None:
        profile = cuda.profile(launch.simulated())[launch.grid, launch.block, launch.shared](*launch.arguments)
        total = dict(profile.total)
        found.append({"kernel": launch.name, **{name: total.get(name, 0) for name in METRICS}})

    backend = kernels.backend("cuda")
    for name, (arrays, attributes) in calls(lambda array: array, small).items():
        with cuda_launch.launched_by(count):
            getattr(backend, name)(*arrays, **attributes)
    return found


def read(text: str) -> list[dict[str, Any]]:
    """Launches and metrics of ncu's CSV, a row for each launch or for each metric of one."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        return []
    launches: dict[str, dict[str, Any]] = {}
    names = {metric: name for name, metric in METRICS.items()}
    for row in csv.DictReader(io.StringIO("\n".join(line for line in lines[start:] if line.startswith('"')))):
        if not row.get("ID"):  # units
            continue
        launch = launches.setdefault(row["ID"], {"kernel": row.get("Kernel Name", "")})
        given = {row["Metric Name"]: row["Metric Value"]} if row.get("Metric Name") else row
        for metric, value in given.items():
            if metric in names and value:
                launch[names[metric]] = float(value.replace(",", ""))
    return list(launches.values())


def plain(kernel: str) -> str:
    """A kernel's name without template arguments, parameters and return type."""
    return re.sub(r"[<(].*", "", kernel).split("::")[-1].split()[-1] if kernel else ""


def beside(real: list[dict[str, Any]], simulator: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of (kernel, counter, real, simulated), launch by launch; kernels of others, CuPy's say, are left out."""
    ours = {plain(each["kernel"]) for each in simulator}
    kept = [each for each in real if plain(each["kernel"]) in ours]
    if [plain(each["kernel"]) for each in kept] != [plain(each["kernel"]) for each in simulator]:
        return []
    return [
        {"kernel": theirs["kernel"], "counter": name, "gpu": theirs.get(name), "simulator": own[name]}
        for theirs, own in zip(kept, simulator, strict=True)
        for name in METRICS
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", action="store_true", help="only the calls: what ncu watches")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    if options.run:
        on_gpu(options.small)
        return 0
    begin, findings = time.monotonic(), Findings()
    program = find_tool("ncu")
    if program is None:
        print("ncu is not on this machine")
        return 1
    log = pathlib.Path(findings.path or tempfile.mkdtemp()).with_suffix(".log")
    watched = [sys.executable, "-m", "bench.gpu_check.counters", "--run", *(["--small"] if options.small else [])]
    # Kernels are compiled before: what CuPy does meanwhile is nothing to count.
    run(watched, log.with_suffix(".warm.log"), 200, dict(os.environ))
    command = [program, "--csv", "--page", "raw", "--metrics", ",".join(METRICS.values()), *watched]
    code, _ = run(command, log, seconds_left(begin) - 100, dict(os.environ))
    text = log.read_text(errors="replace")
    if "ERR_NVGPUCTRPERM" in text:
        findings.set("reason", "this user may not read the GPU's counters (ERR_NVGPUCTRPERM): run it as root")
    real = read(text)
    findings.set("gpu", real)
    try:
        counted = simulated(options.small)
        findings.set("simulator", counted)
    except Exception as error:  # no host compiler, say
        findings.set("simulator_missing", f"{type(error).__name__}: {error}")
        counted = []
    rows = beside(real, counted)
    findings.set("beside", rows)
    for row in rows:
        print(f"{row['kernel'][:40]:40} {row['counter']:28} gpu {row['gpu']}  simulator {row['simulator']}")
    if code != 0 or not real:
        findings.set("tail", tail(log))
        print(tail(log))
        return 1
    if counted and not rows:
        print("the launches on the GPU are not those in the simulator")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
