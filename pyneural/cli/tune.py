"""``pyneural tune``: the fastest blocks of a kernel on this machine, kept for its launcher."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from rich.table import Table

from .console import Failure, Misuse, at_least, console, note, progress_bar, reported

OPERATIONS = ("matmul",)
DEVICES = ("cpu",)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="tune")(tune)


def tune(
    operation: Annotated[str, typer.Argument(help="matmul.")],
    device: Annotated[str, typer.Option("--device", help="cpu.")] = "cpu",
    sizes: Annotated[
        str, typer.Option("--sizes", help="256:2048, the powers of two between, or 300,600.")
    ] = "256:1024",
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float64.")] = "float32",
    threads: Annotated[int, typer.Option("--threads", help="All cores without it.")] = 0,
) -> None:
    """Race the blockings of a kernel, each checked against the reference, and keep the winner for each shape class.

    Exit code 1 where a result is wrong. The kernel uses what was kept from its next start on; delete the file to
    undo it.
    """
    with reported():
        if operation not in OPERATIONS:
            raise Misuse(f"there is nothing to tune of {operation!r}; there is of {', '.join(OPERATIONS)}")
        if device not in DEVICES:
            raise Misuse(f"--device (={device!r}) must be one of {', '.join(DEVICES)}")
        at_least(0, threads=threads)
        _tune(sizes, dtype, threads)


def _tune(sizes: str, dtype: str, threads: int) -> None:
    import numba

    from pyneural.bench import suite
    from pyneural.bench import tune as tuner
    from pyneural.kernels import tuning

    if dtype not in ("float32", "float64"):
        raise Misuse(f"--dtype (={dtype!r}) must be float32 or float64; float16 and bfloat16 are computed in float32")
    config: Any = numba.config
    most = config.NUMBA_NUM_THREADS
    used = threads or min(os.cpu_count() or 1, most)
    if used > most:
        raise Misuse(f"--threads (={threads}) must be at most {most}, Numba's threads; NUMBA_NUM_THREADS sets it")
    try:
        asked = suite.sizes(sizes)
    except ValueError as error:
        raise Misuse(str(error)) from None
    found = []
    with progress_bar() as bar:
        task = bar.add_task("racing blocks", total=len(asked), note="")
        for size in asked:
            bar.update(task, note=f"{size} x {size}")
            try:
                found.append(tuner.matmul(size, dtype, used))
            except ArithmeticError as error:
                raise Failure(f"refused, nothing is kept: {error}") from None
            bar.advance(task)
    tuner.keep(found, used)
    table = Table(title=f"matmul, {dtype}, {used} threads: blocks of rows x columns, milliseconds")
    for column in ("size", "winner", "times faster", "tried", "best of these"):
        table.add_column(column, justify="left" if column == "best of these" else "right")
    for each in found:
        best = sorted(each.tried.items(), key=lambda item: item[1])[:3]
        tried = ", ".join(f"{rows} x {columns}: {1e3 * seconds:.2f}" for (rows, columns), seconds in best)
        table.add_row(
            str(each.size),
            f"{each.winner.rows} x {each.winner.columns}",
            f"{each.gain:.2f}",
            str(len(each.tried)),
            tried,
        )
    console.print(table)
    note(f"kept in {tuning.path()}")
