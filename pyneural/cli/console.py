"""What the commands print with, and how they fail."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# A pipe or a log has no width of its own; the usual 80 columns would cut the tables. (rich heeds a width
# in a dumb terminal only beside a height.)
_SIZE = {} if sys.stdout.isatty() or "COLUMNS" in os.environ else {"width": 160, "height": 50}
console = Console(**_SIZE)  # type: ignore[arg-type]
errors = Console(stderr=True)


class Failure(Exception):
    """A check failed: the command ends with exit code 1 and this message."""


class Misuse(Exception):
    """The command was used wrongly: exit code 2 and this message."""


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn what users can cause into one sentence and an exit code."""
    from pyneural.apps.extras import MissingPackage

    try:
        yield
    except (Failure, MissingPackage) as error:
        _say(str(error))
        raise typer.Exit(1) from None
    except Misuse as error:
        _say(str(error))
        raise typer.Exit(2) from None


def _say(message: str) -> None:
    errors.print("[bold red]error:[/]", escape(message), soft_wrap=True, highlight=False)


def progress_bar() -> Progress:
    """A bar with the steps made and, in the field ``note``, what there is to say beside it."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )


def note(text: str) -> None:
    """Print a line as it is, however narrow the terminal is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def at_least(minimum: float, **options: float) -> None:
    """`Misuse` unless every option's value is ``minimum`` or more."""
    for name, value in options.items():
        if not value >= minimum:
            raise Misuse(f"--{name.replace('_', '-')} (={value}) must be at least {minimum}")


def one_of(known: tuple[str, ...], **options: str) -> None:
    """`Misuse` unless every option's value is among those known."""
    for name, value in options.items():
        if value not in known:
            raise Misuse(f"--{name.replace('_', '-')} (={value!r}) must be one of {', '.join(known)}")


def usable(device: str) -> None:
    """`Misuse` where a device cannot be used on this machine; it says why."""
    import pyneural

    try:
        pyneural.device(device)
    except RuntimeError as error:
        raise Misuse(f"--{error}") from None


def existing(path: Path) -> Path:
    """``path``; `Misuse` if it is no file."""
    if not path.is_file():
        raise Misuse(f"there is no file {path}" if not path.exists() else f"{path} is no file")
    return path


def folder(path: Path) -> Path:
    """``path``, made if it is not there; `Misuse` where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"the folder {path} cannot be made: {error.strerror}") from None
    return path
