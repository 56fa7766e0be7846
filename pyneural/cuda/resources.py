"""What only nvcc knows of a kernel: registers, spills, shared memory; and what follows: occupancy, a roofline.

Sources: CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"; CUDA Occupancy Calculator;
Williams, Waterman, Patterson, "Roofline", 2009.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from . import toolchain
from .errors import CompileError, CompilerNotFoundError, Diagnostic
from .module import is_path
from .profile import Profile


class Architecture(NamedTuple):
    """Limits of one multiprocessor, and the peaks of one card of this architecture."""

    warps: int
    blocks: int
    shared: int
    reserved: int
    """Bytes of shared memory that every block costs besides its own."""
    card: str
    bandwidth: float
    """Bytes per second of device memory."""
    flops: float
    """Single-precision operations per second, without tensor cores."""


ARCHITECTURES = {
    "sm_75": Architecture(32, 16, 64 * 1024, 0, "T4", 0.32e12, 8.1e12),
    "sm_80": Architecture(64, 32, 164 * 1024, 1024, "A100 40 GB", 1.555e12, 19.5e12),
    "sm_86": Architecture(48, 16, 100 * 1024, 1024, "RTX 3090", 0.936e12, 35.6e12),
    "sm_89": Architecture(48, 24, 100 * 1024, 1024, "RTX 4090", 1.008e12, 82.6e12),
    "sm_90": Architecture(64, 32, 228 * 1024, 1024, "H100 SXM", 3.35e12, 67e12),
}
REGISTERS = 65_536


class Occupancy(NamedTuple):
    """How many blocks and warps fit on a multiprocessor, and what keeps more from fitting."""

    blocks: int
    warps: int
    fraction: float
    limit: str


class Resources(NamedTuple):
    """What the compiler gave one kernel. Sizes are in bytes."""

    name: str
    arch: str
    registers: int
    shared: int
    constant: int
    stack: int
    spill_stores: int
    spill_loads: int

    def occupancy(self, block: int, dynamic_shared: int = 0) -> Occupancy:
        """For blocks of `block` threads. ValueError if one block does not fit."""
        limits = ARCHITECTURES[self.arch.rstrip("a")]
        if not 1 <= block <= 1024:
            raise ValueError(f"occupancy: block (={block}) must be between 1 and 1024")
        warps = -(-block // 32)
        by_warp = -(-self.registers * 32 // 256) * 256  # registers are given out by warp, 256 at a time
        register_warps = REGISTERS // by_warp // 4 * 4 if by_warp else limits.warps
        shared = -(-(self.shared + dynamic_shared) // 128) * 128 + limits.reserved
        fits = {
            "warps": limits.warps // warps,
            "blocks": limits.blocks,
            "registers": register_warps // warps,
            "shared memory": limits.shared // shared if shared else limits.blocks,
        }
        limit = min(fits, key=lambda name: fits[name])
        if fits[limit] == 0:
            raise ValueError(f"occupancy: no block of {block} threads of {self.name} fits: too much {limit}")
        return Occupancy(fits[limit], fits[limit] * warps, fits[limit] * warps / limits.warps, limit)


class Roofline(NamedTuple):
    """A static prediction from counted bytes and given operations. No measurement."""

    seconds: float
    bound: str
    intensity: float
    ridge: float
    card: str

    def __str__(self) -> str:
        return (
            f"static prediction for {self.card}, not a measurement: at least {self.seconds * 1e6:.3g} us, "
            f"bound by {self.bound} ({self.intensity:.3g} operations per byte, ridge at {self.ridge:.3g})"
        )


def roofline(profile: Profile, flops: float, arch: str = "sm_80") -> Roofline:
    """The least time that bytes and operations allow, if every sector came from device memory.

    `flops` is the number of floating-point operations of the launch.
    """
    limits = _architecture(arch)
    total = profile.total
    moved = total["global_load_bytes"] + total["global_store_bytes"]
    times = {"memory": moved / limits.bandwidth, "arithmetic": flops / limits.flops}
    bound = max(times, key=lambda name: times[name])
    intensity = flops / moved if moved else float("inf")
    return Roofline(times[bound], bound, intensity, limits.flops / limits.bandwidth, limits.card)


def _architecture(arch: str) -> Architecture:
    if arch.rstrip("a") not in ARCHITECTURES:
        raise ValueError(f"arch (={arch!r}) must be one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[arch.rstrip("a")]


def nvcc() -> str | None:
    """The path of nvcc, from `$NVCC`, the search path or `$CUDA_HOME`; None where there is none."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return os.environ.get("NVCC") or shutil.which("nvcc") or shutil.which("nvcc", path=f"{home}/bin")


def resources(
    source_or_path: str | os.PathLike[str],
    arch: str = "sm_80",
    *,
    instances: Sequence[str] = (),
    options: Sequence[str] = (),
    include: Sequence[str | os.PathLike[str]] = (),
) -> dict[str, Resources]:
    """Compiles with nvcc and reads what ptxas reports, for each kernel and each of the template `instances`.

    Raises CompilerNotFoundError without nvcc, CompileError, and ValueError for an unknown architecture.
    """
    _architecture(arch)
    tool = nvcc()
    if tool is None:
        raise CompilerNotFoundError("registers, spills and occupancy need nvcc; install the CUDA toolkit, or set $NVCC")
    if is_path(source_or_path):
        path = pathlib.Path(source_or_path)
        text, file, folders = path.read_text(), str(path), [path.resolve().parent]
    else:
        text, file, folders = str(source_or_path), "<source>", []
    folders += [pathlib.Path(p) for p in include] + [toolchain.CSRC / "include"]
    wanted = "".join(f"auto pyneural_instance_{i} = &{name};\n" for i, name in enumerate(instances))
    with tempfile.TemporaryDirectory() as folder:
        unit = pathlib.Path(folder) / "unit.cu"
        unit.write_text(f'#line 1 "{file}"\n{text}\n{wanted}')
        command = [
            tool, f"-arch={arch}", "-std=c++17", "-cubin", "-Xptxas", "-v", *options,
            *(f"-I{place}" for place in folders), "-o", f"{folder}/unit.cubin", str(unit),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(_errors(done.stderr), done.stderr)
    found = read_report(done.stderr, arch)
    names = _demangle(list(found), tool)
    return {name: each._replace(name=name) for name, each in zip(names, found.values(), strict=True)}


def _errors(log: str) -> list[Diagnostic]:
    found = re.findall(r"^(.*?)\((\d+)\): error: (.*)$", log, re.MULTILINE)
    return [Diagnostic(file, int(line), 0, f"error: {message}") for file, line, message in found]


def read_report(log: str, arch: str) -> dict[str, Resources]:
    """What ptxas reported of each kernel (``-Xptxas -v``), by the linker's names."""
    blocks = re.split(r"Compiling entry function '(\w+)' for '[^']*'", log)[1:]
    found = {}
    for name, text in zip(blocks[::2], blocks[1::2], strict=True):

        def number(pattern: str, text: str = text) -> int:
            match = re.search(pattern, text)
            return int(match.group(1)) if match else 0

        sizes = ("smem", r"cmem\[0\]", "stack frame", "spill stores", "spill loads")
        bytes_of = [number(rf"(\d+) bytes {size}") for size in sizes]
        found[name] = Resources(name, arch, number(r"Used (\d+) registers"), *bytes_of)
    return found


def _demangle(names: list[str], tool: str) -> list[str]:
    """`void ns::k<float>(float*)` as `ns::k<float>`; the names as they are where there is no demangler."""
    beside = pathlib.Path(tool).resolve().parent / "cu++filt"
    program = str(beside) if beside.exists() else shutil.which("cu++filt") or shutil.which("c++filt")
    if program is None or not names:
        return names
    done = subprocess.run([program, *names], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(names):
        return names
    return [_plain(line) for line in lines]


def _plain(text: str) -> str:
    text = text.removeprefix("void ")
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0 and i:
            return text[:i]
    return text
