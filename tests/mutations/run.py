"""Every mutation in turn: make the mistake in a copy, run the tests generated from its operations, say who noticed."""

from __future__ import annotations

import queue
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from .copies import ROOT, Copy, export, revision, seed_cache
from .mutation import Gone, Mutation
from .record import Record

CAUGHT, SURVIVED, BROKEN, GONE, NOT_RUN = "caught", "SURVIVED", "BROKEN", "GONE", "not run"

# In the order in which they run: what computes most of what a mutation may change comes first.
KERNEL_TESTS = ("test_accuracy", "test_results", "test_out", "test_halves", "test_gradient", "test_second_derivative")
ENGINE_TESTS = (
    "test_gradient",
    "test_second_derivative",
    "test_gradient_at_ties",
    "test_gradient_by_convention",
    "test_changed_in_place",
)

_NODE = re.compile(r"::(?P<test>\w+)\[(?P<operation>\w+)-(?P<backend>\w+)(?:-\w+)?\]$")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation in the files of ``commit``: caught by ``test``, or not; ``detail`` says how."""

    mutation: Mutation
    kind: str
    test: str = ""
    detail: str = ""
    commit: str = ""


def chosen(mutation: Mutation, collected: Iterable[str]) -> list[str]:
    """The tests generated from the mutation's operations, in the order in which to run them."""
    kinds = KERNEL_TESTS if mutation.in_kernel else ENGINE_TESTS
    # Only the CPU's own kernels are compiled from the file, or nothing is: then the quicker device comes first.
    compiled = mutation.in_kernel and not mutation.file.endswith("/reference.py")
    backends = ("numba_cpu", "cpu") if compiled else ("reference", "numba_cpu", "cpu")
    found = []
    for number, node in enumerate(collected):
        match = _NODE.search(node)
        if match is None or match["test"] not in kinds or match["backend"] not in backends:
            continue
        if match["operation"] in mutation.operations:
            found.append((kinds.index(match["test"]), match["backend"] != "reference", number, node))
    return [node for *_, node in sorted(found)]


def judge(mutation: Mutation, copy: Copy, tests: Sequence[str]) -> Verdict:
    """Run the tests with the mistake in place."""
    if not tests:
        return Verdict(mutation, GONE, detail=f"no test is generated from {', '.join(mutation.operations)}")
    try:
        with copy.mutated(mutation):
            outcome = copy.run(tests)
    except Gone as error:
        return Verdict(mutation, GONE, detail=str(error))
    if not outcome.failed:
        return Verdict(mutation, SURVIVED, detail=f"{outcome.passed} tests passed")
    return Verdict(mutation, CAUGHT if outcome.judged else BROKEN, outcome.test, outcome.reason)


def recorded(mutations: Sequence[Mutation], record: Path) -> list[Verdict]:
    """What ``record`` has of each of ``mutations``; nothing is run."""
    kept = Record(record, ROOT, 0)
    found = [kept.latest(each) for each in mutations]
    return [
        Verdict(each, CAUGHT, known[0], commit=known[1]) if known else Verdict(each, NOT_RUN)
        for each, known in zip(mutations, found, strict=True)
    ]


def run(
    mutations: Sequence[Mutation],
    *,
    jobs: int = 1,
    seed: int = 0,
    commit: str | None = None,
    progress: Callable[[str], None] = print,
    check_first: bool = True,
    record: Path | None = None,
) -> list[Verdict]:
    """A verdict on each of ``mutations``, in their order.

    Args:
        jobs: how many run at a time.
        seed: of the tests' random inputs, the same with and without a mistake.
        commit: whose files to copy; None for those of the working tree.
        progress: is told each verdict as it comes.
        check_first: run all chosen tests without any mistake first.
        record: a file that keeps what was caught; what it has of the same sources is not sought again.

    Raises:
        RuntimeError: a test fails without any mistake, or the copy does not load.
    """
    with tempfile.TemporaryDirectory(prefix="pyneural-mutations-") as temporary, ExitStack() as opened:
        folder = Path(temporary)
        export(folder / "source", commit)
        made_of = revision(commit)
        kept = Record(record, folder / "source", seed) if record else None
        known = {each.name: kept.get(each) for each in mutations} if kept else {}
        seed_cache(folder / "cache")
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        first = opened.enter_context(closing(Copy(folder / "source", folder / "copy-0", folder / "cache", seed)))
        collected = first.collect()
        tests = {mutation.name: chosen(mutation, collected) for mutation in mutations}
        every = dict.fromkeys(node for name in tests if not known.get(name) for node in tests[name])
        if check_first and every:
            progress(f"{len(every)} tests without a mistake ...")
            outcome = first.run(list(every), all_of_them=True)
            if outcome.failed:
                raise RuntimeError(f"mutations: {outcome.test} fails without any mistake: {outcome.reason}")
        copies.put(first)
        for number in range(1, jobs):
            other = Copy(folder / "source", folder / f"copy-{number}", folder / "cache", seed)
            copies.put(opened.enter_context(closing(other)))

        def one(mutation: Mutation) -> Verdict:
            found = known.get(mutation.name)
            if found:
                return Verdict(mutation, CAUGHT, found[0], commit=found[1])
            copy = copies.get()
            try:
                verdict = replace(judge(mutation, copy, tests[mutation.name]), commit=made_of)
            finally:
                copies.put(copy)
            if kept and verdict.kind == CAUGHT:
                kept.add(mutation, verdict.test, made_of)
            progress(f"{verdict.kind:8} {mutation.name}  {verdict.test or verdict.detail}")
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, mutations))
