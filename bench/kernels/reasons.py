"""Why some memory-bound kernels move more than the least, or meet bank conflicts: what cannot be mended, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """``text`` explains the figure ``key`` of cases whose names begin with one of ``cases``, for each or one dtype."""

    key: str
    cases: tuple[str, ...]
    text: str
    dtype: str | None = None


@dataclass(frozen=True)
class Spill:
    """Why kernels of a source whose names begin so may spill; ``dtype`` None is each."""

    source: str
    kernel: str
    dtype: str | None
    text: str
    arch: str | None = None

    def fits(self, source: str, kernel: str, dtype: str | None, arch: str) -> bool:
        """Whether this is the kernel meant."""
        return (
            source == self.source
            and kernel.startswith(self.kernel)
            and self.dtype in (None, dtype)
            and self.arch in (None, arch)
        )


SPILLS: tuple[Spill, ...] = ()

REASONS: tuple[Reason, ...] = ()


def of(case: str, dtype: str, key: str) -> Reason | None:
    """The reason stated for a figure of a row."""
    fitting = (
        each for each in REASONS if each.key == key and each.dtype in (None, dtype) and case.startswith(each.cases)
    )
    return next(fitting, None)
