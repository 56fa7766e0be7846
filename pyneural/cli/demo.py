"""``pyneural demo``: train on real images, and hold every kernel that took part against its reference."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import typer
from rich.table import Table

import pyneural
from pyneural import kernels
from pyneural.apps import digits
from pyneural.apps.pictures import draw_loss, draw_predictions
from pyneural.apps.training import predict
from pyneural.io import load_checkpoint
from pyneural.kernels.accuracy import Report, compare
from pyneural.kernels.ahead import ahead
from pyneural.kernels.record import Use
from pyneural.nn import Module

from .console import Failure, at_least, console, folder, note, progress_bar
from .train import fit, save


def run(out: Path, seed: int, epochs: int | None) -> None:
    """The whole demo; `Failure` below the accuracy that it promises, or if a kernel is wrong."""
    epochs = digits.EPOCHS if epochs is None else epochs
    at_least(0, seed=seed)
    at_least(1, epochs=epochs)
    where = folder(out)
    data = digits.load_data()
    note(f"pyneural {pyneural.__version__} on {pyneural.get_default_device()}, seed {seed}")
    _compile()
    pyneural.manual_seed(seed)
    model = digits.build()
    console.print(model.summary((digits.BATCH_SIZE, 1, 8, 8)))
    with kernels.record() as recording:
        history, optimizer = fit(digits, model, data, epochs, digits.BATCH_SIZE, digits.LEARNING_RATE)
        logits = predict(model, data.test_images)
    per_step = history.seconds / len(history.losses)
    note(f"trained {len(history.losses)} steps in {history.seconds:.1f} s, {per_step * 1e3:.1f} ms a step")

    weights = where / f"{digits.NAME}.safetensors"
    save(weights, digits.NAME, model, optimizer, epochs, seed)
    _prove_reload(weights, data, logits)
    predictions = logits.argmax(dim=1).cpu().numpy()
    labels = data.test_labels.cpu().numpy()
    with console.status("drawing"):
        draw_predictions(where / "digits-predictions.png", data.test_images.cpu().numpy()[:, 0], labels, predictions)
        draw_loss(where / "loss.png", history.losses, history.scores)
    note(f"wrote {where / 'digits-predictions.png'} and {where / 'loss.png'}")

    reports = _check(list(recording.uses.values()))
    console.print(_table(recording.uses, reports))
    accuracy = float((predictions == labels).mean())
    typer.echo(f"test accuracy {accuracy:.4f}")
    wrong = [f"{name}: {report.message}" for name, report in reports.items() if not report.ok]
    if wrong:
        raise Failure("kernels differ from their reference:\n" + "\n".join(wrong))
    if accuracy < digits.GOAL:
        raise Failure(f"the test accuracy {accuracy:.4f} is below {digits.GOAL}")


def _compile() -> None:
    """Every kernel is compiled after it."""
    start = time.perf_counter()
    with console.status("compiling kernels (cached for the next time)"), ahead(_rehearse):
        _rehearse()
    note(f"kernels ready after {time.perf_counter() - start:.1f} s")


def _rehearse() -> None:
    """One step and one prediction of a network that is thrown away."""
    data = digits.load_data()
    few = replace(
        data,
        train_images=data.train_images[: digits.BATCH_SIZE],
        train_labels=data.train_labels[: digits.BATCH_SIZE],
    )
    throwaway = digits.build()
    digits.train(throwaway, few, epochs=1)
    predict(throwaway, data.test_images)


def _prove_reload(path: Path, data: digits.Digits, logits: pyneural.Tensor) -> None:
    """The weights from the file must give the same logits, bit for bit."""
    reloaded: Module = digits.build()
    load_checkpoint(path, model=reloaded)
    again = predict(reloaded, data.test_images)
    same = np.array_equal(again.numpy().view(np.uint32), logits.numpy().view(np.uint32))
    if not same:
        worst = float(np.abs(again.numpy() - logits.numpy()).max())
        raise Failure(f"the reloaded weights give other logits, by up to {worst:.3g}")
    note(f"saved {path}, reloaded it: the same {len(logits)} predictions, every logit bit for bit")


def _check(uses: list[Use]) -> dict[str, Report]:
    """Each kernel's first call in the training, repeated with its inputs and held against the reference."""
    reports = {}
    backend = kernels.active(pyneural.get_default_device().name)
    with progress_bar() as bar:
        task = bar.add_task("checking kernels", total=len(uses), note="")
        for use in uses:
            bar.update(task, note=use.operation.name)
            reports[use.operation.name] = compare(use.operation, use.sample, backend)
            bar.advance(task)
    return reports


def _table(uses: dict[str, Use], reports: dict[str, Report]) -> Table:
    table = Table(
        title="kernels: all calls of this training; the error is that of the first call, relative to the reference"
    )
    table.add_column("kernel")
    table.add_column("calls", justify="right")
    table.add_column("time, ms", justify="right")
    table.add_column("us a call", justify="right")
    table.add_column("error", justify="right")
    table.add_column("allowed", justify="right")
    table.add_column("")
    for name, use in sorted(uses.items(), key=lambda item: -item[1].seconds):
        report = reports[name]
        exact = report.error == 0.0
        table.add_row(
            name,
            f"{use.calls:,}",
            f"{use.seconds * 1e3:,.1f}",
            f"{use.seconds / use.calls * 1e6:,.1f}",
            "0" if exact else f"{report.error:.1e}",
            "" if exact else f"{report.allowed:.1e}",
            "[green]ok[/]" if report.ok else "[bold red]wrong[/]",
        )
    return table
