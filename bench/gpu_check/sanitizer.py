"""NVIDIA's compute-sanitizer over the workload, with one of its tools."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import sys
import tempfile
import time
from typing import Any

from .run import Findings, run, seconds_left, tail
from .steps import find_tool

TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
FOUND = 86  # the exit code that stands for findings
_BEGINS = re.compile(r"Invalid|Misaligned|Program hit|Uninitialized|Error: Race|Warning: Race|Barrier error|Divergent")
_LEFT_OUT = ("Saved host", "Host Frame", "ERROR", "RACE")
_SUMMARY = re.compile(r"(ERROR|RACECHECK) SUMMARY: (\d+) (?:errors?|hazards? displayed \((\d+) errors?)")


def read(text: str, limit: int = 20) -> tuple[int | None, list[str]]:
    """How many errors compute-sanitizer counted (None: it never came to its summary), and the first of them."""
    count = None
    for match in _SUMMARY.finditer(text):
        count = (count or 0) + int(match[3] if match[1] == "RACECHECK" and match[3] is not None else match[2])
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if not line.startswith("========="):
            continue
        body = line[len("=========") :].strip()
        if re.match(
            r"(Invalid|Misaligned|Program hit|Uninitialized|Error: Race|Warning: Race|Barrier error|Divergent)", body
        ):
            blocks.append([body])
        elif (
            body
            and blocks
            and len(blocks[-1]) < 4
            and not body.startswith(("Saved host", "Host Frame", "ERROR", "RACE"))
        ):
            blocks[-1].append(body)
    return count, [" | ".join(each) for each in blocks[:limit]]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--operations", default="")
    options = parser.parse_args()
    begin, findings = time.monotonic(), Findings()
    program = find_tool("compute-sanitizer")
    if program is None:
        print("compute-sanitizer is not on this machine")
        return 1
    log = pathlib.Path(findings.path or tempfile.mkdtemp()).with_suffix(".log")
    command = [
        program, "--tool", options.tool, "--error-exitcode", str(FOUND), "--print-limit", "100", sys.executable, "-m",
        "bench.gpu_check.workload", "--operations", options.operations,
    ]  # fmt: skip
    code, taken = run(command, log, seconds_left(begin) - 15, dict(os.environ))
    text = log.read_text(errors="replace")
    count, first = read(text)
    calls = re.search(r"workload: (\d+) calls, (\d+) wrong", text)
    found: dict[str, Any] = {"errors": count, "first": first, "code": code, "seconds": round(taken, 1)}
    found["calls"] = int(calls[1]) if calls else None
    found["wrong"] = re.findall(r"(?m)^WRONG .*$", text)[:20]
    for name, value in found.items():
        findings.set(name, value)
    good = code == 0 and count == 0 and calls is not None and int(calls[1]) > 0
    if not good:
        findings.set("tail", tail(log))
    print(tail(log, 60))
    print(f"{options.tool}: {count} errors in {found['calls']} calls, exit code {code}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
