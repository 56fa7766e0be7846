"""What the check found, as JSON and as a page to read."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time
from typing import Any

from .steps import ROOT, STEPS


def commit() -> str:
    """The commit that is checked, or "unknown" outside a repository."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=30, cwd=ROOT)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def load(folder: pathlib.Path, at: str) -> dict[str, Any]:
    """What an earlier run of the same commit left, or the beginning of a report."""
    try:
        report = json.loads((folder / "report.json").read_text())
        if report["commit"] == at and isinstance(report["steps"], dict):
            return dict(report)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"commit": at, "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), "steps": {}}


def card(report: dict[str, Any]) -> str:
    """The card's name as a file's: ``nvidia-h100-80gb-hbm3``."""
    found = (report["steps"].get("environment") or {}).get("found") or {}
    return re.sub(r"[^a-z0-9]+", "-", str(found.get("card") or "unknown-gpu").lower()).strip("-")


def paths(report: dict[str, Any], results: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    return results / f"{card(report)}.json", results / f"{card(report)}.md"


def write(report: dict[str, Any], folder: pathlib.Path, results: pathlib.Path) -> None:
    """After every step: the report to go on from, the results, and the page."""
    report["written"] = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    folder.mkdir(parents=True, exist_ok=True)
    results.mkdir(parents=True, exist_ok=True)
    data, page = paths(report, results)
    whole = json.dumps(report, indent=1, default=str) + "\n"
    for path, body in ((folder / "report.json", whole), (data, whole), (page, text(report))):
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(body)
        os.replace(temporary, path)


def text(report: dict[str, Any]) -> str:
    """The page."""
    found = (report["steps"].get("environment") or {}).get("found") or {}
    versions = ", ".join(f"{name} {version}" for name, version in (found.get("packages") or {}).items())
    lines = [
        f"# {found.get('card', 'unknown GPU')}", "",
        f"Commit {report['commit']}, {report['started']}, driver and clocks: {_last(found.get('nvidia_smi', ''))}.",
        f"{versions}.", "", "| step | status | seconds | |", "|---|---|---:|---|",
    ]  # fmt: skip
    for step in STEPS:
        result = report["steps"].get(step.name)
        if result is None:
            lines.append(f"| {step.name} | not run | | |")
            continue
        lines.append(f"| {step.name} | {result['status']} | {result.get('seconds', '')} | {_facts(result)} |")
    for step in STEPS:
        result = report["steps"].get(step.name) or {}
        wrong = _failures(result)
        if wrong:
            lines += ["", f"## {step.name}: what failed", "", *(f"- {each}" for each in wrong)]
    lines += _benchmarks((report["steps"].get("benchmarks") or {}).get("found") or {})
    lines += _counters((report["steps"].get("counters") or {}).get("found") or {})
    return "\n".join(lines) + "\n"


def _last(text: str) -> str:
    return text.splitlines()[-1] if text else "unknown"


def _facts(result: dict[str, Any]) -> str:
    found, parts = result.get("found") or {}, [result.get("reason", "")]
    if "tests" in found:
        parts.append(f"{found['tests']} tests, {len(found.get('failures', []))} failed")
    if "calls" in found:
        parts.append(f"{found['errors']} errors in {found['calls']} calls")
    if "cases" in found:
        parts.append(f"{len(found['cases'])} cases")
    return "; ".join(each for each in parts if each)


def _failures(result: dict[str, Any]) -> list[str]:
    found, wrong = result.get("found") or {}, []
    for each in found.get("failures", []):
        name = each.get("test") or each.get("stage") or each.get("case") or "?"
        message = (each.get("error") or "").splitlines()
        alone = f" ({each['alone']})" if "alone" in each else ""
        wrong.append(f"`{name}`: {message[0] if message else ''}{alone}")
    wrong += [f"`{each}`" for each in [*found.get("first", []), *found.get("wrong", [])]]
    if not wrong and result.get("status") in ("failed", "timeout"):
        wrong = [found.get("reason") or result.get("reason", ""), *(result.get("tail") or "").splitlines()[-5:]]
    return wrong


def _benchmarks(found: dict[str, Any]) -> list[str]:
    cases = found.get("cases") or []
    if not cases:
        return []
    lines = [
        "", "## Benchmarks", "",
        "Medians of CUDA-event times; times faster than each contestant (below 1: slower); share of the peak.", "",
        "| case | microseconds | contestants | share of peak |", "|---|---:|---|---:|",
    ]  # fmt: skip
    for case in cases:
        own = case["seconds"].get("pyneural")
        others = ", ".join(
            f"{name} {seconds / own:.2f}" for name, seconds in case["seconds"].items() if own and name != "pyneural"
        )
        share = f"{case['share']:.0%} ({case['bound']})" if case.get("share") else ""
        lines.append(
            f"| {case['case']} | {own * 1e6:.1f} | {others} | {share} |" if own else f"| {case['case']} | | | |"
        )
    return lines


def _counters(found: dict[str, Any]) -> list[str]:
    rows = found.get("beside") or []
    if not rows:
        return []
    lines = ["", "## Counters: Nsight Compute beside the simulator", "", "| kernel | counter | GPU | simulator |"]
    lines.append("|---|---|---:|---:|")
    for row in rows:
        if row["gpu"] or row["simulator"]:
            lines.append(f"| `{row['kernel'][:60]}` | {row['counter']} | {row['gpu']} | {row['simulator']} |")
    return lines
