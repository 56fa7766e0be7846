"""What the sanitizer found, as one sentence each that a student understands."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .module import Sources

KINDS = (
    "race", "out_of_bounds", "misaligned", "uninitialized_read", "divergent_barrier", "invalid_warp_sync",
    "assertion_failed", "hang",
)  # fmt: skip

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Finding:
    """One mistake at one place; `count` says how often it was met."""

    kind: str
    message: str
    file: str
    line: int
    block: Triple
    thread: Triple
    other_block: Triple | None = None
    other_thread: Triple | None = None
    other_line: int | None = None
    array: str | None = None
    index: int | None = None
    distance: int | None = None
    """Bytes by which an access ends past the end; negative: before the start."""
    count: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """The findings of one launch or program. `failure` says why it ended early, if it did."""

    findings: list[Finding]
    failure: str | None = None
    output: str = ""
    returncode: int | None = None

    @property
    def ok(self) -> bool:
        return not self.findings and not self.failure

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.findings}

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings]
        if self.failure and not self.findings:
            lines.append(f"ended early: {self.failure}")
        return "\n".join(lines) or "no findings"

    def as_dict(self) -> dict[str, Any]:
        return {"findings": [f.as_dict() for f in self.findings], "failure": self.failure}


def _where(block: Triple, thread: Triple) -> str:
    return f"thread {_short(thread)} of block {_short(block)}"


def _short(v: Triple) -> str:
    """Coordinates without trailing dimensions that are 0."""
    if v[2]:
        return f"({v[0]}, {v[1]}, {v[2]})"
    return f"({v[0]}, {v[1]})" if v[1] else str(v[0])


def _lanes(mask: int) -> str:
    lanes = [i for i in range(32) if mask >> i & 1]
    if len(lanes) > 6:
        return f"{len(lanes)} lanes ({lanes[0]} to {lanes[-1]})"
    return f"lane{'s' if len(lanes) != 1 else ''} {', '.join(map(str, lanes))}"


class Reader:
    """Raw findings of the simulator to findings with lines and sentences."""

    def __init__(
        self,
        line_of: Callable[[int], tuple[str, int] | None],
        sources: Sources,
        shapes: dict[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.line_of = line_of
        self.shapes = {**sources.shapes, **(shapes or {})}
        self.arrays = sources.unit.arrays
        self.dynamic = sources.unit.dynamic
        self.parameters = {name for kernel in sources.unit.kernels for name in kernel.parameters}
        self.text_of = sources.lines
        self.files = sources.originals
        self.words = sources.words

    def place(self, at: dict[str, Any] | None) -> tuple[str, int]:
        if not at:
            return "", 0
        if "file" in at:
            return at["file"], at["line"]
        return self.line_of(at["pc"]) or ("", 0)

    def read(self, raw: list[dict[str, Any]]) -> list[Finding]:
        found: dict[tuple[Any, ...], Finding] = {}
        for item in raw:
            finding = self.one(item)
            if finding is None:
                continue
            key = (finding.kind, finding.file, finding.line, finding.array)
            if key not in found:
                found[key] = finding
        # What was read before another thread wrote it is a race, and only for that reason not yet written.
        raced = {finding.array for finding in found.values() if finding.kind == "race"}
        return [f for f in found.values() if f.kind != "uninitialized_read" or f.array not in raced]

    def one(self, f: dict[str, Any]) -> Finding | None:
        file, line = self.place(f["at"])
        other_file, other_line = self.place(f.get("other_at"))
        if f["kind"] == "hang":
            if file not in self.files and other_line:  # stopped within an atomic operation: where that was called
                file, line = other_file, other_line
            other_line = 0
        if len(self.dynamic) > 1 and f["array"] == self.dynamic[0][0] and f["space"] == "shared":
            f = self._rename(f, line)
        array = f["array"] or None
        if f["detail"] == "declared":
            name, extent = self._declared(file, line, f)
            if name is None:
                return None
            array = name
            f = {**f, "extent": extent, "array": name}
        message = getattr(self, f"_{f['kind']}")(f, other_line)
        for word, other in self.words.items():
            message = message.replace(word, other)
        return Finding(
            f["kind"], message, file, line, tuple(f["block"]), tuple(f["thread"]),
            tuple(f["other_block"]) if "other_block" in f else None,
            tuple(f["other_thread"]) if "other_thread" in f else None,
            other_line or None, array, f.get("index"),
            f.get("distance") if f["kind"] == "out_of_bounds" else None, f["times"],
        )  # fmt: skip

    def _rename(self, f: dict[str, Any], line: int) -> dict[str, Any]:
        """Several names for the one dynamic shared memory: the one declared last before this line."""
        _, element, _ = self.dynamic[0]
        name, size, _ = max((d for d in self.dynamic if d[2] <= line), key=lambda d: d[2], default=self.dynamic[0])
        element, size = element or 4, size or 4
        return {**f, "array": name, "index": f["index"] * element // size, "extent": f["extent"] * element // size}

    def _declared(self, file: str, line: int, f: dict[str, Any]) -> tuple[str | None, int]:
        """The array on this line that the index past its declared size belongs to.

        An inner index of a shared array is left to the check of the whole array: walking a two-dimensional
        tile as one row is common and works.
        """
        sizes = [int(n) for n in re.findall(r"\[(\d+)\]", f["text"])]
        text = self.text_of(file, line)
        names = re.findall(r"([A-Za-z_]\w*)\s*\[", text) + re.findall(r"\bcuda\.atomic\.\w+\(\s*(\w+)\s*,", text)
        dims = {name: self._dims(name, file, line) for name in names}
        if any(count not in (None, len(sizes)) for count in dims.values()):
            return None, 0
        # An index of all dimensions belongs to the array that has as many; a parameter is a pointer, of no size.
        whole = [name for name in names if len(sizes) > 1 and dims[name] == len(sizes)]
        local = [name for name in names if dims[name] is None and name not in self.parameters]
        return (whole or local or names or ["a local array"])[0], sizes[0] if sizes else 0

    def _dims(self, name: str, file: str, line: int) -> int | None:
        """Dimensions of the shared array of this name that is declared before this line and still known there."""
        near = [(at, array.dims) for (n, f, at), array in self.arrays.items()
                if (n, f) == (name, file) and at <= line <= (array.end or line)]  # fmt: skip
        return max(near)[1] if near else None

    def element(self, f: dict[str, Any]) -> str:
        """An element's name: in as many dimensions as the source has, where they are known."""
        index, shape = f.get("index"), self.shapes.get(f["array"], ())
        if index is None or len(shape) < 2 or not all(shape):
            return f"{f['space']} {f['array']}[{index}]"
        places: list[int] = []
        for side in reversed(shape[1:]):
            index, place = divmod(index, side)
            places.insert(0, place)
        return f"{f['space']} {f['array']}[{', '.join(map(str, [index, *places]))}]"

    @staticmethod
    def _other(f: dict[str, Any]) -> str:
        if f["other_block"] == f["block"]:
            return f"thread {_short(tuple(f['other_thread']))} of the same block"
        return _where(tuple(f["other_block"]), tuple(f["other_thread"]))

    def _race(self, f: dict[str, Any], other_line: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        what = self.element(f)
        if f["detail"] == "async":
            verb = "writes" if f["write"] else "reads"
            by = "its own" if f["other_thread"] == f["thread"] else f"thread {_short(tuple(f['other_thread']))}'s"
            return f"{who} {verb} {what} while {by} asynchronous copy into it (line {other_line}) is not waited for"
        sentence = self._asynchronous(f, who, what, other_line)
        if sentence:
            return sentence
        mine, other = ("writes" if f["write"] else "reads"), ("wrote" if f["other_write"] else "read")
        line = f" (line {other_line})" if other_line else ""
        if f["other_block"] != f["block"]:
            mend = "; blocks run in any order: use an atomic operation, or two launches"
        elif f["detail"] == "atomic":
            mend = ", one of them not by an atomic operation"
        elif f["thread"][0] // 32 == f["other_thread"][0] // 32 and f["thread"][1:] == f["other_thread"][1:]:
            mend = " with no __syncwarp() or __syncthreads() between"
        else:
            mend = " with no __syncthreads() between"
        return f"{who} {mine} {what}, which {self._other(f)} {other}{line}{mend}"

    def _asynchronous(self, f: dict[str, Any], who: str, what: str, other_line: int) -> str | None:
        """Races with a bulk copy or a wgmma."""
        verb = "writes" if f["write"] else "reads"
        if f["detail"] == "fence":
            return f"{who} starts a wgmma before its first wgmma.fence, so the registers may not be ready"
        if f["detail"] == "accumulators":
            return f"{who} {verb} the accumulators of a wgmma (line {other_line}) that has not been waited for"
        other = "it" if f["other_thread"] == f["thread"] else f"thread {_short(tuple(f['other_thread']))}"
        if f["detail"] == "proxy":
            wrote = f"{other} wrote it" + (f" (line {other_line})" if other_line else "")
            return f"{who} has {what} read by TMA or wgmma, but {wrote} with no fence.proxy.async after that"
        if f["detail"] in ("bulk", "wgmma"):
            name = "a bulk store" if f["detail"] == "bulk" else "a wgmma"
            return f"{who} {verb} {what} while {name} that {other} issued (line {other_line}) may still read it"
        return None

    def _out_of_bounds(self, f: dict[str, Any], _: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        verb = "writes" if f["write"] else "reads"
        if f["detail"] == "declared":
            return f"{who} uses {f['array']}[{f['index']}], but its last element is [{f['extent'] - 1}]"
        if f["detail"] == "null":
            return f"{who} {verb} through a null pointer (address {f['text']})"
        if f["detail"] == "local":
            return f"{who} {verb} local memory that is not its own"
        if f["detail"] == "wild" or not f["array"]:
            return f"{who} {verb} address {f['text']}, which is in no array"
        what = self.element(f)
        if f["detail"] == "freed":
            return f"{who} {verb} {what}, but that memory has been freed"
        if f["distance"] < 0:
            return f"{who} {verb} {what}, {-f['distance']} bytes before the start of the array"
        return f"{who} {verb} {what}, {f['distance']} bytes past the end of its {f['extent']} elements"

    def _misaligned(self, f: dict[str, Any], _: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        where = f" in {f['space']} {f['array']}" if f["array"] else ""
        past = f"{f['distance']} past a multiple" if "distance" in f else "no multiple"
        return (
            f"{who} {'writes' if f['write'] else 'reads'} {f['size']} bytes{where} at an address that is "
            f"{past} of {f['size']}; vector accesses must be aligned to their size"
        )

    def _uninitialized_read(self, f: dict[str, Any], _: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        return f"{who} reads {self.element(f)}, which nothing has written"

    def _divergent_barrier(self, f: dict[str, Any], other_line: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        if f["detail"] == "exited":
            other = _short(tuple(f["other_thread"]))
            return f"{who} waits at __syncthreads(), but thread {other} has returned and never comes"
        if f["detail"] == "alone":
            return f"{who} waits at a barrier that too few threads reach"
        other = _short(tuple(f["other_thread"]))
        return f"{who} waits at this __syncthreads(), but thread {other} is at another one (line {other_line})"

    def _invalid_warp_sync(self, f: dict[str, Any], _: int) -> str:
        who = _where(tuple(f["block"]), tuple(f["thread"]))
        mask, missing = f"mask 0x{f['mask']:08x}", _lanes(f["missing"])
        if f["detail"] == "caller":
            return f"{who} calls a warp operation with {mask}, which does not name its own {missing}"
        if f["detail"] == "exited":
            return f"{who} names {missing} in {mask}, which has returned and has no value to give"
        return f"{who} waits in a warp operation with {mask} for {missing}, which never arrives"

    def _assertion_failed(self, f: dict[str, Any], _: int) -> str:
        return f"{_where(tuple(f['block']), tuple(f['thread']))}: assertion failed: {f['text']}"

    def _hang(self, f: dict[str, Any], _: int) -> str:
        return f"{_where(tuple(f['block']), tuple(f['thread']))} was still running when the time was up"
