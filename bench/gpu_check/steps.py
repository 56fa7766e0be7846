"""The steps of the check, the most valuable first."""

from __future__ import annotations

import os
import pathlib
import shutil
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Step:
    """A module of this package that is run as a process.

    Attributes:
        name: what ``--only`` and ``--from`` take.
        about: what it says, in a line.
        module, arguments: ``python -m bench.gpu_check.<module> <arguments>``.
        seconds: its time limit.
        tool: a program that it needs.
    """

    name: str
    about: str
    module: str
    arguments: tuple[str, ...]
    seconds: int
    tool: str | None = None


SANITIZER = "compute-sanitizer"
STEPS = (
    Step("environment", "versions, driver, card, commit", "environment", (), 120),
    Step("smoke", "memory, one kernel, every way of passing arguments", "smoke", (), 300),
    Step("contracts", "every operation's contract on cuda, float32", "contracts", ("--part", "usual"), 1200),
    Step("device", "training, indexing, files, out of memory on cuda", "contracts", ("--part", "device"), 600),
    Step("nccl", "collectives and a data-parallel training by NCCL, one rank", "nccl", (), 300),
    Step("benchmarks", "against cuBLAS, cuDNN and PyTorch", "benchmarks", (), 900),
    Step(
        "memcheck", "compute-sanitizer: out of bounds, misaligned", "sanitizer", ("memcheck",), 600, "compute-sanitizer"
    ),
    Step("counters", "Nsight Compute's counters beside the simulator's", "counters", (), 600, "ncu"),
    Step(
        "racecheck", "compute-sanitizer: races in shared memory", "sanitizer", ("racecheck",), 600, "compute-sanitizer"
    ),
    Step("synccheck", "compute-sanitizer: barriers", "sanitizer", ("synccheck",), 600, SANITIZER),
    Step("initcheck", "compute-sanitizer: uninitialised memory", "sanitizer", ("initcheck",), 600, SANITIZER),
    Step("every-dtype", "contracts on cuda, all other dtypes", "contracts", ("--part", "dtypes"), 3600),
)


def find_tool(name: str) -> str | None:
    """A program of the CUDA toolkit: on the path, or where toolkits are installed."""
    found = shutil.which(name)
    if found:
        return found
    roots = [os.environ.get(each) for each in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
    for root in roots:
        for place in ("bin", "compute-sanitizer", "nsight-compute"):
            path = pathlib.Path(root or "/nowhere") / place / name
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
    return next((str(each) for each in sorted(pathlib.Path("/opt/nvidia/nsight-compute").glob(f"*/{name}"))), None)
