"""``pyneural train digits`` and ``pyneural predict digits``."""

from __future__ import annotations

import json as json_module
import time
from pathlib import Path

import typer

import pyneural
from pyneural.apps import digits
from pyneural.apps.image import read_digit
from pyneural.device import Device
from pyneural.doctor import versions
from pyneural.io import load_checkpoint, save_checkpoint, write_text
from pyneural.nn import Module
from pyneural.optim import Optimizer
from pyneural.random import default_generator

from .console import Misuse, at_least, console, existing, folder, note, progress_bar

WEIGHTS = "digits.safetensors"
REPORT = "report.json"


def chosen_device(name: str) -> Device:
    """The device of that name; `Misuse` says why not."""
    try:
        return pyneural.device(name)
    except (ValueError, RuntimeError) as error:
        raise Misuse(str(error)) from None


def fit(
    model: Module, data: digits.Digits, epochs: int, batch_size: int, lr: float
) -> tuple[digits.History, Optimizer, float]:
    """Train under a progress bar; also gives the seconds it took."""
    with progress_bar() as bar:
        task = bar.add_task("compiling kernels", total=None, note="")

        def show(at: digits.Progress) -> None:
            bar.update(
                task,
                description=f"epoch {at.epoch}/{at.epochs}",
                total=at.steps,
                completed=at.step,
                note=f"loss {at.loss:.4f}  accuracy {at.accuracy:.4f}",
            )

        start = time.perf_counter()
        history, optimizer = digits.train(model, data, epochs, batch_size, lr, on_step=show)
        return history, optimizer, time.perf_counter() - start


def save(path: Path, model: Module, optimizer: Optimizer, epochs: int, seed: int) -> None:
    """Write a checkpoint that `predict` knows as one of this application."""
    save_checkpoint(
        path,
        model=model,
        optimizer=optimizer,
        generator=default_generator,
        app=digits.NAME,
        epochs=epochs,
        seed=seed,
    )


def train(device: str, epochs: int, seed: int, out: Path, batch_size: int, lr: float) -> None:
    """Train, test, and write weights and a report."""
    at_least(1, epochs=epochs, batch_size=batch_size)
    at_least(0, seed=seed, lr=lr)
    target = chosen_device(device)
    data = digits.load_data(target)
    if batch_size > len(data.train_labels):
        raise Misuse(f"--batch-size (={batch_size}) must be at most the {len(data.train_labels)} training images")
    pyneural.manual_seed(seed)
    model = digits.build(device=target)
    where = folder(out)
    history, optimizer, seconds = fit(model, data, epochs, batch_size, lr)
    accuracy = digits.evaluate(model, data.test_images, data.test_labels)
    save(where / WEIGHTS, model, optimizer, epochs, seed)
    report = {
        "app": digits.NAME,
        "device": str(target),
        "seed": seed,
        "epochs": epochs,
        "seconds": round(seconds, 3),
        "final_train_loss": history.final_loss,
        "test": accuracy,
        "baseline": digits.baseline(),
        "versions": versions(),
    }
    write_text(where / REPORT, json_module.dumps(report, indent=2) + "\n")
    note(f"wrote {where / WEIGHTS} and {where / REPORT}")
    typer.echo(f"test accuracy {accuracy:.4f} (a support vector classifier: {report['baseline']:.4f})")


def predict(image: Path, weights: Path, device: str, json: bool) -> None:
    """Print the digit that a picture shows, and how likely each is."""
    target = chosen_device(device)
    model = digits.build(device=target)
    try:
        extra = load_checkpoint(existing(weights), model=model)
        picture = read_digit(existing(image), target)
    except (ValueError, OSError) as error:
        raise Misuse(str(error)) from None
    if extra.get("app") != digits.NAME:
        raise Misuse(f"{weights} was made by the application {extra.get('app')!r}, not by 'digits'")
    probabilities = digits.predict(model, picture).softmax(dim=1)[0].tolist()
    digit = max(range(10), key=probabilities.__getitem__)
    if json:
        typer.echo(json_module.dumps({"digit": digit, "probabilities": probabilities}))
        return
    typer.echo(str(digit))
    for number, probability in enumerate(probabilities):
        bar = "█" * round(30 * probability)
        console.print(f"  {number}  {probability:6.3f} {bar}", highlight=False)
