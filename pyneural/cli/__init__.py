"""The command ``pyneural``.

Exit codes: 0 all is well, 1 a check failed, 2 wrong usage. Heavy modules are imported by the command
that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyneural.apps import digits

from . import bench, cuda, learn, tune
from .console import reported

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hand-written kernels under a small autograd engine: see what works here, train, predict; run, check and "
    "profile CUDA without a GPU.",
)
train_app = typer.Typer(no_args_is_help=True, help="Train a network on real data.")
predict_app = typer.Typer(no_args_is_help=True, help="Use a trained network.")
app.add_typer(train_app, name="train")
app.add_typer(predict_app, name="predict")
app.add_typer(learn.app, name="learn")
cuda.register(app)
bench.register(app)
tune.register(app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
DeviceName = Annotated[str, typer.Option("--device", help="cpu, reference, simulator or cuda.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same run.")]
Epochs = Annotated[int, typer.Option("--epochs", help="Passes over the training images.")]


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
    epochs: Epochs = digits.EPOCHS,
) -> None:
    """Train a small CNN on real digits, and hold every kernel it used against its reference."""
    from .demo import run

    with reported():
        run(out, seed, epochs)


@train_app.command("digits")
def train_digits(
    device: DeviceName = "cpu",
    epochs: Epochs = digits.EPOCHS,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder for weights and report.")] = Path("runs/digits"),
    batch_size: Annotated[int, typer.Option("--batch-size", help="Images a step.")] = digits.BATCH_SIZE,
    lr: Annotated[float, typer.Option("--lr", help="Learning rate at the start.")] = digits.LEARNING_RATE,
) -> None:
    """Train a small CNN on the first half of scikit-learn's digits, test it on the second."""
    from .digits import train

    with reported():
        train(device, epochs, seed, out, batch_size, lr)


@predict_app.command("digits")
def predict_digits(
    image: Annotated[Path, typer.Argument(help="Picture of one digit.")],
    weights: Annotated[Path, typer.Option("--weights", help="File that `train digits` or `demo` wrote.")],
    device: DeviceName = "cpu",
    json: Json = False,
) -> None:
    """Say which digit a picture shows."""
    from .digits import predict

    with reported():
        predict(image, weights, device, json)


def main() -> None:
    """Run the command line."""
    app()
