"""Why some memory-bound kernels move more than the least, or meet bank conflicts: what cannot be mended, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """``text`` explains the figure ``key`` of a case, for all element types or for one."""

    case: str
    key: str
    text: str
    dtype: str | None = None


REASONS: tuple[Reason, ...] = ()


def of(case: str, dtype: str, key: str) -> Reason | None:
    """The reason stated for a figure of a row."""
    return next(
        (each for each in REASONS if (each.case, each.key) == (case, key) and each.dtype in (None, dtype)), None
    )
