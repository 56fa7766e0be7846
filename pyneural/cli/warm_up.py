"""``pyneural warm-up``: compile the CPU's kernels before anything needs them."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from .console import Misuse, at_least, note, progress_bar, reported


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="warm-up")(warm_up)


def warm_up(
    operations: Annotated[list[str] | None, typer.Argument(metavar="[OPERATION]...", help="All without one.")] = None,
    dtype: Annotated[
        list[str] | None, typer.Option("--dtype", help="float32 without one; may be given more than once.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes; one for each core without it.")] = 0,
) -> None:
    """Compile the kernels of the CPU into the cache on disk, where every later process finds them.

    The cache is $PYNEURAL_CACHE_DIR, or pyneural in $XDG_CACHE_HOME or ~/.cache; it outlives a reinstallation.
    """
    from pyneural.kernels import OPERATIONS, dtypes
    from pyneural.kernels.ahead import compiled
    from pyneural.kernels.jit import cache_folder

    with reported():
        names = operations or list(OPERATIONS)
        at_least(0, jobs=jobs)
        unknown = [name for name in names if name not in OPERATIONS]
        if unknown:
            raise Misuse(f"there is no operation {unknown[0]!r}; docs/operations.md has all {len(OPERATIONS)}")
        known: dict[str, Any] = {each.name: each for each in dtypes.ALL}
        wanted = dtype or ["float32"]
        for each in wanted:
            if each not in known:
                raise Misuse(f"--dtype (={each!r}) must be one of {', '.join(known)}")
        before, begun = _kept(cache_folder()), time.perf_counter()
        with progress_bar() as bar:
            task = bar.add_task("compiling", total=len(names), note="")
            for name in compiled(names, [known[each] for each in wanted], jobs or os.cpu_count() or 1):
                bar.update(task, advance=1, note=name)
        made, seconds = _kept(cache_folder()) - before, time.perf_counter() - begun
        note(f"{', '.join(wanted)}: {made} kernels compiled in {seconds:.0f} s, kept in {cache_folder()}")


def _kept(folder: Any) -> int:
    return sum(1 for _ in folder.glob("*.nbc")) if folder.is_dir() else 0
