"""Two reports side by side: what got slower beyond noise."""

from __future__ import annotations

from typing import Any, NamedTuple

AGREE = 0.05
"""Rows whose change is smaller count as the same."""


class Change(NamedTuple):
    """One row and contestant of both reports.

    Attributes:
        change: 0.1 where the second report's pyneural takes 10 % longer, measured against the contestant.
        noise: half the quartiles' distance of both ratios together, relative to their means.
    """

    operation: str
    size: int
    dtype: str
    contestant: str
    before: float
    after: float
    change: float
    noise: float

    def slower(self, threshold: float) -> bool:
        """Beyond the threshold and beyond noise."""
        return self.change > max(threshold, self.noise)


def compared(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Every ratio that both reports have. Ratios of one run's rounds do not feel that the machine was slower.

    Raises ValueError where they are of two devices, or timed in two ways.
    """
    clocks = [f"{report.get('device', 'cpu')} by {report.get('timing', 'wall clock')}" for report in (before, after)]
    if clocks[0] != clocks[1]:
        raise ValueError(f"the reports are not of one device and clock: {' and '.join(clocks)}")
    known = {_key(row): row["ratio"] for row in before["rows"]}
    found = []
    for row in after["rows"]:
        for name, new in row["ratio"].items():
            old = known.get(_key(row), {}).get(name)
            if old is not None:
                noise = (_spread(old) + _spread(new)) / 2
                found.append(Change(*_key(row), name, old["mean"], new["mean"], old["mean"] / new["mean"] - 1, noise))
    return found


def agreeing(changes: list[Change]) -> int:
    """How many differ by less than `AGREE`."""
    return sum(abs(each.change) < AGREE for each in changes)


def _key(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["operation"], row["size"], row["dtype"]


def _spread(ratio: dict[str, float]) -> float:
    return (ratio["high"] - ratio["low"]) / ratio["mean"]
