"""``pyneural compare``: the same training on every device of this machine."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pyneural import apps

from .console import Failure, Misuse, at_least, console, note, reported
from .train import Json, chosen_device, found

if TYPE_CHECKING:
    from pyneural.apps.comparison import Timed

STEPS = 10
SIMULATED = 1
"""Steps in the simulator, which shows what a kernel does and is no measure of any processor."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(compare)


def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[APP]...", help=f"Of {', '.join(apps.APPS)}; digits without one.")
    ] = None,
    devices: Annotated[
        str, typer.Option("--devices", help="cpu,cuda and so on; the losses of the first one are compared with.")
    ] = "",
    steps: Annotated[
        int, typer.Option("--steps", help="Of the training, on each device; one in the simulator.")
    ] = STEPS,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same run.")] = 0,
    json: Json = False,
) -> None:
    """Train the same network on every device here: do the losses agree, how long is a step, how long would all take?

    Exit code 1 where losses differ by more than rounding explains.
    """
    with reported():
        at_least(1, steps=steps)
        at_least(0, seed=seed)
        from pyneural.apps import comparison

        chosen = [found(each) for each in dict.fromkeys(names or ["digits"])]
        where = [chosen_device(each.strip()) for each in devices.split(",")] if devices else comparison.devices()
        if len(set(where)) < len(where):
            raise Misuse(f"--devices (={devices!r}) names one twice")
        told, wrong = [], []
        for app in chosen:
            rows: list[Timed] = []
            for device in where:
                with console.status(f"{app.NAME} on {device}"):
                    rows.append(comparison.timed(app, device, SIMULATED if device.type == "simulator" else steps, seed))
            told.append({"app": app.NAME, "seed": seed, "rows": [_facts(each, rows[0]) for each in rows]})
            wrong += [f"{app.NAME} on {each.device}" for each in rows[1:] if not comparison.agree(each, rows[0])]
            if not json:
                console.print(_table(app.NAME, rows))
        if json:
            typer.echo(json_module.dumps(told, indent=2))
        elif all(device.type != "cuda" for device in where):
            note(_WITHOUT_GPU)
        if wrong:
            raise Failure(f"losses differ from those of {where[0]} by more than rounding: {', '.join(wrong)}")


_WITHOUT_GPU = (
    "No GPU took part. On a machine with an NVIDIA GPU and CuPy the same command adds the row cuda: time and energy of "
    "a step, and how many times faster the full training would end. pyneural doctor says what is missing here."
)


def _facts(row: Timed, base: Timed) -> dict[str, Any]:
    from pyneural.apps.comparison import agree, differences

    first, largest = differences(row, base)
    return {
        **asdict(row),
        "full_seconds": row.full,
        "speedup": base.seconds / row.seconds,
        "first_difference": first,
        "largest_difference": largest,
        "agrees": agree(row, base),
    }


def _table(name: str, rows: list[Timed]) -> Table:
    from pyneural.apps.comparison import agree, differences

    base = rows[0]
    table = Table(
        "device",
        title=f"{name}: the same {max(len(each.losses) for each in rows)} steps of {base.samples} samples",
        caption=f"times faster and differences of the losses: against {base.device}. Full training: its "
        f"{base.steps:,} steps at this time a step, extrapolated."
        + (" * with the compilation of its kernels." if any(each.compiled for each in rows) else ""),
    )
    energy = any(each.joules is not None for each in rows)
    columns = ("steps", "ms a step", "samples/s", "times faster", *(["J a step"] if energy else []), "full training")
    for column in (*columns, "loss differs by", ""):
        table.add_column(column, justify="right")
    for row in rows:
        star = "*" if row.compiled else ""
        table.add_row(
            row.device,
            str(len(row.losses)),
            f"{1e3 * row.seconds:,.1f}{star}",
            f"{row.samples / row.seconds:,.0f}",
            f"{base.seconds / row.seconds:,.2f}",
            *(["-" if row.joules is None else f"{row.joules:.2f}"] if energy else []),
            duration(row.full),
            "" if row is base else f"{differences(row, base)[1]:.1e}",
            "" if row is base else "[green]ok[/]" if agree(row, base) else "[bold red]differs[/]",
        )
    return table


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would say them in."""
    for unit, length in (("weeks", 604800.0), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"
