"""What can go wrong between a CUDA source and the end of its kernel."""

from __future__ import annotations

from typing import NamedTuple


class Diagnostic(NamedTuple):
    """One error of the compiler, at the user's own file and line."""

    file: str
    line: int
    column: int
    message: str


class CompileError(Exception):
    """The source does not compile; `diagnostics` lists the errors, `log` is all that the compiler wrote."""

    def __init__(self, diagnostics: list[Diagnostic], log: str = "") -> None:
        self.diagnostics = diagnostics
        self.log = log
        shown = [f"{d.file}:{d.line}: {d.message}" for d in diagnostics[:10]]
        if len(diagnostics) > 10:
            shown.append(f"... and {len(diagnostics) - 10} more")
        super().__init__("\n".join(shown) or log.strip() or "the compiler failed and said nothing")


class CompilerNotFoundError(RuntimeError):
    """No C++ compiler for the simulator."""


class LaunchError(RuntimeError):
    """A kernel was ended before its end: an illegal access, a failed assertion, a deadlock, a timeout."""
