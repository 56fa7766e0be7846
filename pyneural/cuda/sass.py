"""The machine instructions of a cubin: what the compiler really made of a kernel, and its loops.

Read from the listing of ``cuobjdump -sass``: of the CUDA toolkit, or
``pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm``.
Source of the instructions' names: CUDA Binary Utilities, "Instruction Set Reference".
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .errors import CompilerNotFoundError

_FUNCTION = re.compile(r"^\s*Function : (\S+)", re.MULTILINE)
_LINE = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+)?\s*([A-Z][\w.]*)\s*([^;]*);", re.MULTILINE)
_TARGET = re.compile(r"\b0x([0-9a-f]+)$")


class Instruction(NamedTuple):
    """One instruction: its address in the kernel, its name with all modifiers (``LDG.E.128``), its operands.

    ``guard`` is the predicate under which it is executed (``@!P0``), empty where it always is.
    """

    address: int
    name: str
    operands: str
    guard: str = ""

    @property
    def base(self) -> str:
        """The name without modifiers."""
        return self.name.split(".", 1)[0]

    @property
    def target(self) -> int | None:
        """Where a direct branch goes to; None of any other instruction."""
        if self.base != "BRA":
            return None
        match = _TARGET.search(self.operands.strip())
        return int(match.group(1), 16) if match else None


class Listing(tuple[Instruction, ...]):
    """Instructions in the order of their addresses: a kernel's, or a part of them."""

    def count(self, wanted: str | Callable[[Instruction], bool]) -> int:
        """How many there are of a name and all its variants (``"LDG"``, ``"LDG.E.128"``), or that fit a condition."""
        if callable(wanted):
            return sum(map(wanted, self))
        return sum(each.name == wanted or each.name.startswith(wanted + ".") for each in self)

    def loops(self) -> Iterator[Listing]:
        """What lies between the target of each backward branch and the branch; loops in loops are in both."""
        for each in self:
            target = each.target
            # A branch to itself is the padding behind a kernel's end.
            if target is not None and target < each.address:
                yield Listing(one for one in self if target <= one.address <= each.address)

    def main_loop(self, wanted: Callable[[Instruction], bool]) -> Listing:
        """The loop that does the work: of loops with wanted instructions and no such loop inside, the one with most.

        Loops that only wait, for a barrier say, may be inside. Empty where no loop has a wanted instruction.
        """
        busy = [each for each in self.loops() if each.count(wanted)]
        inner = [each for each in busy if not any(each is not one and one.within(each) for one in busy)]
        return max(inner, key=lambda each: each.count(wanted), default=Listing())

    def way(self, wanted: Callable[[Instruction], bool], then: Callable[[Instruction], bool]) -> Listing:
        """The way through a loop that meets most wanted instructions, and most of ``then``: without what edges take.

        Where both sides of a branch have as many, the shorter one is taken. Loops inside are gone through once.
        """
        starts = {each.target for each in self} & {each.address for each in self} | {self[0].address}
        starts |= {b.address for a, b in itertools.pairwise(self) if a.target is not None or a.base == "EXIT"}
        blocks: list[list[Instruction]] = []
        for each in self:
            if each.address in starts:
                blocks.append([])
            blocks[-1].append(each)
        # Of each block the best way to it from the first: wanted, ``then``, minus all instructions; and whence.
        best: dict[int, tuple[tuple[int, int, int], int | None]] = {blocks[0][0].address: ((0, 0, 0), None)}
        for number, block in enumerate(blocks):
            at, last = block[0].address, block[-1]
            if at not in best:
                continue
            (met, others, length), _ = best[at]
            score = (met + sum(map(wanted, block)), others + sum(map(then, block)), length - len(block))
            following = [last.target] if last.target is not None else []
            always = not last.guard and "," not in last.operands
            if number + 1 < len(blocks) and not (always and (last.target is not None or last.base == "EXIT")):
                following.append(blocks[number + 1][0].address)
            for target in following:
                if (
                    target is not None
                    and target > at
                    and target in starts
                    and (target not in best or best[target][0] < score)
                ):
                    best[target] = (score, at)
        by_start = {block[0].address: block for block in blocks}
        taken: list[Instruction] = []
        place: int | None = blocks[-1][0].address if blocks[-1][0].address in best else max(best)
        while place is not None:
            taken[:0] = by_start[place]
            place = best[place][1]
        return Listing(taken)

    def within(self, other: Listing) -> bool:
        """Whether a loop lies inside another one, and is not the same."""
        return other[0].address <= self[0].address and self[-1].address <= other[-1].address and len(self) < len(other)


def cuobjdump() -> str | None:
    """The path of cuobjdump: ``$CUOBJDUMP``, on the search path, beside nvcc, or of NVIDIA's package; None without."""
    from .resources import nvcc

    tool = nvcc()
    folders = [] if tool is None else [str(pathlib.Path(tool).resolve().parent)]
    for place in ("purelib", "platlib"):
        packages = pathlib.Path(sysconfig.get_path(place)) / "nvidia"
        folders += [str(each) for each in sorted(packages.glob("cu*/bin"), reverse=True)]
    found = os.environ.get("CUOBJDUMP") or shutil.which("cuobjdump")
    return found or shutil.which("cuobjdump", path=os.pathsep.join(folders))


def disassemble(cubin: str | os.PathLike[str]) -> dict[str, Listing]:
    """The instructions of each kernel of a cubin, by the linker's names.

    Raises CompilerNotFoundError without cuobjdump, RuntimeError where it refuses the file.
    """
    tool = cuobjdump()
    if tool is None:
        raise CompilerNotFoundError(
            "disassembly needs cuobjdump: `pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm`, or set $CUOBJDUMP"
        )
    # It calls nvdisasm, which lies beside it.
    beside = str(pathlib.Path(tool).resolve().parent)
    environment = os.environ | {"PATH": os.pathsep.join((beside, os.environ.get("PATH", "")))}
    command = [tool, "-sass", str(cubin)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"cuobjdump: {cubin}: {done.stderr.strip()}")
    return read(done.stdout)


def read(listing: str) -> dict[str, Listing]:
    """The kernels in the text that cuobjdump writes."""
    parts = _FUNCTION.split(listing)[1:]
    return {
        name: Listing(
            Instruction(int(at, 16), what, operands.strip(), guard) for at, guard, what, operands in _LINE.findall(body)
        )
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
