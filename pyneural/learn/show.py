"""A verdict in words."""

from __future__ import annotations

from .judge import FULL, Verdict


def lines(verdict: Verdict) -> list[str]:
    """The remarks, each with what to look at, and the marks."""
    said = []
    for remark in verdict.remarks:
        said.append(str(remark))
        if remark.look:
            said.append(f"    look at: {remark.look}")
    said += [f"{name:8} {_answer(verdict, name)}" for name in ("correct", "clean", "frugal")]
    if verdict.traffic is not None:
        said.append(f"{verdict.traffic:.0%} of the bytes moved had to be moved")
    return [*said, f"{verdict.marks} of {FULL} marks"]


def _answer(verdict: Verdict, name: str) -> str:
    if name == "frugal" and not (verdict.correct and verdict.clean):
        return "not asked yet"
    return "yes" if getattr(verdict, name) else "no"
