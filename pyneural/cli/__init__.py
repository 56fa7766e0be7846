"""The command ``pyneural``.

Exit codes: 0 all is well, 1 a check failed, 2 wrong usage. Heavy modules are imported by the command
that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import bench, compare, cuda, explore, learn, scale, train, tune, warm_up
from .console import reported

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hand-written kernels under a small autograd engine: see what works here, train, predict; run, check and "
    "profile CUDA without a GPU.",
)
app.add_typer(learn.app, name="learn")
cuda.register(app)
explore.register(app)
bench.register(app)
tune.register(app)
warm_up.register(app)
train.register(app)
compare.register(app)
scale.register(app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same run.")]


def _version(wanted: bool) -> None:
    if wanted:
        from pyneural import __version__

        typer.echo(f"pyneural {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def doctor(json: Json = False) -> None:
    """Which devices work, why the others do not, and the command that mends each."""
    from .report import show_doctor

    with reported():
        show_doctor(json)


@app.command()
def devices(json: Json = False) -> None:
    """List the devices."""
    from .report import show_devices

    with reported():
        show_devices(json)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for pictures and weights.")] = Path("runs/demo"),
    seed: Seed = 0,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the training images.")] = None,
) -> None:
    """Train a small CNN on real digits, and hold every kernel it used against its reference."""
    from .demo import run

    with reported():
        run(out, seed, epochs)


def main() -> None:
    """Run the command line; under a launcher of several ranks, watched (`pyneural.distributed.guard`)."""
    from pyneural.distributed.guard import guarded

    guarded(app)
