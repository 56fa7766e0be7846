"""`progress`: a bar beside a loop."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any

_PATIENCE = 1.0  # seconds: a loop that ends sooner needs no bar


class progress:
    """Show how far a loop is, and what ``set_postfix`` was given::

        bar = progress(loader, "epoch 1")
        for x, y in bar:
            ...
            bar.set_postfix(loss=loss.item())

    The bar appears after a second, on the standard error output, and only on a terminal.

    Args:
        iterable: what the loop goes over.
        description: stands before the bar.
        total: how many there are; by default the length of ``iterable``, if it has one.
        disable: True never shows it, False also where there is no terminal.

    Attributes:
        count: how many rounds the loop has begun.
    """

    def __init__(
        self, iterable: Iterable[Any], description: str = "", total: int | None = None, disable: bool | None = None
    ) -> None:
        if not hasattr(iterable, "__iter__"):
            raise TypeError(f"progress: cannot go over {type(iterable).__name__}")
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        self.iterable, self.description, self.total = iterable, description, total
        self.disable, self.count, self.note = disable, 0, ""

    def __len__(self) -> int:
        if self.total is None:
            raise TypeError(f"progress: {type(self.iterable).__name__} has no length; give total")
        return self.total

    def set_postfix(self, **values: Any) -> None:
        """Names and values to show behind the bar."""
        parts = (
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
        )
        self.note = "  ".join(parts)

    def __iter__(self) -> Iterator[Any]:
        hidden = not sys.stderr.isatty() if self.disable is None else self.disable
        begin, bar, task = time.monotonic(), None, None
        try:
            for each in self.iterable:
                self.count += 1
                if bar is None and not hidden and time.monotonic() - begin > _PATIENCE:
                    bar = _bar()
                    task = bar.add_task(self.description, total=self.total, note="")
                    bar.start()
                if bar is not None:
                    bar.update(task, completed=self.count - 1, note=self.note)
                yield each
            if bar is not None:
                bar.update(task, completed=self.count, note=self.note)
        finally:
            if bar is not None:
                bar.stop()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
