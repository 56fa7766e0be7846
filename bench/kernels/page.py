"""docs/kernels.md from what was kept: ``python -m bench.kernels.page`` writes it, ``--check`` compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from pyneural.cuda.resources import ARCHITECTURES

from .. import report
from ..cards import FLOPS_A_CYCLE, ISSUED, TENSOR
from ..harness import ROOT
from . import assembly, budget, instances, reasons, shapes, traffic

TARGET = ROOT / "docs" / "kernels.md"
BEGIN, END = "<!-- kernels:begin -->", "<!-- kernels:end -->"
TILES = {"Small": 16, "Medium": 64, "Large": 128, "Warpgroup": 128}
WGMMA = {"Wide": (128, 256), "Square": (128, 128)}
_SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(each) for each in cells) + " |"


def _table(heads: str, rows: Iterable[Iterable[Any]]) -> list[str]:
    names = heads.split("|")
    return [_row(names), "|---|" + "---:|" * (len(names) - 1), *map(_row, rows)]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f}%"


def _occupancy(kept: dict[str, Any], arch: str, instance: instances.Instance) -> float:
    resources, threads, dynamic = budget.find(kept, arch, instance)
    return resources.occupancy(threads, dynamic).fraction


def _compiler() -> list[str]:
    """One line for each source: how many kernels, how many registers, how full a multiprocessor is."""
    content = budget.load()
    kept = content["kernels"]
    rows = []
    for source in sorted({source for sources in kept.values() for source in sources}):
        cells: list[Any] = [f"`{source}.cu`"]
        for arch in budget.ARCHITECTURES:
            found = [
                instances.Instance(source, name, dtype or None)
                for dtype, kernels in kept[arch].get(source, {}).items()
                for name in kernels
            ]
            if not found:
                cells += ["", "", "", ""]
                continue
            resources = [budget.find(kept, arch, each)[0] for each in found]
            fractions = [_occupancy(kept, arch, each) for each in found]
            registers = [each.registers for each in resources]
            local = sum(bool(budget.over(each)) for each in resources)
            cells += [len(found), f"{min(registers)} to {max(registers)}", _percent(min(fractions)), local]
        rows.append(cells)
    heads = "source" + "".join(
        f"|{arch}: kernels|registers|least occupancy|with spills or local memory" for arch in budget.ARCHITECTURES
    )
    total = sum(row[1] or 0 for row in rows), sum(row[5] or 0 for row in rows)
    return [
        f"nvcc {content['nvcc']}: {total[0]} kernels for sm_80, {total[1]} for sm_90a, in every element type. "
        "Occupancy is that of the largest block launched, with its dynamic shared memory.",
        "",
        *_table(heads, rows),
    ]


def _memory() -> list[str]:
    kept, lines = budget.load()["kernels"], []
    for dtype in dict.fromkeys(row["dtype"] for row in traffic.kept()):
        lines += [f"### {dtype}", ""]
        table, notes = [], []
        for row in traffic.kept():
            if row["dtype"] != dtype:
                continue
            main = row["kernels"][0]
            instance = instances.Instance(main["source"], main["name"], main["dtype"])
            cells: list[Any] = [
                row["case"],
                f"`{main['name']}`" + (f" + {len(row['kernels']) - 1}" if row["kernels"][1:] else ""),
            ]
            marks = []
            for key in ("over_least", "bank_conflict_ways"):
                reason = reasons.of(row["case"], dtype, key) if row[key] > traffic.LIMITS[key] else None
                if reason is not None:
                    if reason.text not in notes:
                        notes.append(reason.text)
                    marks.append(notes.index(reason.text) + 1)
            note = "".join(f"[{mark}]" for mark in dict.fromkeys(marks))
            ways = row["bank_conflict_ways"]
            cells += [
                f"{row['over_least']:.2f}",
                f"{row['sectors_per_request']:.1f} ({row['fewest_sectors_per_request']:.1f})",
                f"{ways:.2f}" if ways else "-", note,
            ]  # fmt: skip
            for arch in budget.ARCHITECTURES:
                cells.append(budget.find(kept, arch, instance)[0].registers)
            cells += [_percent(_occupancy(kept, arch, instance)) for arch in budget.ARCHITECTURES]
            table.append(cells)
        heads = (
            "operation|kernel|bytes over the least|sectors a request (fewest)|bank-conflict ways|reason|"
            "registers sm_80|sm_90a|occupancy sm_80|sm_90a"
        )
        lines += [*_table(heads, table), "", *(f"- [{i}] {text}" for i, text in enumerate(notes, 1)), ""]
    return lines


def _side(row: dict[str, Any]) -> tuple[int, int] | None:
    first = row["kernel"].partition("<")[2].split(",")[0].rstrip(">")
    if first in WGMMA:
        return WGMMA[first]
    side = next((side for name, side in TILES.items() if first.endswith(name)), None)
    return None if side is None else (side, side)


def predicted(row: dict[str, Any]) -> tuple[float, str] | None:
    """Operations per second that a tile cannot pass on the card of its architecture, and what bounds them.

    No measurement. The issue slots of the main loop's instructions and the arithmetic units bound it, and device memory
    if every tile's operands come from there. None where no tile is known.
    """
    side = _side(row)
    if side is None:
        return None
    arch = row["arch"].rstrip("a")
    card, dtype = ARCHITECTURES[arch], row["dtype"]
    on_tensor_cores = row["instruction"] in ("HMMA", "HGMMA")
    peak = TENSOR[arch][dtype] if on_tensor_cores else card.flops / (2 if row["instruction"] == "DFMA" else 1)
    per_cycle = FLOPS_A_CYCLE[arch][dtype if on_tensor_cores else row["instruction"]]
    useful = 1 / 3 if "Tf32x3" in row["kernel"] else 1.0
    issue = min(1.0, row["flops"] / row["instructions"] * ISSUED / per_cycle)
    m, n = side
    memory = card.bandwidth * 2 * m * n / ((m + n) * _SIZES[dtype])
    bounds = {"arithmetic" if issue == 1.0 else "issue slots": issue * peak * useful, "device memory": memory}
    least = min(bounds, key=lambda name: bounds[name])
    return bounds[least], least


def _tiles() -> list[str]:
    rows = []
    for row in assembly.load():
        side, bound = _side(row), predicted(row)
        if row["dtype"] == "float16" or (row["source"] == "matmul_hopper" and not row["kernel"].endswith("kNone>")):
            continue  # as bfloat16; as without an activation, which stands behind the main loop
        rows.append([
            f"`{row['kernel']}`" + ("" if row["source"] in ("matmul", "matmul_hopper") else f" of {row['source']}"),
            row["dtype"], row["arch"], "" if side is None else f"{side[0]} x {side[1]}", row["instruction"],
            _percent(row["products"] / row["instructions"]), f"{row['shared_bytes'] / row['flops']:.3f}",
            row["registers"],
            "" if bound is None else f"{bound[0] / 1e12:.3g} ({bound[1]})",
        ])  # fmt: skip
    heads = (
        "kernel|dtype|for|tile|multiplies by|share of the main loop|shared bytes per FLOP|registers|"
        "TFLOP/s, static prediction"
    )
    return _table(heads, rows)


def text() -> str:
    """What stands between the markers."""
    cards = ", ".join(f"{ARCHITECTURES[arch].card} for {arch}" for arch in ("sm_80", "sm_90"))
    limits = traffic.LIMITS
    return "\n".join([
        "## What the compiler gives them", "", *_compiler(), "",
        "## Memory-bound kernels", "",
        f"{len(shapes.CASES)} calls on the simulator, all launches of a call together. Above {limits['over_least']} "
        f"times the least bytes or {limits['bank_conflict_ways']} bank-conflict ways a reason stands below the table. "
        "Registers and occupancy are those of the kernel that moves most.", "",
        *_memory(),
        "## Products", "",
        "From the disassembly: of the main loop the way that whole tiles of aligned arrays take; loads from global "
        "memory are on it where they are of 16 bytes, while what gathers single elements is branched over. The last "
        "column is a "
        f"**static prediction, not a measurement**: what a tile cannot pass ({cards}), if all its operands come from "
        "device memory and none from the L2 cache.", "",
        *_tiles(),
    ])  # fmt: skip


def rewritten(whole: str, content: str) -> str:
    """``whole`` with ``content`` between the markers."""
    return report.rewritten(whole, content, BEGIN, END, TARGET.name)


def main() -> int:
    whole = TARGET.read_text(encoding="utf-8")
    wanted = rewritten(whole, text())
    if "--check" in sys.argv[1:]:
        if whole != wanted:
            print(f"{TARGET} is stale: make kernels", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
