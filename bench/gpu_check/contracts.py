"""The tests of the device "cuda" on the GPU, a process for each family, for one bad access ends all of a process.

What fails is tried once more alone, so that its victims are told from it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from typing import Any

from .run import Findings, run, seconds_left, tail
from .steps import ROOT

CONTRACTS = str(ROOT / "tests/gpu/test_contracts_on_cuda.py")
DEVICE = tuple(str(ROOT / "tests/gpu" / each) for each in ("test_device_cuda.py", "test_gpu_target.py"))
AGAIN = 40  # failed tests that are tried alone at most
_MARKS = {"usual": "not every_dtype and not slow and not nvrtc", "dtypes": "every_dtype", "device": ""}


def _pytest(arguments: list[str], log: pathlib.Path, seconds: float) -> dict[str, Any]:
    """A pytest process: its exit code, how many tests it ran, and those that did not pass."""
    report = log.with_suffix(".xml")
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir",
        str(ROOT), "-o", "addopts=", "-o", "filterwarnings=default", "--import-mode=importlib", "--tb=short",
        f"--junitxml={report}", *arguments,
    ]  # fmt: skip
    code, taken = run(command, log, seconds, dict(os.environ))
    found: dict[str, Any] = {"code": code, "seconds": round(taken, 1), "tests": 0, "skipped": 0, "failures": []}
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        found["failures"].append({"test": "", "error": "no report: the process died or was stopped", "tail": tail(log)})
        return found
    for case in cases:
        found["tests"] += 1
        if case.find("skipped") is not None:
            found["skipped"] += 1
        for kind in ("failure", "error"):
            wrong = case.find(kind)
            if wrong is not None:
                path = (case.get("classname") or "").replace(".", "/") + ".py"
                found["failures"].append({
                    "test": f"{path}::{case.get('name')}", "error": (wrong.get("message") or "")[:500],
                    "detail": (wrong.text or "")[-2000:],
                })  # fmt: skip
    if code not in (0, 1, 5) and not found["failures"]:
        found["failures"].append({"test": "", "error": f"pytest ended with {code}", "tail": tail(log)})
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=sorted(_MARKS), required=True)
    parser.add_argument("--operations", default="", help="only these, comma-separated")
    parser.add_argument("--workers", type=int, default=max(1, min(8, (os.cpu_count() or 1) // 2)))
    options = parser.parse_args()
    begin, findings = time.monotonic(), Findings()
    from pyneural.kernels import FAMILIES, OPERATIONS

    logs = pathlib.Path(findings.path).parent.parent / "logs" if findings.path else pathlib.Path(tempfile.mkdtemp())
    asked = {each for each in options.operations.split(",") if each}
    jobs: dict[str, list[str]] = {}
    if options.part == "device":
        jobs = {pathlib.Path(path).stem: [path] for path in DEVICE if not asked or path == DEVICE[0]}
    else:
        for family in FAMILIES:
            names = [
                name for name, each in OPERATIONS.items() if each.family == family and name in (asked or OPERATIONS)
            ]
            if names:
                jobs[family] = [CONTRACTS, "-m", _MARKS[options.part], "--operations", ",".join(names)]
    if asked and options.part == "device":
        jobs = {name: [*arguments, "-k", "names or there_and_back"] for name, arguments in jobs.items()}
    failures: list[dict[str, Any]] = []
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        waiting = {
            pool.submit(_pytest, arguments, logs / options.part / f"{name}.log", seconds_left(begin) - 20): name
            for name, arguments in jobs.items()
        }
        for done in concurrent.futures.as_completed(waiting):
            found = done.result()
            failures += found["failures"]
            findings.add(
                "parts", {"name": waiting[done], **{key: found[key] for key in ("tests", "skipped", "seconds")}}
            )
            findings.set("failures", failures)
            print(f"{waiting[done]}: {found['tests']} tests, {len(found['failures'])} failed, {found['seconds']} s")
    if len(failures) > 1:
        for failure in failures[:AGAIN]:
            if failure["test"] and seconds_left(begin) > 60:
                alone = _pytest([str(ROOT / failure["test"])], logs / options.part / "alone.log", 120)
                failure["alone"] = "fails" if alone["failures"] else "passes: another test of its process broke it"
                findings.set("failures", failures)
    total = sum(each["tests"] - each["skipped"] for each in findings.values.get("parts", []))
    findings.set("tests", total)
    print(f"{total} tests, {len(failures)} failed")
    for failure in failures:
        print(f"FAILED {failure['test']}: {failure['error'].splitlines()[0] if failure['error'] else ''}")
    return 1 if failures or not total else 0


if __name__ == "__main__":
    sys.exit(main())
