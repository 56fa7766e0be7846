"""``pyneural tune``: the fastest blocks or tile of a kernel on this machine, kept for its launcher."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .console import Failure, Misuse, at_least, console, note, one_of, progress_bar, reported, usable

if TYPE_CHECKING:
    from pyneural.bench.tune import Found

OPERATIONS = ("matmul",)
DEVICES = ("cpu", "cuda")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="tune")(tune)


def tune(
    operation: Annotated[str, typer.Argument(help="matmul.")],
    device: Annotated[
        str, typer.Option("--device", help="cpu, for the blocks of its threads, or cuda, for the tile of a GPU.")
    ] = "cpu",
    sizes: Annotated[
        str, typer.Option("--sizes", help="256:2048, the powers of two between, or 300,600.")
    ] = "256:1024",
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32 or float64; on cuda float16 or bfloat16 too.")
    ] = "float32",
    threads: Annotated[int, typer.Option("--threads", help="Of the CPU; all cores without it.")] = 0,
) -> None:
    """Race the blocks or tiles of a kernel, each checked against the reference; keep the best of each shape class.

    Exit code 1 where a result is wrong. The kernel uses what was kept from its next start on; delete the file to
    undo it.
    """
    with reported():
        if operation not in OPERATIONS:
            raise Misuse(f"there is nothing to tune of {operation!r}; there is of {', '.join(OPERATIONS)}")
        one_of(DEVICES, device=device)
        at_least(0, threads=threads)
        if device == "cuda":
            _tune_gpu(sizes, dtype, threads)
        else:
            _tune_cpu(sizes, dtype, threads)


def _tune_cpu(sizes: str, dtype: str, threads: int) -> None:
    import numba

    from pyneural.bench import tune as tuner

    if dtype not in ("float32", "float64"):
        raise Misuse(f"--dtype (={dtype!r}) must be float32 or float64; float16 and bfloat16 are computed in float32")
    config: Any = numba.config
    most = config.NUMBA_NUM_THREADS
    used = threads or min(os.cpu_count() or 1, most)
    if used > most:
        raise Misuse(f"--threads (={threads}) must be at most {most}, Numba's threads; NUMBA_NUM_THREADS sets it")
    title = f"matmul, {dtype}, {used} threads: blocks of rows x columns, milliseconds"
    _search(sizes, title, lambda size: tuner.matmul(size, dtype, used))


def _tune_gpu(sizes: str, dtype: str, threads: int) -> None:
    from pyneural import cuda
    from pyneural.bench import tune as tuner
    from pyneural.bench import workloads

    if threads:
        raise Misuse(f"--threads (={threads}) are a CPU's, and --device is cuda")
    try:
        workloads.dtype_named(dtype)
    except ValueError as error:
        raise Misuse(str(error)) from None
    usable("cuda")
    title = f"matmul, {dtype}, {cuda.get_device_name()}: tiles, milliseconds of a graph's replay"
    _search(sizes, title, lambda size: tuner.matmul_on_gpu(size, dtype))


def _search(sizes: str, title: str, race: Callable[[int], Found]) -> None:
    """Race at every size, keep the winners, show them."""
    from pyneural.bench import suite
    from pyneural.bench import tune as tuner
    from pyneural.kernels import tuning

    try:
        asked = suite.sizes(sizes)
    except ValueError as error:
        raise Misuse(str(error)) from None
    found = []
    with progress_bar() as bar:
        task = bar.add_task("racing", total=len(asked), note="")
        for size in asked:
            bar.update(task, note=f"{size} x {size}")
            try:
                found.append(race(size))
            except ArithmeticError as error:
                raise Failure(f"refused, nothing is kept: {error}") from None
            bar.advance(task)
    tuner.keep(found)
    table = Table(title=title)
    for column in ("size", "winner", "times faster", "tried", "best of these"):
        table.add_column(column, justify="left" if column == "best of these" else "right")
    for each in found:
        best = sorted(each.tried.items(), key=lambda item: item[1])[:3]
        tried = ", ".join(f"{name}: {1e3 * seconds:.2f}" for name, seconds in best)
        table.add_row(str(each.size), tuner.named(each.winner), f"{each.gain:.2f}", str(len(each.tried)), tried)
    console.print(table)
    note(f"kept in {tuning.path()}")
