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
    said += [f"{name:8} {'yes' if getattr(verdict, name) else 'no'}" for name in ("correct", "clean", "frugal")]
    if verdict.traffic is not None:
        said.append(f"{verdict.traffic:.0%} of the bytes moved had to be moved")
    return [*said, f"{verdict.marks} of {FULL} marks"]
