"""Days of a market: what is known before each, which are for what, and a user's table of closing prices."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from .tables import number, read_cells

SCALE = 66
"""Days before each that are known."""
VALIDATION, TEST = np.datetime64("2011-01-01"), np.datetime64("2014-01-01")


@dataclass(frozen=True)
class Days:
    """Days in order, and what was known at the close before each.

    Attributes:
        dates: (N).
        windows: (N, SCALE) log returns of the days before, oldest first.
        returns: (N) the day's own log return.
    """

    dates: np.ndarray
    windows: np.ndarray
    returns: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """(N): |return|."""
        targets: np.ndarray = np.abs(self.returns)
        return targets


def split(dates: np.ndarray, closes: np.ndarray) -> tuple[Days, Days, Days]:
    """Days before `VALIDATION`, those before `TEST`, and the others."""
    returns = np.diff(np.log(closes))
    windows = np.lib.stride_tricks.sliding_window_view(returns, SCALE)[:-1]
    days, own = dates[SCALE + 1 :], returns[SCALE:]
    parts = (days < VALIDATION, (days >= VALIDATION) & (days < TEST), days >= TEST)
    first, second, third = (Days(days[rows], windows[rows], own[rows]) for rows in parts)
    return first, second, third


def read_closes(given: str) -> tuple[list[datetime.date], np.ndarray]:
    """A CSV with the columns Date and Close, a day a row, oldest first; at least `SCALE` + 1 days.

    Raises:
        ValueError: there is no such file, it is no such table, or a date or price cannot be.
    """
    dates: list[datetime.date] = []
    closes = []
    for line, (date, close) in read_cells(given, ("Date", "Close")):
        place = f"read_closes: {given}, line {line}"
        try:
            dates.append(datetime.date.fromisoformat(date or ""))
        except ValueError:
            raise ValueError(f"{place}: 'Date' is {date!r}, no date as 2018-12-31") from None
        closes.append(number(given, line, "Close", close))
        if closes[-1] <= 0.0:
            raise ValueError(f"{place}: 'Close' is {close!r}, which must be above 0")
        if len(dates) > 1 and dates[-1] <= dates[-2]:
            raise ValueError(f"{place}: {dates[-1]} does not come after {dates[-2]}")
    if len(closes) <= SCALE:
        raise ValueError(f"read_closes: {given} has {len(closes)} days, and {SCALE + 1} are needed")
    return dates, np.array(closes)
