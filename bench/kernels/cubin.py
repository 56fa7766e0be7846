"""Machine code of every kernel we ship, for every architecture: ``python -m bench.kernels.cubin`` (``make cubin``).

One call of nvcc for each source, element type and architecture, as many at a time as there are cores. What was
compiled once is kept in ``build/cubin`` and found again by the content of the source and of all that it includes.
``--arch sm_80 --dtype float32`` compile a part.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pyneural.cuda import elf, toolchain
from pyneural.cuda.errors import CompilerNotFoundError
from pyneural.cuda.resources import Resources, nvcc, read_report
from pyneural.kernels import cuda_launch, dtypes

from ..harness import ROOT
from . import instances

FOLDER = ROOT / "build" / "cubin"
INCLUDE = toolchain.CSRC / "include"
OPTIONS = ("-std=c++17", "-cubin", "-Xptxas", "-v")


@dataclass(frozen=True)
class Unit:
    """A source for one element type and one architecture, and the kernels of it that are launched."""

    source: str
    dtype: str | None
    arch: str
    kernels: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.source + (f"-{self.dtype}" if self.dtype else "")

    @property
    def path(self) -> pathlib.Path:
        """Where its machine code is kept; the compiler's report lies beside it."""
        return FOLDER / self.arch / f"{self.name}.cubin"

    def __str__(self) -> str:
        return f"{self.name} for {self.arch}"


@dataclass
class Built:
    """A unit's machine code, or why there is none."""

    unit: Unit
    path: pathlib.Path
    resources: dict[str, Resources] = field(default_factory=dict)
    """By the kernel's name; what the source has besides the kernels launched is left out."""
    warnings: list[str] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0
    """0 where it was found."""


@functools.cache
def includes(path: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """A file of ours and all of ours that it includes."""
    found = {path: None}
    for name in re.findall(r'(?m)^\s*#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(encoding="utf-8")):
        for place in (path.parent, INCLUDE):
            if (place / name).is_file():
                found.update(dict.fromkeys(includes((place / name).resolve())))
                break
    return tuple(found)


_NO_CODE = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|\s+', re.DOTALL)


@functools.cache
def digest(source: str) -> str:
    """Of the code of a source and of all of ours that it includes, whatever its comments and white space are."""
    found = hashlib.sha256()
    for path in includes((toolchain.CSRC / "kernels" / f"{source}.cu").resolve()):
        text = path.read_text(encoding="utf-8")
        code = _NO_CODE.sub(lambda part: part.group() if part.group().startswith('"') else " ", text)
        found.update(" ".join(code.split()).encode() + b"\0")
    return found.hexdigest()[:16]


@functools.cache
def compiler() -> str:
    """nvcc's path. CompilerNotFoundError without it."""
    tool = nvcc()
    if tool is None:
        raise CompilerNotFoundError("machine code needs nvcc; install the CUDA toolkit, or set $NVCC")
    return tool


@functools.cache
def version() -> str:
    """nvcc's release, such as ``13.0.88``."""
    text = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\bV(\d[\d.]*)", text)
    return match.group(1) if match else text.strip().splitlines()[-1]


def _text(unit: Unit) -> str:
    # The host's pointers make the templates' instances. A variable for each kernel has the kernel's own name for the
    # linker in its name. A pointer of the device's would tell it too, but the kernel would get fewer registers.
    wanted = "".join(
        f"auto pyneural_pointer_{i} = &{name};\ntemplate __device__ int pyneural_instance<{i}, &{name}>;\n"
        for i, name in enumerate(unit.kernels)
    )
    declared = "template <int Number, auto* Kernel> __device__ int pyneural_instance;\n"
    return f"#include <kernels/{unit.source}.cu>\n{declared}{wanted}"


def names(unit: Unit, code: pathlib.Path) -> dict[str, str]:
    """The kernels of a unit by the linker's names."""
    found = {}
    for symbol in elf.Library(code).symbols:
        match = re.fullmatch(r"_Z17pyneural_instanceILi(\d+)EXadL(_Z.*)EEE", symbol.name)
        if match:
            # What a name repeats is numbered in the order of its parts, and the variable's own is the first of them.
            linked = re.sub(r"S([0-9A-Z]+)_", lambda part: f"S{_one_less(part.group(1))}_", match.group(2))
            found[linked] = unit.kernels[int(match.group(1))]
    if len(found) != len(unit.kernels):
        raise RuntimeError(f"{code}: {len(found)} of {len(unit.kernels)} kernels are found")
    return found


def _one_less(number: str) -> str:
    """The number before one that the Itanium C++ ABI writes in base 36; none is the first of all, before 0."""
    value = int(number, 36) - 1
    if value < 0:
        return ""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return (digits[value // 36] if value >= 36 else "") + digits[value % 36]


def _key(unit: Unit, options: Sequence[str]) -> str:
    digest = hashlib.sha256(repr((version(), options, unit.arch, _text(unit))).encode())
    for path in includes((toolchain.CSRC / "kernels" / f"{unit.source}.cu").resolve()):
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(unit: Unit) -> Built:
    """Compile a unit, or find it compiled."""
    dtype = None if unit.dtype is None else np.dtype(dtypes.bfloat16 if unit.dtype == "bfloat16" else unit.dtype)
    options = [*OPTIONS, f"-arch={unit.arch}", *cuda_launch.element_option(dtype)]
    key, kept = _key(unit, options), unit.path.with_suffix(".json")
    started, seconds = time.perf_counter(), 0.0
    if not (kept.exists() and unit.path.exists() and json.loads(kept.read_text())["key"] == key):
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        source, code = unit.path.with_suffix(".cu"), unit.path.with_suffix(".part")
        source.write_text(_text(unit), encoding="utf-8")
        command = [compiler(), *options, f"-I{INCLUDE}", f"-I{toolchain.CSRC}", "-o", str(code), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return Built(unit, unit.path, failure=done.stderr.strip() or f"nvcc ended with status {done.returncode}")
        os.replace(code, unit.path)
        kept.write_text(json.dumps({"key": key, "log": done.stderr}))
        seconds = time.perf_counter() - started
    log = json.loads(kept.read_text())["log"]
    warnings = [line for line in log.splitlines() if "warning" in line.lower() or re.search(r"\bC\d{4}\b", line)]
    known = names(unit, unit.path)
    reported = read_report(log, unit.arch)
    resources = {kernel: reported[linked]._replace(name=kernel) for linked, kernel in known.items()}
    return Built(unit, unit.path, resources, warnings, seconds=seconds)


def units(recorded: dict[str, dict[instances.Instance, instances.Use]], names: Iterable[str] = ()) -> list[Unit]:
    """What is to be compiled for the recorded instances; ``names`` are the only element types wanted, if given."""
    wanted = set(names)
    return [
        Unit(source, dtype, arch, tuple(kernels))
        for arch, uses in recorded.items()
        for (source, dtype), kernels in instances.units(uses).items()
        if not wanted or dtype is None or dtype in wanted
    ]


def build_all(wanted: Sequence[Unit], jobs: int, console: Console) -> list[Built]:
    """Compile units side by side, with a progress bar; in the order asked for."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task(f"nvcc {version()}", total=len(wanted))

        def one(unit: Unit) -> Built:
            result = build(unit)
            progress.advance(task)
            return result

        return list(pool.map(one, wanted))


def report_failures(built: Iterable[Built], console: Console) -> int:
    """Print every failure with the compiler's own words; how many there were."""
    failed = [each for each in built if each.failure]
    for each in failed:
        console.rule(f"[red]{each.unit}")
        console.print(each.failure, markup=False, highlight=False)
    return len(failed)


def add_options(parser: argparse.ArgumentParser, architectures: Sequence[str]) -> None:
    """The options that choose a part."""
    parser.add_argument("--arch", nargs="+", choices=tuple(instances.ARCHITECTURES), default=list(architectures))
    parser.add_argument("--dtype", nargs="+", default=[], metavar="DTYPE", help="only these element types")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="compilers at a time")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add_options(parser, tuple(instances.ARCHITECTURES))
    options = parser.parse_args(arguments)
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    with console.status("noting down which kernels are launched"):
        recorded = instances.recorded(options.arch)
    started = time.perf_counter()
    built = build_all(units(recorded, options.dtype), options.jobs, console)
    failures = report_failures(built, console)
    new = [each for each in built if each.seconds]
    count = sum(len(each.resources) for each in built)
    console.print(
        f"{len(built) - failures} of {len(built)} units, {count} kernels, {len(options.arch)} architectures in "
        f"{FOLDER}; {len(new)} compiled now, in {time.perf_counter() - started:.0f} s "
        f"({np.sum([each.seconds for each in new]):.0f} s of compilers)"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
