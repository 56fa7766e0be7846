"""``python -m bench.gpu_check [--minutes N] [--only STEP,...] [--from STEP] [--resume]``, or ``make gpu-check``.

Writes ``bench/results/<card>.json`` and ``.md`` after every step. The exit code is 0 where all steps passed, 1 where
one failed or had no time, 2 where no GPU can be used.
"""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import time
from typing import Any

from . import summary
from .run import execute
from .steps import ROOT, STEPS, Step

LEAST = 20  # seconds: a step is not begun with less


def chosen(only: str, first: str) -> list[Step]:
    """The steps that the options name, in order; ValueError for an unknown name."""
    names = [each.name for each in STEPS]
    wanted = [each for each in only.split(",") if each]
    for name in [*wanted, *([first] if first else [])]:
        if name not in names:
            raise ValueError(f"no step is named {name!r}; there are: {', '.join(names)}")
    steps = [each for each in STEPS if not wanted or each.name in wanted]
    return steps[[each.name for each in steps].index(first) :] if first else steps


def _stop(number: int, _: Any) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_check", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop cleanly after so many; 0: no limit")
    parser.add_argument("--only", default="", help="steps, comma-separated")
    parser.add_argument("--from", dest="first", default="", help="begin with this step")
    parser.add_argument("--resume", action="store_true", help="leave out what passed before at this commit")
    parser.add_argument("--operations", default="", help="contracts and sanitizers: only these operations")
    parser.add_argument("--small", action="store_true", help="benchmarks and counters in the sizes of a rehearsal")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build" / "gpu-check", help="logs and findings")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results")
    parser.add_argument("--list", action="store_true", help="show the steps")
    options = parser.parse_args(arguments)
    if options.list:
        for step in STEPS:
            print(f"{step.name:14} {step.about}")
        return 0
    try:
        steps = chosen(options.only, options.first)
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, _stop)
    folder = options.folder.resolve()
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    report = summary.load(folder, summary.commit())
    extra = ["--operations", options.operations] if options.operations else []
    stopped = False
    for number, step in enumerate(steps, 1):
        before = report["steps"].get(step.name)
        if options.resume and before and before["status"] == "passed":
            print(f"[{number}/{len(steps)}] {step.name}: passed before")
            continue
        left = end - time.monotonic()
        if left < LEAST:
            report["steps"][step.name] = {"status": "not run", "reason": f"no time left of {options.minutes:g} minutes"}
        else:
            print(f"[{number}/{len(steps)}] {step.name}: {step.about} ...", flush=True)
            takes = step.module in ("contracts", "sanitizer", "benchmarks")
            small = ["--small"] if options.small and step.module in ("counters", "benchmarks") else []
            try:
                report["steps"][step.name] = execute(step, folder, left, [*(extra if takes else []), *small])
            except KeyboardInterrupt:
                report["steps"][step.name] = {"status": "not run", "reason": "stopped by the user"}
                stopped = True
        result = report["steps"][step.name]
        print(f"    {result['status']} {result.get('reason', '')} ({result.get('seconds', 0)} s)", flush=True)
        summary.write(report, folder, options.results)
        if stopped:
            break
        if step.name == "environment" and result["status"] != "passed":
            print((result.get("found") or {}).get("obstacle") or result.get("tail", ""))
            return 2
    print(summary.text(report))
    where = summary.paths(report, options.results)
    print(f"written: {', '.join(str(each) for each in where)}; logs: {folder / 'logs'}")
    statuses = {report["steps"][each.name]["status"] for each in steps if each.name in report["steps"]}
    return 0 if statuses <= {"passed", "skipped"} and not stopped else 1


if __name__ == "__main__":
    sys.exit(main())
