"""A traced launch as the page reads it: plain lists of numbers, requests with the same shape sharing one pattern."""

from __future__ import annotations

from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from pyneural import cuda
from pyneural.cuda.kernel import read_config
from pyneural.cuda.trace import Array, Instruction, sample

from .subject import Launch, Subject

MOST = 40_000
"""Requests of one launch that a page holds."""

MARKED = 4
"""Most blocks that are recorded because something was found in them, besides the sample."""

LINE_COUNTERS = (
    "global_load_requests", "global_load_sectors", "global_store_requests", "global_store_sectors",
    "global_load_bytes_needed", "global_store_bytes_needed", "shared_load_requests", "shared_load_wavefronts",
    "shared_load_bank_conflicts", "shared_store_requests", "shared_store_wavefronts", "shared_store_bank_conflicts",
    "atomic_requests", "atomic_contention", "local_load_requests", "local_store_requests", "barriers",
    "memory_instructions", "active_lanes_per_instruction",
)  # fmt: skip


def launches(subject: Subject, *, timeout: float = 10.0, most: int = MOST) -> list[dict[str, Any]]:
    """Each launch of a subject, checked and then traced with the same arguments, for `page`.

    Raises KeyError where the source has no such kernel, TypeError and ValueError for arguments that do not fit it.
    """
    reports = [_checked(subject, each, timeout) for each in subject.prepare()]
    traced = []
    for launch, report in zip(subject.prepare(), reports, strict=True):
        grid, _, _ = read_config(launch.kernel, (launch.grid, launch.block))
        tracer = cuda.trace(
            subject.module[launch.kernel], blocks=_blocks(grid, report), most=most, timeout=timeout
        )  # fmt: skip
        trace = tracer[launch.grid, launch.block, launch.shared](*launch.arguments)
        traced.append(_launch(subject, trace, report))
    return traced


def _checked(subject: Subject, launch: Launch, timeout: float) -> cuda.Report:
    checked = cuda.sanitize(subject.module[launch.kernel], timeout=timeout)
    return checked[launch.grid, launch.block, launch.shared](*launch.arguments)


def _number(block: tuple[int, int, int], grid: tuple[int, int, int]) -> int:
    return block[0] + grid[0] * (block[1] + grid[1] * block[2])


def _blocks(grid: tuple[int, int, int], report: cuda.Report) -> list[int]:
    """A sample, and the first blocks in which something was found."""
    marked = [_number(each, grid) for f in report.findings for each in (f.block, f.other_block) if each is not None]
    return sorted({*sample(prod(grid)), *list(dict.fromkeys(marked))[:MARKED]})


def _launch(subject: Subject, trace: cuda.Trace, report: cuda.Report) -> dict[str, Any]:
    file = subject.module.file
    grid, block, shared = trace.geometry
    patterns, warps = _packed(trace)
    return {
        "title": subject.title,
        "kernel": trace.kernel.name,
        "source": subject.module.sources.originals[file].rstrip("\n").split("\n"),
        "grid": grid,
        "block": block,
        "shared": shared,
        "blocks": trace.blocks,
        "dropped": trace.dropped,
        "failure": trace.failure,
        "arrays": [[each.name, each.space, _phase(each), each.bytes, each.element] for each in trace.arrays],
        "instructions": [_instruction(each, file) for each in trace.instructions],
        "lines": {number: _counters(counters) for number, counters in trace.profile.lines.items()},
        "total": _counters(trace.profile.total),
        "patterns": patterns,
        "warps": warps,
        "findings": [_finding(each, file, grid, block) for each in report.findings],
    }


def _phase(array: Array) -> int:
    """What matters of an address: where sectors begin. The banks of a shared array are counted from its start."""
    return array.base % (4 if array.space == "shared" else 1024)


def _instruction(instruction: Instruction, file: str) -> list[Any]:
    """Line and kind; a place in a header has line 0 and its own name."""
    if instruction.file == file:
        return [instruction.line, instruction.kind, ""]
    return [0, instruction.kind, f"{instruction.file.rpartition('/')[2]}:{instruction.line}"]


def _counters(counters: cuda.Counters) -> dict[str, float]:
    found = dict(counters)
    return {name: round(found[name], 4) for name in LINE_COUNTERS if found[name]}


def _packed(trace: cuda.Trace) -> tuple[list[list[int]], list[list[Any]]]:
    """Patterns, and for each recorded warp its block, its number, and four numbers for each request.

    A pattern is an array's index, bytes of a lane, the lanes' mask, how many epochs later the last lane came than the
    first, and each lane's offset from the first one's, or one stride where they are equally far apart. A request is an
    instruction, an epoch, the first lane's offset and a pattern.
    """
    numbers: dict[tuple[int, ...], int] = {}
    warps = []
    for (block, warp), rows in groupby(trace.requests, lambda row: (int(row["block"]), int(row["warp"]))):
        packed: list[int] = []
        for row in rows:
            lanes = row["offset"][(int(row["mask"]) >> np.arange(32) & 1).astype(bool)]
            apart = np.diff(lanes)
            steps = [int(apart[0])] if apart.size and (apart == apart[0]).all() else (lanes - lanes[0]).tolist()[1:]
            late = int(row["last_epoch"] - row["first_epoch"])
            key = (int(row["array"]), int(row["size"]), int(row["mask"]), late, *steps)
            number = numbers.setdefault(key, len(numbers))
            packed += [int(row["instruction"]), int(row["first_epoch"]), int(lanes[0]), number]
        warps.append([block, warp, packed])
    return [list(key) for key in numbers], warps


def _finding(
    finding: cuda.Finding, file: str, grid: tuple[int, int, int], block: tuple[int, int, int]
) -> dict[str, Any]:
    def linear(thread: tuple[int, int, int]) -> int:
        return thread[0] + block[0] * (thread[1] + block[1] * thread[2])

    other = finding.other_block is not None and finding.other_thread is not None
    return {
        "kind": finding.kind,
        "message": finding.message,
        "line": finding.line if finding.file == file else 0,
        "place": "" if finding.file == file else f"{finding.file.rpartition('/')[2]}:{finding.line}",
        "block": _number(finding.block, grid),
        "thread": linear(finding.thread),
        "otherLine": finding.other_line or 0,
        "otherBlock": _number(finding.other_block, grid) if finding.other_block is not None and other else None,
        "otherThread": linear(finding.other_thread) if finding.other_thread is not None and other else None,
        "array": finding.array,
        "index": finding.index,
        "distance": finding.distance,
        "count": finding.count,
    }
