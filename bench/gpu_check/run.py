"""A step as a process: its time limit, its log, what it found."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from .steps import ROOT, Step, find_tool

RESULT = "PYNEURAL_GPU_CHECK_RESULT"
"""The environment variable that names the file in which a step leaves its findings, as it finds them."""


def site(folder: pathlib.Path) -> pathlib.Path:
    """A folder for PYTHONPATH in which the package ``pyneural`` is this checkout's, installed or not."""
    package = folder / "pyneural"
    package.mkdir(parents=True, exist_ok=True)
    wanted = {each.name: each for each in (ROOT / "pyneural").iterdir() if each.name != "__pycache__"}
    wanted |= {name: ROOT / name for name in ("kernels", "csrc")}
    for link in package.iterdir():
        if link.name not in wanted or link.resolve() != wanted[link.name]:
            link.unlink()
    for name, target in wanted.items():
        if not (package / name).exists():
            (package / name).symlink_to(target)
    return folder


def environment(folder: pathlib.Path) -> dict[str, str]:
    """What every process of the check is started with."""
    given = os.environ.get("PYTHONPATH")
    paths = [str(site(folder / "site")), str(ROOT), *([given] if given else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def run(command: list[str], log: pathlib.Path, seconds: float, variables: dict[str, str]) -> tuple[int | None, float]:
    """Exit code (None: stopped at its time limit) and seconds of a process whose output goes to a file.

    All that it started ends with it. It runs in a folder of its own: Python looks for packages where it is started,
    and the checkout's folder ``pyneural`` is a part of the package only.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    work = log.parent / "work"
    work.mkdir(exist_ok=True)
    with log.open("wb") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=variables, cwd=work,
            start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(timeout=max(seconds, 1.0))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    return code, time.monotonic() - begin


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
    process.poll()


def tail(log: pathlib.Path, lines: int = 25) -> str:
    """The end of a log."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def execute(step: Step, folder: pathlib.Path, seconds: float, extra: list[str]) -> dict[str, Any]:
    """Run a step; its status is "passed", "failed", "timeout" or "skipped", with the reason and what it found."""
    log, found = folder / "logs" / f"{step.name}.log", folder / "found" / f"{step.name}.json"
    found.parent.mkdir(parents=True, exist_ok=True)
    found.unlink(missing_ok=True)
    if step.tool and find_tool(step.tool) is None:
        return {"status": "skipped", "reason": f"{step.tool} is not on this machine", "seconds": 0.0}
    command = [sys.executable, "-m", f"bench.gpu_check.{step.module}", *step.arguments, *extra]
    limit = min(float(step.seconds), seconds)
    variables = {**environment(folder), RESULT: str(found), "PYNEURAL_GPU_CHECK_SECONDS": str(limit)}
    code, taken = run(command, log, limit, variables)
    result: dict[str, Any] = {"status": "passed" if code == 0 else "timeout" if code is None else "failed"}
    result |= {"seconds": round(taken, 1), "log": str(log.relative_to(ROOT) if log.is_relative_to(ROOT) else log)}
    if code is None:
        result["reason"] = f"stopped after {limit:.0f} s"
    elif code:
        result["reason"] = f"exit code {code}" + (f" (signal {signal.Signals(-code).name})" if code < 0 else "")
        result["tail"] = tail(log)
    try:
        result["found"] = json.loads(found.read_text())
    except (OSError, ValueError):
        result["found"] = None
        if code == 0:
            result |= {"status": "failed", "reason": "it ended well but left no findings", "tail": tail(log)}
    if code == 0 and result["found"] and "skipped" in result["found"]:
        result |= {"status": "skipped", "reason": result["found"]["skipped"]}
    return result


class Findings:
    """What a step found so far, on disk after every change: a process that dies loses nothing."""

    def __init__(self) -> None:
        self.path = os.environ.get(RESULT)
        self.values: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        self.values[name] = value
        self.write()

    def add(self, name: str, value: Any) -> None:
        self.values.setdefault(name, []).append(value)
        self.write()

    def write(self) -> None:
        text = json.dumps(self.values, indent=1, default=str)
        if self.path:
            temporary = pathlib.Path(f"{self.path}.new")
            temporary.write_text(text)
            os.replace(temporary, self.path)


def stages(each_of: Sequence[Callable[[], None]], findings: Findings) -> int:
    """Run each by itself, so that the first one that fails is named and the others have their turn; 1 if any failed."""
    failed = 0
    for stage in each_of:
        try:
            stage()
            findings.add("passed", stage.__name__)
            print(f"{stage.__name__}: passed")
        except Exception:
            failed = 1
            text = traceback.format_exc()
            findings.add("failures", {"stage": stage.__name__, "error": text.splitlines()[-1], "traceback": text})
            print(f"{stage.__name__}: FAILED\n{text}")
    return failed


def seconds_left(begin: float) -> float:
    """What is left to the step that this process is, of the limit it was given."""
    return float(os.environ.get("PYNEURAL_GPU_CHECK_SECONDS", "1e9")) - (time.monotonic() - begin)
