"""A solution is compiled, run on every case, checked and counted; what is wrong is said in plain words.

It runs in this process. `runner` does the same in a process that may end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import cuda

from . import python, python_repair, python_rules, python_tree, rules, warnings
from .exercise import POISON, Array, Case, Exercise, Limit, Remark
from .language import CUDA, Language, in_python
from .lesson import Lesson
from .python_text import PythonSource
from .repair import repair
from .text import Source

Kernels = Mapping[str, cuda.Kernel]

MARKS = {"correct": 6, "clean": 2, "frugal": 2}
FULL = sum(MARKS.values())
SHOWN = 3
"""Findings and errors of a check that are shown; the next ones mostly follow from the first."""
TIMEOUT = 2.0
"""Seconds for one launch."""
TWICE = 1.5
"""Stores of an element from which on it is said that there are too many."""
CHANGED = 0.15
"""Seconds for one launch of a kernel with a change, of which there are many and some never end."""

LOOK = {
    "race": "what orders the two accesses: between them every thread of the block must pass a barrier",
    "out_of_bounds": "the condition that guards this access, and the largest index that comes here",
    "misaligned": "the address: a vector of 16 bytes lies only at multiples of 16",
    "uninitialized_read": "who writes this element first, and whether all threads wait for it",
    "divergent_barrier": "the branch or return that some threads take before the barrier: all must reach it",
    "invalid_warp_sync": "the mask: it must name the lanes that come here, and no others",
    "assertion_failed": "the assertion's condition for this thread",
    "hang": "the loop's condition: what changes it in each round",
}

GENERAL = (
    "which element each thread computes, for the thread named",
    "what overflows or divides by 0 on the way to this element",
)
"""What to look at for a wrong result of which nothing else is known."""
BETWEEN_BLOCKS = "which block is to have this element: no barrier orders two blocks"


@dataclass
class Verdict:
    """What a check found. `traffic` is the share of the moved bytes that had to be moved."""

    lesson: str
    remarks: list[Remark] = field(default_factory=list)
    correct: bool = False
    clean: bool = False
    frugal: bool = False
    traffic: float | None = None

    @property
    def marks(self) -> int:
        """What is wrong gets none, however clean it is."""
        return sum(marks for name, marks in MARKS.items() if getattr(self, name)) if self.correct else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, values: dict[str, Any]) -> Verdict:
        return cls(**{**values, "remarks": [Remark(**each) for each in values["remarks"]]})


def judge(lesson: Lesson, path: Path, seed: int) -> Verdict:
    """What there is to say about the solution in a file; `seed` is of inputs and schedules."""
    verdict = _judged(lesson, path, seed)
    if lesson.language is not CUDA:  # advice that is written for all languages
        verdict.remarks = [Remark(in_python(each.says), in_python(each.look), each.line) for each in verdict.remarks]
    return verdict


def _judged(lesson: Lesson, path: Path, seed: int) -> Verdict:
    verdict = Verdict(lesson.key)
    text = path.read_text(encoding="utf-8", errors="replace")
    if not lesson.mends and _code(text, lesson.language) == _code(lesson.skeleton, lesson.language):
        verdict.remarks.append(
            Remark("nothing is written between the marks yet", "the task, near the end of the lesson's text")
        )
        return verdict
    kernels = _compiled(lesson, path, verdict)
    if not kernels:
        return verdict
    rng = np.random.default_rng(seed)
    try:
        _run(lesson, path, kernels, rng, verdict, text)
        # What is not clean could end this process in a launch that is not checked.
        if verdict.correct and verdict.clean and lesson.exercise.also:
            wrong = lesson.exercise.also(kernels, rng)
            verdict.correct = not wrong
            verdict.remarks += [*(_known(lesson, kernels, text, lesson.exercise.cases(rng)) if wrong else []), *wrong]
        if verdict.correct and verdict.clean:
            _count(lesson.exercise, kernels, rng, verdict, _source(lesson, text))
    except (TypeError, ValueError, cuda.LaunchError) as error:
        verdict.correct = verdict.clean = verdict.frugal = False
        verdict.remarks.append(Remark(str(error), "the kernel's name and parameters, which must stay as they were"))
    return verdict


def _code(text: str, language: Language) -> str:
    """A source without its comments and white space."""
    return re.sub(r"\s+", "", re.sub(rf"{language.comment}[^\n]*", "", text))


def _compiled(lesson: Lesson, path: Path, verdict: Verdict) -> Kernels:
    """The exercise's kernels by name; none where it does not compile or lacks one."""
    exercise = lesson.exercise
    kernels: dict[str, cuda.Kernel] = {}
    source = PythonSource(path.read_text(encoding="utf-8", errors="replace"))

    def look(message: str, line: int = 0) -> str:
        if lesson.language is CUDA:
            return rules.compiler_look(message)
        return python_rules.compiler_look(message, source, line)

    try:
        get = cuda.compile(path, "simulator") if lesson.language is CUDA else python.Kernels(path, exercise)
        for name in (exercise.kernel, *exercise.more):
            kernels[name] = get[name]
    except cuda.CompileError as error:
        verdict.remarks += [
            Remark(f"does not compile: {each.message}", look(each.message, each.line), each.line)
            for each in error.diagnostics[:SHOWN]
        ] or [Remark(f"does not compile: {error}", look(""))]
        return {}
    except KeyError as error:
        verdict.remarks.append(Remark(str(error.args[0]), f"the name of the kernel, which must be {name}"))
        return {}
    return kernels


def _run(lesson: Lesson, path: Path, kernels: Kernels, rng: np.random.Generator, verdict: Verdict, text: str) -> None:
    """Every case in order and in two shuffled schedules, each launch checked."""
    exercise = lesson.exercise
    source = _source(lesson, text)
    findings: dict[tuple[str, int], Remark] = {}
    wrong: list[Remark] = []
    schedules = (None, *(int(seed) for seed in rng.integers(1 << 30, size=2)))
    ended = ""
    cases = exercise.cases(rng)
    for case, schedule in ((case, schedule) for case in cases for schedule in schedules):
        if ended:
            break
        arguments, kernel = _arguments(case), kernels[case.kernel or exercise.kernel]
        checked = cuda.sanitize(kernel, schedule=schedule, timeout=TIMEOUT)
        report = checked[case.grid, case.block, case.shared](*arguments.values())
        for found in report.findings:
            says = f"{found.kind}: {found.message} ({case.label})"
            findings.setdefault(
                (found.kind, found.line), Remark(says, _look(exercise, source, found, case), found.line)
            )
        # What follows a launch that was stopped says nothing, and each would take its time.
        ended = report.failure if report.failure and "did not end" in report.failure else ""
        if report.failure and not report.findings:
            findings.setdefault((report.failure, 0), Remark(f"ended early: {report.failure}"))
        if not wrong and not ended:
            wrong += _differences(case, arguments, kernel, schedule, source, safe=not _strays(findings))
    verdict.clean = not findings
    verdict.correct = not wrong and not ended
    if findings or not verdict.correct:
        known = _known(lesson, kernels, text, cases)
        if lesson.language is not CUDA and not ended:
            known += _negative(path, exercise, cases, findings)
        verdict.remarks += known
        if wrong and not findings and not known and wrong[0].look.startswith(GENERAL):
            wrong = [_repaired(lesson, path, text, cases, wrong[0])]
    verdict.remarks += [*_first(list(findings.values()))[:SHOWN], *wrong]


def _source(lesson: Lesson, text: str) -> Source:
    return Source(text) if lesson.language is CUDA else PythonSource(text)


def _known(lesson: Lesson, kernels: Kernels, text: str, cases: list[Case]) -> list[Remark]:
    """What the source shows by itself."""
    exercise, source = lesson.exercise, _source(lesson, text)
    found = list(rules.remarks(source, cases))
    if lesson.language is CUDA:
        return [*found, *warnings.remarks(kernels[exercise.kernel].module, source)]
    return [*found, *python_tree.remarks(text, cases, bool(exercise.doubles))]


def _negative(
    path: Path, exercise: Exercise, cases: list[Case], findings: Mapping[tuple[str, int], Remark]
) -> Iterator[Remark]:
    """The first negative index, which Python takes for one that counts from the end."""
    stray = [(line, each.says) for (kind, line), each in findings.items() if kind == "out_of_bounds"]
    known = {line for line, says in stray if "before the start" not in says}
    strict = python.Kernels(path, exercise, (python.NEGATIVE,))
    for case in cases:
        try:
            arguments, kernel = _arguments(case), strict[case.kernel or exercise.kernel]
        except cuda.CompileError:
            return  # it did compile before: this is a question more, and not the student's
        report = cuda.sanitize(kernel, timeout=TIMEOUT)[case.grid, case.block, case.shared](*arguments.values())
        if remark := python_rules.negative(report, known):
            yield remark
            return


def _look(exercise: Exercise, source: Source, found: cuda.Finding, case: Case) -> str:
    if found.other_block not in (None, found.block):
        return BETWEEN_BLOCKS
    general = exercise.look.get(found.kind, LOOK[found.kind])
    return rules.look(source, found, case, general)


def _strays(findings: Mapping[tuple[str, int], Remark]) -> bool:
    """Whether a launch that is not checked could end this process."""
    return any(kind in ("out_of_bounds", "misaligned") for kind, _ in findings)


def _first(found: list[Remark]) -> list[Remark]:
    """A barrier that not all reach before the races that follow from it."""
    return (
        sorted(found, key=lambda each: not each.says.startswith("divergent_barrier")) if _races_first(found) else found
    )


def _races_first(found: list[Remark]) -> bool:
    kinds = [each.says.partition(":")[0] for each in found]
    return kinds[:1] == ["race"] and "divergent_barrier" in kinds


def _repaired(lesson: Lesson, path: Path, text: str, cases: list[Case], wrong: Remark) -> Remark:
    """What is wrong, on the line where a small change would mend it, if there is one."""

    def right(case: Case, kernel: cuda.Kernel) -> bool:
        arguments = _arguments(case)
        checked = cuda.sanitize(kernel, timeout=CHANGED)
        report = checked[case.grid, case.block, case.shared](*arguments.values())
        return report.ok and all(
            _close(arguments[name], values, case.tolerance).all() for name, values in case.expected.items()
        )

    if lesson.language is CUDA:
        found = repair(text, lesson.exercise.kernel, cases, right)
    else:
        found = python_repair.repair(path, text, lesson.exercise.kernel, cases, right)
    return replace(wrong, look=found.look, line=found.lines[0]) if found else wrong


def _arguments(case: Case) -> dict[str, Any]:
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in case.arguments.items()}


def _differences(
    case: Case, got: dict[str, Any], kernel: cuda.Kernel, schedule: int | None, source: Source, safe: bool = True
) -> Iterator[Remark]:
    """One remark for the first array that is not as it must be."""
    for name, expected in case.expected.items():
        bad = ~_close(got[name], expected, case.tolerance)
        if not bad.any():
            continue
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f"{name}[{', '.join(map(str, index))}]"
        is_, wanted = got[name][index], expected[index]
        says = f"{place} is {is_:g}, not {wanted:g}"
        if is_ == np.asarray(POISON, expected.dtype):
            says = f"{place} is never written; it must be {wanted:g}"
        says += f"; {int(bad.sum())} of {bad.size} elements are wrong ({case.label})"
        if case.owner:
            says += f"; this one is the work of {case.owner(index)}"
        if schedule is not None:
            says += "; with threads in order the result was right: it depends on an order that nobody promised"
        line = _stored(kernel, case) if safe else 0
        if not line or name not in source.line(line):
            line = source.stores(name) or line
        look = GENERAL[0]
        if np.isnan(is_):
            look = GENERAL[1]
        elif "never written" in says:
            look += rules.index_of(source, line, name)
        for mistake in case.mistakes:
            if mistake.array == name and _close(got[name], mistake.values, case.tolerance).all():
                look = mistake.says
                break
        yield Remark(says, look, line)
        return


def _stored(kernel: cuda.Kernel, case: Case) -> int:
    """The last line that stores to global memory; 0 where none does."""
    try:
        counted = cuda.profile(kernel, timeout=TIMEOUT)[case.grid, case.block, case.shared]
        lines = counted(*_arguments(case).values()).lines
    except cuda.LaunchError:
        return 0
    return max((n for n, c in lines.items() if c["global_store_requests"] or c["atomic_global_requests"]), default=0)


def _close(got: Array, expected: Array, tolerance: float) -> Array:
    """Where two arrays agree; NaN agrees with nothing."""
    if not tolerance:
        return np.asarray(got == expected)
    exact, actual = expected.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(actual - exact) <= tolerance * np.maximum(1.0, np.abs(exact)))


def _count(exercise: Exercise, kernels: Kernels, rng: np.random.Generator, verdict: Verdict, source: Source) -> None:
    """The traffic against the least possible, and the counters that the lesson is about."""
    case, least = exercise.measured(rng)
    arguments, kernel = _arguments(case), kernels[case.kernel or exercise.kernel]
    counts = cuda.profile(kernel, timeout=TIMEOUT)[case.grid, case.block, case.shared](*arguments.values())
    # The case that is counted must be a solved one: else who does nothing would be the most frugal.
    wrong = list(_differences(case, arguments, kernel, None, Source("")))
    if wrong:
        verdict.correct = False
        verdict.remarks += wrong
        return
    moved = counts.total["global_load_bytes"] + counts.total["global_store_bytes"]
    verdict.traffic = least / moved if moved else 0.0
    total = {**counts.total, "shared_bytes": kernel.static_shared + case.shared}
    beyond = [limit for limit in exercise.limits if total[limit.counter] > limit.most]
    remarks = [_beyond(limit, total[limit.counter], counts) for limit in beyond]
    if verdict.traffic < exercise.share and not remarks:
        line = max(counts.lines, key=lambda n: _moved(counts.lines[n]), default=0)
        says = f"{int(moved)} bytes move to and from global memory; {least} would do ({case.label})"
        remarks.append(Remark(says, "this line, which moves most of them", line))
    times = counts.total["global_store_bytes_needed"] / max(1, sum(each.nbytes for each in case.expected.values()))
    if remarks and times > TWICE:
        line = max(counts.lines, key=lambda n: counts.lines[n]["global_store_bytes_needed"], default=0)
        says = f"elements are written {times:.3g} times each on average; once would do ({case.label})"
        look = rules.of_every_thread(source, line)
        remarks = [Remark(says, look or "how many threads, and which rounds of a loop, come to one element", line)]
    verdict.remarks += remarks
    verdict.frugal = not remarks


def _moved(line: cuda.Counters) -> float:
    return line["global_load_bytes"] + line["global_store_bytes"]


def _beyond(limit: Limit, value: float, counts: cuda.Profile) -> Remark:
    if limit.counter == "shared_bytes":
        arrays = counts.module.sources.unit.arrays
        line = max((n for _, file, n in arrays if file == counts.module.file), default=0)
    else:
        line = max(counts.lines, key=lambda n: counts.lines[n][limit.counter], default=0)
    look = limit.look or f"docs/simulator.md, `{limit.counter}`"
    return Remark(limit.says.format(value=f"{value:.6g}"), look, line)
