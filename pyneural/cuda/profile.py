"""`cuda.profile`: what the memory system of a GPU would see of a kernel, per source line and in total."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import runtime
from .kernel import Kernel, read_config, run

if TYPE_CHECKING:
    from rich.table import Table

    from .module import Module

SECTOR = 32
"""Bytes of a sector, the unit in which global memory moves."""

_KINDS = (
    "global_load",
    "global_store",
    "shared_load",
    "shared_store",
    "global_atomic",
    "shared_atomic",
    "local_load",
    "local_store",
    "barrier",
)
_MEMORY = _KINDS[:-1]


class Counters(Mapping[str, float]):
    """Counters by name, the same for a line and for the total; docs/simulator.md maps them to Nsight Compute."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, float]] = {kind: {} for kind in _KINDS}

    def add(self, row: dict[str, Any]) -> None:
        if row["kind"] not in self._sums:
            return
        sums = self._sums[row["kind"]]
        for key in ("requests", "lanes", "sectors", "wavefronts", "ideal_wavefronts", "ways", "contention", "bytes"):
            sums[key] = sums.get(key, 0) + row[key]

    def merge(self, other: Counters) -> None:
        """Add what was counted of another launch."""
        for kind, sums in other._sums.items():
            for key, value in sums.items():
                self._sums[kind][key] = self._sums[kind].get(key, 0) + value

    def _sum(self, kind: str, key: str) -> int:
        return int(self._sums[kind].get(key, 0))

    def _values(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for kind in ("global_load", "global_store"):
            requests, sectors, needed = (self._sum(kind, key) for key in ("requests", "sectors", "bytes"))
            values |= {
                f"{kind}_requests": requests,
                f"{kind}_sectors": sectors,
                f"{kind}_sectors_per_request": _ratio(sectors, requests),
                f"{kind}_bytes": sectors * SECTOR,
                f"{kind}_bytes_needed": needed,
                f"{kind}_efficiency": needed / (sectors * SECTOR) if sectors else 1.0,
            }
        for kind in ("shared_load", "shared_store"):
            wavefronts = self._sum(kind, "wavefronts")
            values |= {
                f"{kind}_requests": self._sum(kind, "requests"),
                f"{kind}_wavefronts": wavefronts,
                f"{kind}_bank_conflicts": wavefronts - self._sum(kind, "ideal_wavefronts"),
                f"{kind}_bank_conflict_ways": _ratio(self._sums[kind].get("ways", 0.0), self._sum(kind, "requests")),
            }
        for kind in ("local_load", "local_store"):
            values[f"{kind}_requests"] = self._sum(kind, "requests")
        in_global, in_shared = (self._sum(kind, "requests") for kind in ("global_atomic", "shared_atomic"))
        contention = self._sum("global_atomic", "contention") + self._sum("shared_atomic", "contention")
        total = sum(self._sum(kind, "requests") for kind in _MEMORY)
        return values | {
            "atomic_requests": in_global + in_shared,
            "atomic_global_requests": in_global,
            "atomic_shared_requests": in_shared,
            "atomic_operations": self._sum("global_atomic", "lanes") + self._sum("shared_atomic", "lanes"),
            "atomic_contention": _ratio(contention, in_global + in_shared),
            "memory_instructions": total,
            "active_lanes_per_instruction": _ratio(sum(self._sum(kind, "lanes") for kind in _MEMORY), total),
            "barriers": self._sum("barrier", "requests"),
        }

    def __getitem__(self, key: str) -> float:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr({key: value for key, value in self._values().items() if value})


def _ratio(a: float, b: int) -> float:
    return a / b if b else 0.0


class Profile:
    """`total`, and `lines` by number for the kernel's own file; `files` holds the lines of headers as well."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.total = Counters()
        self.files: dict[str, dict[int, Counters]] = {}
        self.failure: str | None = None

    @classmethod
    def read(
        cls, rows: list[dict[str, Any]], line_of: Callable[[int], tuple[str, int] | None], module: Module
    ) -> Profile:
        profile = cls(module)
        for row in rows:
            at = row["at"]
            file, line = (at["file"], at["line"]) if "file" in at else (line_of(at["pc"]) or ("", 0))
            if row["kind"] not in _KINDS:
                continue
            profile.total.add(row)
            profile.files.setdefault(file, {}).setdefault(line, Counters()).add(row)
        return profile

    @property
    def lines(self) -> dict[int, Counters]:
        return dict(sorted(self.files.get(self.module.file, {}).items()))

    def as_dict(self) -> dict[str, Any]:
        return {
            "total": dict(self.total),
            "lines": {file: {str(n): dict(c) for n, c in sorted(lines.items())} for file, lines in self.files.items()},
        }

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2)

    def annotated(self) -> str:
        """The source, with what each line cost in front of it."""
        text = self.module.sources.originals[self.module.file].rstrip("\n").split("\n")
        lines = self.lines
        notes = [_note(lines[n]) if n in lines else "" for n in range(1, len(text) + 1)]
        width = max(map(len, notes), default=0)
        return "\n".join(f"{note:<{width}} | {line}" for note, line in zip(notes, text, strict=True))

    def table(self) -> Table:
        """For `rich.print`: one row for each line that touches memory."""
        from rich.table import Table

        table = Table(title=f"{self.module.file}: memory accesses of a warp")
        columns = (
            "line",
            "loads",
            "sectors/req",
            "stores",
            "sectors/req",
            "shared",
            "conflict ways",
            "atomics",
            "contention",
            "lanes",
        )
        for name in columns:
            table.add_column(name, justify="right")
        lines = [(str(n), c) for n, c in self.lines.items() if c["memory_instructions"]]
        for label, c in [*lines, ("total", self.total)]:
            shared = c["shared_load_requests"] + c["shared_store_requests"]
            ways = (
                c["shared_load_requests"] * c["shared_load_bank_conflict_ways"]
                + c["shared_store_requests"] * c["shared_store_bank_conflict_ways"]
            )
            cells = (
                c["global_load_requests"], c["global_load_sectors_per_request"], c["global_store_requests"],
                c["global_store_sectors_per_request"], shared, ways / shared if shared else 0, c["atomic_requests"],
                c["atomic_contention"], c["active_lanes_per_instruction"],
            )  # fmt: skip
            table.add_row(
                label,
                *(f"{cell:g}" if isinstance(cell, int) else f"{cell:.2f}".rstrip("0").rstrip(".") for cell in cells),
            )
        return table

    def __str__(self) -> str:
        return self.annotated()


def _note(c: Counters) -> str:
    parts = []
    for kind, short in (("global_load", "ld"), ("global_store", "st")):
        if c[f"{kind}_requests"]:
            parts.append(f"{short} {c[f'{kind}_sectors_per_request']:.3g} sect/req")
    for kind, short in (("shared_load", "lds"), ("shared_store", "sts")):
        if c[f"{kind}_requests"]:
            parts.append(f"{short} {c[f'{kind}_bank_conflict_ways']:.3g}-way")
    if c["atomic_requests"]:
        parts.append(f"atom {c['atomic_contention']:.3g}-way")
    if c["local_load_requests"] or c["local_store_requests"]:
        parts.append("local")
    return ", ".join(parts)


class Profiler:
    """`profile(kernel)[grid, block, shared_bytes](arguments)` gives a Profile."""

    def __init__(self, kernel: Kernel, schedule: int | None, timeout: float | None) -> None:
        self.kernel = kernel
        self.schedule = schedule
        self.timeout = timeout

    def __getitem__(self, config: Any) -> Callable[..., Profile]:
        geometry = read_config(self.kernel.name, config)

        def launch(*arguments: Any) -> Profile:
            with runtime.lock:
                failure, build = run(self.kernel, runtime.PROFILE, geometry, arguments, self.schedule, self.timeout)
                rows = runtime.counters()
            runtime.raise_failure(self.kernel.name, failure)
            return Profile.read(rows, build.line, self.kernel.module)

        return launch


def profile(kernel: Kernel, *, schedule: int | None = None, timeout: float | None = None) -> Profiler:
    """Counts global, shared, local and atomic requests of a kernel's warps: sectors, bank conflicts, contention.

    The counters say what the access pattern costs, not how long the kernel takes: caches and time are not modelled.
    A `schedule` seed permutes blocks, warps and lanes, which changes the counters only where the kernel's path does.
    """
    if not isinstance(kernel, Kernel):
        raise TypeError(f"profile: expected a kernel compiled for the simulator, got {type(kernel).__name__}")
    return Profiler(kernel, schedule, timeout)
