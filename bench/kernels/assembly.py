"""What the disassembly shows: the instructions that kernels were written for, and the main loops of products.

`inspect` looks at every kernel for sm_80 and later. Of loops only the way is counted that full tiles of aligned arrays
take (`pyneural.cuda.sass.Listing.way`): what edges and odd strides need stands in the same loop and is branched over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pyneural.cuda import sass
from pyneural.cuda.resources import Resources

from ..harness import RESULTS
from . import cubin

PATH = RESULTS / "tiles.json"

PRODUCTS = ("matmul", "matmul_hopper", "conv", "winograd", "attention", "attention_mma", "attention_backward",
            "attention_mma_backward")  # fmt: skip
"""The sources whose main loops are listed."""

_WARP = 32
_FLOPS = {"FFMA": 2 * _WARP, "DFMA": 2 * _WARP, "HFMA2": 4 * _WARP}
_HMMA = {"16816": 2 * 16 * 8 * 16, "1688": 2 * 16 * 8 * 8, "1684": 2 * 16 * 8 * 4}


def flops(instruction: sass.Instruction) -> int:
    """Operations of a warp's multiply-add, two a product; 0 of any other instruction."""
    parts = instruction.name.split(".")
    if parts[0] == "HMMA":
        return next((count for shape, count in _HMMA.items() if parts[1] == shape), 0)
    if parts[0] == "HGMMA":
        m, n, k = (int(each) for each in parts[1].split("x"))
        return 2 * m * n * k // 4  # by four warps together
    return _FLOPS.get(parts[0], 0) if parts[0] != "HFMA2" else 0


def shared_bytes(instruction: sass.Instruction) -> int:
    """Bytes that a warp's load brings from shared memory to its registers, or that its wgmma reads there."""
    parts = instruction.name.split(".")
    if parts[0] == "LDS":
        bits = next((int(each) for each in parts[1:] if each.isdigit()), 32)
        narrow = {"U8": 8, "S8": 8, "U16": 16, "S16": 16}
        return _WARP * next((narrow[each] for each in parts[1:] if each in narrow), bits) // 8
    if parts[0] == "LDSM":
        return 128 * (int(parts[-1]) if parts[-1].isdigit() else 1)  # 8 x 8 matrices of 16 bits
    if parts[0] == "HGMMA":
        m, n, k = (int(each) for each in parts[1].split("x"))
        size = 4 if "TF32" in instruction.name else 2
        both = instruction.operands.count("gdesc") > 1 or "gdesc" in instruction.operands
        return ((m if both else 0) + n) * k * size // 4
    return 0


def is_wide(instruction: sass.Instruction) -> bool:
    """A load of 16 bytes a thread from global memory, or a tile of TMA."""
    return instruction.base == "UTMALDG" or (instruction.base in ("LDG", "LDGSTS") and ".128" in instruction.name)


def is_wide_store(instruction: sass.Instruction) -> bool:
    return instruction.base == "STG" and ".128" in instruction.name


@dataclass
class Seen:
    """What is wrong with the machine code, and the main loops of products."""

    problems: list[str] = field(default_factory=list)
    tiles: list[dict[str, Any]] = field(default_factory=list)


def _has(base: str) -> Callable[[sass.Listing], bool]:
    return lambda listing: listing.count(base) > 0


_ON_TENSOR_CORES = {"mma.sync": _has("HMMA"), "ldmatrix": _has("LDSM"), "cp.async": _has("LDGSTS")}
_HALVES = ("float16", "bfloat16")
_FLOATS = ("float32", *_HALVES)
_WIDE_LOADS = {"loads of 16 bytes": lambda listing: listing.count(is_wide) > 0}
_WIDE_STORES = {"stores of 16 bytes": lambda listing: listing.count(is_wide_store) > 0}
VECTORS: dict[str, dict[str, Callable[[sass.Listing], bool]]] = {
    "activation": _WIDE_LOADS | _WIDE_STORES,
    "elementwise_math": _WIDE_LOADS | _WIDE_STORES,
    "optimizer": _WIDE_LOADS | _WIDE_STORES,
    "layer_norm": _WIDE_LOADS | _WIDE_STORES,
    "softmax": _WIDE_LOADS | _WIDE_STORES,
    "random": _WIDE_STORES,
}
"""Sources whose kernels read and write whole vectors."""

_NARROWER = ("sine", "cosine", "normalize_long")
"""Those that do not: of 16 bits four angles at a time; and a store of 16 bytes that nvcc 13.0 takes apart into four."""


def expected(unit: cubin.Unit, kernel: str) -> dict[str, Callable[[sass.Listing], bool]]:
    """What a kernel's instructions must show, by what it is called."""
    if unit.arch == "sm_75":
        return {}
    if unit.source == "matmul_hopper":
        return {"wgmma": _has("HGMMA"), "TMA": _has("UTMALDG")}
    if unit.source.startswith("attention_mma"):
        return {} if kernel.startswith("row_sums") else _ON_TENSOR_CORES
    if unit.source in ("matmul", "conv") and "<" in kernel:
        if "Tf32" in kernel:
            return {"mma.sync": _has("HMMA")}
        # Gradients of convolutions gather both operands element by element, through registers.
        gathered = kernel.startswith(("dgrad", "wgrad"))
        if "Warpgroup" in kernel:
            return {"wgmma": _has("HGMMA"), **({} if gathered else {"cp.async": _has("LDGSTS")})}
        if unit.dtype in _HALVES and ("Medium" in kernel or "Large" in kernel):
            return {what: holds for what, holds in _ON_TENSOR_CORES.items() if not (gathered and what == "cp.async")}
        if unit.dtype == "float32" and ("Medium" in kernel or "Large" in kernel):
            return {"main loop of which half is FFMA": _mostly_products}
    if unit.source in VECTORS and unit.dtype in _FLOATS and kernel not in _NARROWER:
        return VECTORS[unit.source]
    return {}


def _mostly_products(listing: sass.Listing) -> bool:
    loop = listing.main_loop(is_product)
    way = loop.way(is_product, is_wide) if loop else loop
    return bool(way) and 2 * way.count("FFMA") >= len(way)


def is_product(instruction: sass.Instruction) -> bool:
    return flops(instruction) > 0


def _is_tensor(instruction: sass.Instruction) -> bool:
    return instruction.base in ("HMMA", "HGMMA")


def tile(unit: cubin.Unit, kernel: str, listing: sass.Listing, resources: Resources) -> dict[str, Any] | None:
    """The main loop of a product: what share of its instructions multiplies, what it takes from shared memory."""
    wanted = _is_tensor if listing.count(_is_tensor) else is_product
    loop = listing.main_loop(wanted)
    if not loop:
        return None
    way = loop.way(wanted, is_wide)
    work = sum(flops(each) for each in way if wanted(each))
    names = sorted({each.base for each in way if wanted(each)})
    return {
        "arch": unit.arch, "source": unit.source, "kernel": kernel, "dtype": unit.dtype or "float32",
        "instruction": "+".join(names), "products": way.count(wanted), "instructions": len(way), "flops": work,
        "shared_bytes": sum(map(shared_bytes, way)), "registers": resources.registers,
    }  # fmt: skip


def inspect(built: Iterable[cubin.Built]) -> Seen:
    """Disassemble all units; see `Seen`."""
    seen = Seen()
    for each in built:
        rules = {kernel: expected(each.unit, kernel) for kernel in each.resources}
        if not (any(rules.values()) or each.unit.source in PRODUCTS):
            continue
        listings = sass.disassemble(each.path)
        for linked, kernel in cubin.names(each.unit, each.path).items():
            listing = listings[linked]
            seen.problems += [
                f"{each.unit}: {kernel}: the machine code shows no {what}"
                for what, holds in rules[kernel].items()
                if not holds(listing)
            ]
            if each.unit.source in PRODUCTS and "<" in kernel:  # the instances of tiles
                row = tile(each.unit, kernel, listing, each.resources[kernel])
                if row is not None:
                    seen.tiles.append(row)
    return seen


def load() -> list[dict[str, Any]]:
    """The rows of ``bench/results/tiles.json``."""
    rows: list[dict[str, Any]] = json.loads(PATH.read_text())["tiles"]
    return rows
