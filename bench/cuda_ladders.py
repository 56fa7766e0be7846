"""The table of the CUDA ladders: what the simulator counts of each rung, and what nvcc gives it.

``python -m bench.cuda_ladders`` counts anew and writes ``bench/results/cuda_ladders.json`` and ``docs/ladders.md`` (it
needs nvcc for the registers); ``--page`` writes the page from the numbers that are there; ``--check`` compares.
Nothing here is a speed: no GPU takes part.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyneural.cuda import CompilerNotFoundError, Counters, ladders
from pyneural.cuda.ladders import Rung
from pyneural.cuda.resources import ARCHITECTURES, nvcc

from . import cards, harness

PAGE = harness.ROOT / "docs" / "ladders.md"
RESULT = harness.RESULTS / "cuda_ladders.json"

FALLS = 0.98
"""What a rung improves is at most this share of the rung before it."""


@dataclass
class Problem:
    """What a rung is counted on: inputs, attributes, and how many units of work it is."""

    inputs: tuple[Any, ...]
    unit: str
    work: int
    text: str
    attributes: dict[str, int] = field(default_factory=dict)


def _normal(rung: Rung, rng: np.random.Generator) -> Callable[..., Any]:
    """Normal numbers of the dtype that the rung takes."""
    dtype = rung.header.passes["forward"].inputs[0].dtype
    return lambda *shape: rng.standard_normal(shape).astype(dtype)


def problem(rung: Rung) -> Problem:
    """The forward pass that all rungs of a ladder are counted on; sizes are whole tiles of every rung."""
    rng = np.random.default_rng(1)
    normal = _normal(rung, rng)
    if rung.ladder == "matmul":
        return Problem((normal(256, 64), normal(64, 256)), "FMA", 256 * 256 * 64, "256 x 64 by 64 x 256")
    if rung.ladder == "conv":
        filters = (16, 1, 3, 3) if rung.name == "depthwise" else (64, 16, 3, 3)
        work = 4 * 16 * 16 * filters[0] * filters[1] * 9
        text = "4 images of 16 channels, 16 x 16, 64 filters of 3 x 3 (depthwise: 16), padding 1"
        return Problem((normal(4, 16, 16, 16), normal(*filters)), "FMA", work, text, {"padding": 1})
    if rung.ladder == "attention":
        inputs = (normal(1, 128, 64), normal(1, 128, 64), normal(1, 128, 64))
        return Problem(inputs, "FMA", 2 * 128 * 128 * 64, "one head, 128 rows and keys of 64, causal", {"causal": 1})
    if rung.ladder == "histogram":
        x = (rng.standard_normal(1 << 18) * 20 + 128).astype(np.int32)
        return Problem((x,), "element", x.size, "2^18 normal numbers around 128, of width 20, in 256 bins")
    shape: tuple[int, ...] = {"transpose": (256, 256), "softmax": (8, 2048)}.get(rung.ladder, (1 << 16,))
    work = int(np.prod(shape))
    return Problem((normal(*shape),), "element", work, " x ".join(map(str, shape)) + " elements")


def quantity(counters: Counters, name: str) -> float:
    """A counter by its name, or one of those that are made of several.

    ``memory_instructions`` leaves local memory out: arrays whose address an instruction's simulated body takes are
    registers on a GPU. ``shared_load_bytes`` are the distinct bytes that the lanes of a warp's request ask for.
    """
    if name == "bank_conflicts":
        return counters["shared_load_bank_conflicts"] + counters["shared_store_bank_conflicts"]
    if name == "memory_instructions":
        return counters[name] - counters["local_load_requests"] - counters["local_store_requests"]
    if name == "shared_load_bytes":
        return counters._sum("shared_load", "bytes")
    return counters[name]


def counted(rung: Rung) -> Counters:
    """The simulator's counters of a rung on its problem."""
    its = problem(rung)
    return rung.profile(*its.inputs, **its.attributes)[1]


def value(rung: Rung, counters: Counters, name: str, unit: str) -> float:
    """A quantity for each unit of work; "request" stands for a counter that is an average already."""
    its = problem(rung)
    if unit == "request":
        return quantity(counters, name)
    if unit != its.unit:
        raise ValueError(f"{rung!r}: improves: unit (={unit!r}) must be {its.unit!r} or 'request'")
    return quantity(counters, name) / its.work


def compared(rung: Rung) -> Rung | None:
    """The rung that this one's header compares it with; None for the first of a ladder."""
    if rung.header.improves is None:
        return None
    over = rung.header.improves.over
    return ladders.rung(rung.ladder, rung.number - 1 if over is None else over)


COLUMNS = {
    "global_load_sectors": "sectors loaded",
    "global_store_sectors": "sectors stored",
    "shared_load_bytes": "shared bytes loaded",
    "shared_load_wavefronts": "shared load wavefronts",
    "bank_conflicts": "bank conflicts",
    "memory_instructions": "memory instructions",
    "atomic_requests": "atomic requests",
}
OTHERS = (
    *("global_load_requests", "shared_load_requests", "shared_store_requests", "atomic_global_requests"),
    "shared_store_wavefronts",
)
"""Named by some header or needed for the prediction, in no column."""

PRODUCTS = {"11_tf32x3": 3.0, "07_winograd_f2": 4 / 9, "08_winograd_f4": 1 / 4}
"""Multiplications for each of the direct algorithm, where they are not one."""


def digest(rung: Rung) -> str:
    """Of the source, so that a change of it shows that the table is stale."""
    return hashlib.sha256(rung.path.read_bytes()).hexdigest()[:16]


def measure() -> dict[str, Any]:
    """Every rung's counters, and registers, spills and occupancy by nvcc. CompilerNotFoundError without nvcc."""
    tool = nvcc()
    if tool is None:
        raise CompilerNotFoundError("cuda_ladders: registers and occupancy need nvcc; install it, or set $NVCC")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    found = {}
    for rung in ladders.every():
        print(f"{rung.ladder}/{rung.path.stem}", file=sys.stderr, flush=True)
        its, counters = problem(rung), counted(rung)
        row: dict[str, Any] = {
            "source": digest(rung),
            "unit": its.unit,
            "problem": its.text,
            "counters": {name: quantity(counters, name) / its.work for name in (*COLUMNS, *OTHERS)},
            "kernels": _kernels(rung, its),
        }
        row["counters"]["atomic_contention"] = counters["atomic_contention"]
        found[f"{rung.ladder}/{rung.path.stem}"] = row
    release = re.search(r"release [\d.]+, (V[\d.]+)", version)
    return {"nvcc": release.group(1) if release else "unknown", "rungs": found}


def _kernels(rung: Rung, its: Problem) -> list[dict[str, Any]]:
    calls = rung.prepare(*its.inputs, **its.attributes).calls
    kernels = []
    for call, each in zip(calls, rung.resources(calls), strict=True):
        occupancy = each.occupancy(int(np.prod(call.block)), call.shared)
        kernels.append({
            "name": call.kernel, "arch": each.arch, "registers": each.registers,
            "spills": each.spill_stores + each.spill_loads, "shared": each.shared + call.shared,
            "occupancy": occupancy.fraction, "limit": occupancy.limit,
        })  # fmt: skip
    return kernels


def predicted(rung: Rung, row: dict[str, Any], arch: str) -> tuple[float, str]:
    """Seconds that a unit of work takes at least on the card of ``arch``, and what bounds it: no measurement.

    Sectors at the bandwidth of device memory as if there were no cache; a wavefront of shared memory, and a request of
    a warp, for each cycle of a multiprocessor; the products at the rate of the units that do them.
    """
    counters, cycles = row["counters"], cards.cycles(arch)
    sectors = counters["global_load_sectors"] + counters["global_store_sectors"]
    wavefronts = counters["shared_load_wavefronts"] + counters["shared_store_wavefronts"]
    bounds = {
        "device memory": 32 * sectors / ARCHITECTURES[arch].bandwidth,
        "shared memory": wavefronts / cycles,
        "memory requests": counters["memory_instructions"] / cycles,
    }
    if row["unit"] == "FMA":
        dtype = rung.header.passes["forward"].inputs[0].dtype
        on_tensor_cores = re.search(r"mma_|wgmma", rung.path.read_text()) is not None
        peak = cards.TENSOR[arch][dtype] if on_tensor_cores else ARCHITECTURES[arch].flops
        bounds["arithmetic"] = 2 * PRODUCTS.get(rung.path.stem, 1.0) / peak
    most = max(bounds, key=lambda name: bounds[name])
    return bounds[most], most


def page(result: dict[str, Any]) -> str:
    """The whole of docs/ladders.md."""
    lines = [
        "# The CUDA ladders, counted",
        "",
        "Written by `python -m bench.cuda_ladders`; a test holds it fresh. How a rung is read and run: "
        "[csrc/ladders/README.md](../csrc/ladders/README.md).",
        "",
        "**Simulated and predicted, nothing is timed.** The counters are the simulator's, for each FMA of the direct "
        "algorithm or for each element, of a warp's requests without caches; *bold* is what the rung's header says it "
        "improves, and a test holds that it does. Bulk copies (TMA) and `wgmma` do not pass through the load and store "
        f"unit and are in no counter. Registers and occupancy are nvcc {result['nvcc']}'s for the architecture named "
        "(the largest of a rung's kernels, and the lowest occupancy). The last columns are a **prediction**: "
        "picoseconds that a unit takes at least if no cache serves a sector, and what bounds it "
        f"({', '.join(f'{ARCHITECTURES[arch].card} for {arch}' for arch in cards.TENSOR)}); what a bulk copy moves "
        "is not in it. No card has run a rung.",
    ]
    for ladder in ladders.names():
        rungs = ladders.ladder(ladder)
        rows = [result["rungs"].get(f"{ladder}/{rung.path.stem}") for rung in rungs]
        first = next(row for row in rows if row)
        used = [name for name in COLUMNS if any(row and row["counters"].get(name) for row in rows)]
        heads = [f"{COLUMNS[name]} / {first['unit']}" for name in used]
        lines += ["", f"## {ladder}", "", f"Counted on: {first['problem']}.", ""]
        lines.append(f"| rung | {' | '.join(heads)} | improves | registers | occupancy | {' | '.join(cards.TENSOR)} |")
        lines.append("|---|" + "---:|" * len(heads) + "---|---:|---:|" + "---:|" * len(cards.TENSOR))
        for rung, row in zip(rungs, rows, strict=True):
            if row:
                lines.append(_row(rung, row, used, result))
    return "\n".join(lines) + "\n"


def _row(rung: Rung, row: dict[str, Any], used: list[str], result: dict[str, Any]) -> str:
    improves, before = rung.header.improves, compared(rung)
    name = improves.quantity if improves else ""
    cells = [f"[{rung.path.stem}](../csrc/ladders/{rung.ladder}/{rung.path.name})"]
    for column in used:
        number = _number(row["counters"][column])
        cells.append(f"**{number}**" if column == name else number)
    if improves and before:
        old = result["rungs"][f"{before.ladder}/{before.path.stem}"]["counters"][name]
        over = f" (over {before.number:02d})" if improves.over else ""
        cells.append(f"`{name}`: {_number(old)} to {_number(row['counters'][name])}{over}")
    else:
        cells.append("")
    most = max(row["kernels"], key=lambda kernel: kernel["registers"])
    lowest = min(row["kernels"], key=lambda kernel: kernel["occupancy"])
    spills = sum(kernel["spills"] for kernel in row["kernels"])
    cells.append(f"{most['registers']}" + (f", {spills} bytes spilled" if spills else "") + f" ({most['arch']})")
    cells.append(f"{lowest['occupancy']:.0%}, {lowest['limit']}")
    for arch in cards.TENSOR:
        if most["arch"].rstrip("a") > arch:
            cells.append("")  # needs a later architecture
        else:
            seconds, bound = predicted(rung, row, arch)
            cells.append(f"{_number(1e12 * seconds)}, {bound}")
    return "| " + " | ".join(cells) + " |"


def _number(x: float) -> str:
    return "0" if x == 0 else f"{x:.3g}"


def main() -> int:
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() != page(json.loads(RESULT.read_text())):
            print("docs/ladders.md is stale: run python -m bench.cuda_ladders", file=sys.stderr)
            return 1
        return 0
    if "--page" not in sys.argv[1:]:
        RESULT.write_text(json.dumps(measure(), indent=1) + "\n")
    PAGE.write_text(page(json.loads(RESULT.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
