"""Peak memory of whole training steps, float32, against PyTorch: ``python -m bench.bench_memory [--quick]``.

The steps of `bench.bench_training`, each in a process of its own with two threads, several times. Counted are pages:
the most that the process held during steps after the first ones (VmHWM of Linux, set back before them), less what it
held when all code was loaded and no model was there. glibc is told to give large blocks back as soon as they are free,
so that no allocator is charged for what it keeps; the package's pool is emptied before the steps that count. ``kept``
are the bytes of parameters, gradients and the optimizer's state, which are the same for all contestants.
"""

from __future__ import annotations

import gc
import json
import os
import pathlib
import statistics
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from . import bench_training, harness

# PyTorch tuned differs by its allocator alone, and that is set here.
KINDS = {each.name: each.kind for each in bench_training.CONTESTANTS if each.name != "PyTorch tuned"}
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0"}
THREADS = 2
STATES = {"SGD": 1, "AdamW": 2}
"""Arrays of an optimizer's state for each parameter, the momentum among them."""


def measure(kind: str, name: str) -> dict[str, int]:
    """Bytes of a case at most, and of what is kept from step to step."""
    if kind.startswith("cpu"):
        import pyneural as library
        from pyneural.kernels.memory import empty_cache

        made: dict[str, Any] = {"device": "cpu"}
    else:
        import torch as library

        def empty_cache() -> int:
            return 0

        made = {}
    x = library.from_numpy(bench_training.inputs({"name": name, "seed": 0}))

    def step() -> Any:
        options = {"name": name, "seed": 0}
        return bench_training.step(library, options, kind.endswith("-compile"), dtype=library.float32, **made)

    def settled() -> None:
        gc.collect()
        empty_cache()

    run = step()
    for _ in range(4):
        run(x)
    del run
    settled()
    before = _status("VmRSS")
    run = step()
    for _ in range(4):
        run(x)
    settled()
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # from here on VmHWM is of what follows
    for _ in range(5):
        run(x)
    return {"peak": _status("VmHWM") - before, "kept": kept(name)}


def kept(name: str) -> int:
    """Bytes of parameters, gradients and the optimizer's state."""
    import pyneural

    build, _, optimizer = bench_training.STEPS[name]
    elements = sum(each.numel() for each in build(pyneural.nn, device="reference").parameters())
    return 4 * elements * (2 + STATES[optimizer])


def _status(field: str) -> int:
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def _asked(kind: str, name: str) -> dict[str, int]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(THREADS))
    command = [sys.executable, "-m", "bench.bench_memory", "--measure", kind, name]
    done = subprocess.run(
        command, cwd=harness.ROOT, env=os.environ | MALLOC | threads, check=True, stdout=subprocess.PIPE, text=True
    )
    answer: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    cases = []
    for name in bench_training.STEPS:
        peaks: dict[str, list[int]] = {each: [] for each in KINDS}
        for _ in range(1 if quick else 3):
            for contestant, kind in KINDS.items():
                answer = _asked(kind, name)
                peaks[contestant].append(answer["peak"])
        medians = {each: int(statistics.median(found)) for each, found in peaks.items()}
        cases.append({"case": name, "kept": answer["kept"], "bytes": medians, "runs": peaks})
        print(json.dumps(cases[-1]), flush=True)
    show(cases)
    if not quick:
        path = harness.RESULTS / "memory.json"
        contestants = {name: harness.versions("numba" if kind[0] == "c" else "torch") for name, kind in KINDS.items()}
        content = {"machine": harness.machine(), "threads": THREADS, "contestants": contestants, "cases": cases}
        path.write_text(json.dumps(content, indent=1) + "\n")
        print(path)


def show(cases: list[dict[str, Any]]) -> None:
    """Print MiB, and in brackets what part it is of PyTorch's."""
    table = Table(title=f"peak memory of a training step, float32, {THREADS} threads: MiB (of PyTorch's)")
    for column in ("case", "kept", *KINDS):
        table.add_column(column, justify="left" if column == "case" else "right")
    for case in cases:
        found = case["bytes"]
        cells = [f"{found[each] / 2**20:.2f} ({found[each] / found['PyTorch']:.2f})" for each in KINDS]
        table.add_row(case["case"], f"{case['kept'] / 2**20:.2f}", *cells)
    Console(width=150).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*sys.argv[2:])))
    else:
        main()
