"""A check in a process of its own with limits on time and memory: what it does there ends a check and nothing else.

This is a guard against accidents, and no sandbox: a source may call whatever its author's account may.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from pyneural.cuda import CompileError, CompilerNotFoundError, toolchain

from .exercise import Remark
from .judge import Verdict
from .lesson import Lesson

SECONDS = 30.0
MEMORY = (3 << 30) + (os.cpu_count() or 1) * (1 << 29)
"""Bytes of address space: each core that runs blocks has stacks for a block's threads."""


def check(lesson: Lesson, path: Path, seed: int, *, seconds: float = SECONDS, memory: int = MEMORY) -> Verdict:
    """`judge` in a process that is ended after `seconds`, and has `memory` bytes of address space."""
    # The first check of all compiles the simulator, which must not count: ended halfway, it would begin anew each time.
    with contextlib.suppress(CompileError, CompilerNotFoundError):  # of which the check itself has a remark
        toolchain.runtime_library()
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "pyneural.learn.worker", lesson.key, str(path), str(seed), str(writer)]
    with os.fdopen(reader, "rb") as answers:
        try:
            process = subprocess.Popen(
                [*command, str(memory), str(int(seconds) + 1)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}, pass_fds=(writer,),
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(writer)
        try:
            _, log = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            log = None
        finally:
            _end(process)
        if log is None:
            return _ended(lesson, f"the check did not end within {seconds:g} seconds")
        answer = answers.read()
    if process.returncode == 0 and answer:
        return Verdict.read(json.loads(answer))
    return _ended(lesson, _reason(process.returncode, log.decode(errors="replace")))


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and the compilers that it started."""
    with contextlib.suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr:
        process.stderr.close()


def _ended(lesson: Lesson, why: str) -> Verdict:
    look = "loops without an end, large arrays, and code that runs outside of the kernel"
    return Verdict(lesson.key, [Remark(why, look)])


def _reason(code: int, log: str) -> str:
    last = (log.strip().split("\n") or [""])[-1]
    if code < 0:
        name = signal.Signals(-code).name
        return f"the program was ended by {name}" + (f": {last}" if last else "")
    if "MemoryError" in log or "annot allocate memory" in log:
        return f"the program wants more memory than a check may have: {last}"
    return f"the program ended before the check did (exit code {code})" + (f": {last}" if last else "")
