"""The zoo: wrong CUDA kernels with the finding each must cause, and correct ones that only look suspicious.

`python tests/csrc/zoo/zoo.py` runs all of them and writes docs/zoo.md.

A kernel stands under a line that says how it is run, and marks what is wrong with it or what it computes:

    // run <<<2, (32, 4), 512>>> (rand(64), zeros(64), 64)     grid, block, bytes of dynamic shared memory; arguments
    // run tile<8> <<<1, 64>>> (rand(64))                      an instance of a template
    // program name                                            main() is run with this argument
    // gives y = 2 * x                                         a parameter after the run, of the arguments before it
    // prints 42                                               all that the program prints
    ... // BUG: race (why)                                     a finding of this kind belongs to this line
"""

from __future__ import annotations

import copy
import functools
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import cuda

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "zoo.md"
NOTHING = "nothing"

_RUN = re.compile(r"^// run (?:(?P<name>\w+<.*?>) )?<<<(?P<config>.*)>>> \((?P<arguments>.*)\)$")
_PROGRAM = re.compile(r"^// program (?P<name>\w+)$")
_GIVES = re.compile(r"^// gives (?P<name>[\w.()]+) = (?P<value>.*)$")
_PRINTS = re.compile(r"^// prints (?P<text>.*)$")
_KERNEL = re.compile(r"__global__\b[^;{]*?\b(?P<name>\w+)\(")
_BUG = re.compile(r"// BUG: (?P<kind>\w+) \((?P<reason>.*)\)$")


@dataclass(frozen=True)
class Bug:
    kind: str
    line: int
    reason: str


@dataclass
class Case:
    """One kernel or program, how it is run, and what must come of it."""

    path: Path
    name: str
    line: int
    config: str = ""
    """Empty for a program."""
    arguments: str = "()"
    gives: dict[str, str] = field(default_factory=dict)
    prints: str | None = None
    bugs: list[Bug] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        return self.path.parent.name == "wrong"

    @property
    def kinds(self) -> set[str]:
        return {bug.kind for bug in self.bugs}

    @property
    def id(self) -> str:
        return f"{self.path.stem}-{self.name}"

    @property
    def timeout(self) -> float:
        """What never ends is stopped soon; all else has time, however busy the machine is."""
        return 0.5 if "hang" in self.kinds else 60.0


def read(path: Path) -> Iterator[Case]:
    """The cases of one file. What stands between two `run` lines belongs to the first."""
    case: Case | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if match := _RUN.match(line):
            if case:
                yield case
            arguments = f"({match['arguments']},)" if match["arguments"] else "()"
            case = Case(path, match["name"] or "", number, match["config"], arguments)
        elif match := _PROGRAM.match(line):
            if case:
                yield case
            case = Case(path, match["name"], number)
        elif case and (match := _GIVES.match(line)):
            case.gives[match["name"]] = match["value"]
        elif case and (match := _PRINTS.match(line)):
            case.prints = match["text"]
        elif case:
            if not case.name and (match := _KERNEL.search(line)):
                case.name = match["name"]
            if match := _BUG.search(line):
                case.bugs.append(Bug(match["kind"], number, match["reason"]))
    if case:
        yield case


def cases() -> list[Case]:
    return [case for path in sorted(HERE.glob("*/*.cu")) for case in read(path)]


def words(seed: str) -> dict[str, Any]:
    """The names that `run` and `gives` lines may use: NumPy's, types, and makers of arrays."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    return dict(
        vars(np),
        f16=np.float16, f32=np.float32, f64=np.float64, i8=np.int8, u8=np.uint8, i16=np.int16, u16=np.uint16,
        i32=np.int32, u32=np.uint32, i64=np.int64, u64=np.uint64,
        tensor_map=cuda.tensor_map,
        zeros=lambda *shape, dtype=np.float32: np.zeros(shape, dtype),
        empty=lambda *shape, dtype=np.float32: cuda.empty(shape, dtype),
        rand=lambda *shape, dtype=np.float32: rng.random(shape).astype(dtype),
        ints=lambda *shape, high, dtype=np.int32: rng.integers(0, high, shape).astype(dtype),
        array=lambda values, dtype=np.int32: np.array(values, dtype),
        arange=lambda n, dtype=np.int32: np.arange(n, dtype=dtype),
    )  # fmt: skip


@functools.cache
def module(path: Path) -> cuda.Module:
    """Each file is compiled once for all of its kernels."""
    compiled = cuda.compile(path, "simulator")
    assert isinstance(compiled, cuda.Module)
    return compiled


def run(case: Case, schedule: int | None = None) -> cuda.Report:
    """Runs a case under the sanitizer; what it is said to give or print is asserted."""
    if not case.config:
        result = cuda.run(case.path, [case.name], sanitize=True, schedule=schedule, timeout=case.timeout)
        assert result.report is not None
        if case.prints is not None:
            assert (result.returncode, result.stdout.strip()) == (0, case.prints), result
        return result.report
    names = words(case.name)
    config, arguments = eval(f"({case.config})", names), eval(case.arguments, names)
    kernel = module(case.path)[case.name]
    parameters = [parameter.name for parameter in kernel.parameters]
    names.update(zip(parameters, copy.deepcopy(arguments), strict=True))
    report = cuda.sanitize(kernel, schedule=schedule, timeout=case.timeout)[config](*arguments)
    after = dict(zip(parameters, arguments, strict=True))
    for name, text in case.gives.items():
        got, want = eval(name, words(case.name), after), eval(text, names)
        close = 2e-2 if got.dtype == np.float16 else 1e-5
        np.testing.assert_allclose(got, want, rtol=close, atol=close, err_msg=f"{case.name}: {name} = {text}")
    return report


def problems(case: Case, report: cuda.Report) -> list[str]:
    """How a report differs from what the case says. A race and two barriers have two ends: either may be marked."""
    found = [(finding.kind, {finding.line, finding.other_line}) for finding in report.findings]
    wrong = [
        f"line {bug.line}: no {bug.kind} was found"
        for bug in case.bugs
        if not any(kind == bug.kind and bug.line in lines for kind, lines in found)
    ]
    wrong += [f"false alarm: {finding}" for finding in report.findings if finding.kind not in case.kinds]
    if not case.wrong and report.failure:
        wrong.append(f"ended early: {report.failure}")
    return wrong


def table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def confusion(reports: list[tuple[Case, cuda.Report]]) -> list[list[str]]:
    """Kernels by what is wrong with them (rows) and by what is in their reports (columns)."""
    counts: Counter[tuple[str, str]] = Counter()
    for case, report in reports:
        found = report.kinds or {NOTHING}
        for kind in case.kinds or {NOTHING}:
            counts.update((kind, other) for other in found if other == kind or other not in case.kinds)
    kinds = [*cuda.KINDS, NOTHING]
    rows = [["the kernel has \\ found", "kernels", *(f"`{k}`" if k != NOTHING else k for k in kinds)]]
    for kind in kinds:
        total = sum(kind in (case.kinds or {NOTHING}) for case, _ in reports)
        cells = [str(counts[kind, other]) if counts[kind, other] else "" for other in kinds]
        rows.append([f"`{kind}`" if kind != NOTHING else kind, str(total), *cells])
    return rows


def page(reports: list[tuple[Case, cuda.Report]]) -> str:
    """docs/zoo.md: the confusion table, and every kernel with what is wrong with it."""
    wrong = [case for case, _ in reports if case.wrong]
    right = [case for case, _ in reports if not case.wrong]
    missed = sum(bool(problems(case, report)) for case, report in reports if case.wrong)
    alarms = sum(not report.ok for case, report in reports if not case.wrong)
    listing = [["file", "kernel", "line", "kind", "what is wrong"]]
    listing += [
        [f"[{case.path.name}](../{case.path.relative_to(HERE.parents[2]).as_posix()})", f"`{case.name}`",
         str(bug.line), f"`{bug.kind}`", bug.reason]
        for case in wrong for bug in case.bugs
    ]  # fmt: skip
    names = [["file", "correct kernels that look suspicious"]]
    for path in dict.fromkeys(case.path for case in right):
        link = f"[{path.name}](../{path.relative_to(HERE.parents[2]).as_posix()})"
        names.append([link, ", ".join(f"`{case.name}`" for case in right if case.path == path)])
    return "\n".join(
        [
            "# The zoo: what the sanitizer catches",
            "",
            "Written by `python tests/csrc/zoo/zoo.py`; a test holds it fresh.",
            "",
            f"{len(wrong)} wrong kernels and programs, each with the kind and line of its mistake marked in the "
            f"source, and {len(right)} correct ones that look suspicious, each with the result it must give. "
            f"Wrong ones not caught with the right kind on the right line, or with a finding of another kind: "
            f"{missed}. Correct ones with a finding: {alarms}. Mistakes that are known not to be found are no part of "
            "the zoo; [the simulator's page](simulator.md) names them under *Undetected*.",
            "",
            "## Confusion table",
            "",
            "Rows are what is wrong with a kernel, columns the kinds of findings in its report, blocks, warps and "
            "lanes in order. The tests run each kernel also with shuffled schedules.",
            "",
            table(confusion(reports)),
            "",
            "## Wrong",
            "",
            table(listing),
            "",
            "## Right",
            "",
            table(names),
            "",
        ]
    )


def main() -> int:
    reports = [(case, run(case)) for case in cases()]
    PAGE.write_text(page(reports), encoding="utf-8")
    bad = 0
    for case, report in reports:
        for problem in problems(case, report):
            bad += 1
            print(f"{case.path.relative_to(HERE)}:{case.line}: {case.name}: {problem}")
    print(f"{PAGE.name}: {len(reports)} cases, {bad} problems")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
