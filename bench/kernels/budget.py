"""What the compiler gives each kernel, held to a budget: ``python -m bench.kernels.budget`` (``make budget``).

Compiles every kernel, in every element type, for sm_80 and sm_90a (``--arch``, ``--dtype`` choose others), and fails
where one spills registers, uses local memory, makes ptxas serialise its wgmma instructions (warning C7510), lacks
the instructions that it was written for (`assembly`), or differs from what was kept with the same compiler.
``--write`` keeps the figures in ``bench/results/resources.json`` and ``tiles.json``, with a digest of each source: a
test holds that they are of the sources as they are, without compiling any.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console

from pyneural.cuda.resources import Resources

from ..harness import RESULTS
from . import assembly, cubin, instances, reasons

PATH = RESULTS / "resources.json"
ARCHITECTURES = ("sm_80", "sm_90a")
FIELDS = ("registers", "shared", "stack", "spill_stores", "spill_loads")


def over(resources: Resources) -> str:
    """What of a kernel's resources is over the budget; empty where nothing is."""
    parts = [
        f"{getattr(resources, field)} bytes of {what}"
        for field, what in (
            ("stack", "local memory"), ("spill_stores", "spilled stores"), ("spill_loads", "spilled loads"),
        )
        if getattr(resources, field)
    ]  # fmt: skip
    return ", ".join(parts)


def excuse(instance: instances.Instance, arch: str) -> reasons.Spill | None:
    """The reason why a kernel may be over the budget, if one is stated."""
    return next(
        (each for each in reasons.SPILLS if each.fits(instance.source, instance.name, instance.dtype, arch)), None
    )


def problems(built: Iterable[cubin.Built]) -> list[str]:
    """Kernels over the budget, and what ptxas warned of."""
    found = []
    for each in built:
        found += [f"{each.unit}: {line}" for line in each.warnings]
        for name, resources in each.resources.items():
            if (excess := over(resources)) and not excuse(
                instances.Instance(each.unit.source, name, each.unit.dtype), each.unit.arch
            ):
                found.append(f"{each.unit}: {name}: {excess} ({resources.registers} registers)")
    return found


def record(
    built: Iterable[cubin.Built], recorded: dict[str, dict[instances.Instance, instances.Use]]
) -> dict[str, Any]:
    """What is kept: by architecture, source, dtype and kernel its `FIELDS`, then threads and dynamic shared memory."""
    kept: dict[str, Any] = {}
    for each in built:
        unit = each.unit
        place = kept.setdefault(unit.arch, {}).setdefault(unit.source, {}).setdefault(unit.dtype or "", {})
        for name in sorted(each.resources):
            use = recorded[unit.arch][instances.Instance(unit.source, name, unit.dtype)]
            place[name] = [*(getattr(each.resources[name], field) for field in FIELDS), use.threads, use.shared]
    return kept


def differences(built: Iterable[cubin.Built]) -> list[str]:
    """Kernels that need other registers or memory than was kept; none where another compiler kept it."""
    content = load()
    if content["nvcc"] != cubin.version():
        return []
    found = []
    for each in built:
        unit = each.unit
        place = content["kernels"].get(unit.arch, {}).get(unit.source, {}).get(unit.dtype or "", {})
        for name, resources in each.resources.items():
            now, kept = [getattr(resources, field) for field in FIELDS], place.get(name, [])[: len(FIELDS)]
            if now != kept:
                found.append(f"{unit}: {name}: {', '.join(FIELDS)} are {now} and kept as {kept}, run make kernels")
    return found


def load() -> dict[str, Any]:
    """What ``bench/results/resources.json`` holds."""
    content: dict[str, Any] = json.loads(PATH.read_text())
    return content


def find(kept: dict[str, Any], arch: str, instance: instances.Instance) -> tuple[Resources, int, int]:
    """A kernel's resources as they are kept, its threads a block, and its dynamic shared memory in bytes."""
    values = kept[arch][instance.source][instance.dtype or ""][instance.name]
    registers, shared, stack, stores, loads, threads, dynamic = values
    return Resources(instance.name, arch, registers, shared, 0, stack, stores, loads), threads, dynamic


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    cubin.add_options(parser, ARCHITECTURES)
    parser.add_argument("--write", action="store_true", help="keep the figures")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    recorded = instances.recorded(options.arch)
    built = cubin.build_all(cubin.units(recorded, options.dtype), options.jobs, console)
    failures = cubin.report_failures(built, console)
    good = [each for each in built if not each.failure]
    looked_at = assembly.inspect(good)
    wrong = [*problems(good), *looked_at.problems, *([] if options.write else differences(good))]
    for line in wrong:
        console.print(line, markup=False, highlight=False)
    if options.write and not failures:
        if options.dtype or tuple(options.arch) != ARCHITECTURES:
            parser.error("--write keeps every kernel: leave --arch and --dtype out")
        sources = {each: cubin.digest(each) for each in sorted({each.unit.source for each in good})}
        content = {"nvcc": cubin.version(), "sources": sources, "kernels": record(good, recorded)}
        PATH.write_text(_dense(content))
        assembly.PATH.write_text(_dense({"nvcc": cubin.version(), "tiles": looked_at.tiles}))
    count = sum(len(each.resources) for each in good)
    console.print(f"{count} kernels for {', '.join(options.arch)}: {failures} units failed, {len(wrong)} findings")
    return 1 if failures or wrong else 0


def _dense(content: dict[str, Any]) -> str:
    """JSON with one line for each list or object that holds no other."""
    text = json.dumps(content, indent=1)
    return re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda match: re.sub(r"\s*\n\s*", " ", match.group()), text) + "\n"


if __name__ == "__main__":
    sys.exit(main())
