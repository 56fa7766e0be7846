"""`cuda.run`: a whole CUDA program, with its `main` and its launches, on the CPU."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

from . import runtime, toolchain
from .errors import CompileError, Diagnostic
from .findings import Reader, Report
from .module import Build, compile
from .profile import Profile

MODES = {"plain": runtime.PLAIN, "sanitize": runtime.SANITIZE, "profile": runtime.PROFILE}


@dataclass(frozen=True)
class Result:
    """What a program did. `report` is there after sanitize=True, `profile` after profile=True."""

    returncode: int
    stdout: str
    stderr: str
    report: Report | None = None
    profile: Profile | None = None


def run(
    source_or_path: str | os.PathLike[str],
    arguments: list[str] | tuple[str, ...] = (),
    *,
    sanitize: bool = False,
    profile: bool = False,
    schedule: int | None = None,
    timeout: float | None = None,
    options: list[str] | tuple[str, ...] = (),
    include: list[str | os.PathLike[str]] | tuple[str | os.PathLike[str], ...] = (),
    capture: bool = True,
    cwd: str | os.PathLike[str] | None = None,
    stdin: str | None = None,
) -> Result:
    """Compiles a program and runs it in a process of its own, with `arguments` after its name.

    `sanitize` checks every launch, `profile` counts its memory accesses. `timeout` limits the whole program
    (and under `sanitize` one launch, 10 seconds unless said otherwise). With `capture=False` the program
    writes to the terminal.

    Raises CompileError, also for what the simulator cannot do, and TimeoutError for a program that does not end.
    """
    if sanitize and profile:
        raise ValueError("run: sanitize and profile are two runs; choose one")
    module = compile(source_or_path, "simulator", options=options, include=include)
    if not module.sources.unit.has_main:
        raise CompileError([Diagnostic(module.file, 0, 0, "the program has no function `int main`")])
    mode = "sanitize" if sanitize else "profile" if profile else "plain"
    build = module.plain if mode == "plain" else module.build(None, True)
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "results.json"
        lines = [f"library {build.path()}", f"output {output}", f"mode {MODES[mode]}"]
        if schedule is not None:
            lines.append(f"seed {schedule * 2 + 1}")
        limit = timeout or (10.0 if sanitize else 0)
        lines += [f"timeout {limit}", f"workers {1 if module.sources.unit.ordered else 0}"]
        lines += [f"symbol {line}" for line in build.symbols.splitlines()]
        setup = pathlib.Path(folder) / "options"
        setup.write_text("\n".join(lines) + "\n")
        command = [str(runner()), str(setup), *map(str, arguments)]
        try:
            done = subprocess.run(
                command, capture_output=capture, text=True, errors="replace", cwd=cwd, input=stdin, check=False,
                timeout=None if timeout is None else timeout + 5,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{module.file}: the program did not end within {timeout:g} seconds") from None
        results = json.loads(output.read_text()) if output.exists() else {}
    return _result(build, done, results, sanitize, profile)


def _result(
    build: Build, done: subprocess.CompletedProcess[str], results: dict[str, Any], sanitize: bool, profile: bool
) -> Result:
    base = results.get("image", 0)

    def line_of(pc: int) -> tuple[str, int] | None:
        return build.line(pc, base)

    stdout, stderr = done.stdout or "", done.stderr or ""
    failure = None
    if done.returncode < 0:
        failure = f"the program was ended by signal {-done.returncode}"
    report = counts = None
    if sanitize:
        findings = Reader(line_of, build.module.sources).read(results.get("findings", []))
        report = Report(findings, failure, stdout, done.returncode)
    if profile:
        counts = Profile.read(results.get("counters", []), line_of, build.module)
    return Result(done.returncode, stdout, stderr, report, counts)


@functools.cache
def runner() -> pathlib.Path:
    """The small program that loads the compiled one; built on first use."""
    library = toolchain.runtime_library()
    path = library.with_name(library.name.replace("libpnsim", "runner").removesuffix(".so"))
    if not path.exists():
        toolchain.build_program([toolchain.SIMULATOR / "runner" / "main.cpp"], path, library)
    return path
