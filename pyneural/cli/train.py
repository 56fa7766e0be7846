"""``pyneural train``, ``evaluate`` and ``predict``: the applications on real data."""

from __future__ import annotations

import json as json_module
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pyneural import apps

from .console import Failure, Misuse, at_least, console, existing, folder, note, one_of, progress_bar, reported

if TYPE_CHECKING:
    from pyneural.apps.app import App
    from pyneural.apps.ranks import Options
    from pyneural.apps.training import Checkpoint, History
    from pyneural.device import Device
    from pyneural.distributed import ProcessGroup
    from pyneural.nn import Module
    from pyneural.optim import Optimizer

REPORT = "report.json"
STATE = "training.safetensors"
"""A training that has not ended; `train` goes on from it and removes it at the end."""
RUNS = Path("runs")

_NAMES = "; ".join(f"{name}: {what}" for name, what in apps.APPS.items())
Name = Annotated[str, typer.Argument(metavar="NAME", help=f"Of the application. {_NAMES}.")]
DeviceName = Annotated[str, typer.Option("--device", help="cpu, reference, simulator or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (train, evaluate, predict):
        app.command()(command)


def train(
    name: Name,
    device: DeviceName = "cpu",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the training data.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same run.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for weights, report and picture.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Samples a step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate at the start.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, whatever was interrupted.")] = False,
    save_every: Annotated[float, typer.Option("--save-every", help="Seconds between checkpoints.")] = 30.0,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="File for a Chrome trace of what every rank computed and sent.")
    ] = None,
    zero: Annotated[bool, typer.Option("--zero", help="Spread the optimizer's state over the ranks.")] = False,
    sync_batch_norm: Annotated[
        bool, typer.Option("--sync-batch-norm", help="Normalise batches by the statistics of all ranks.")
    ] = False,
    compress: Annotated[
        str | None, typer.Option("--compress", help="float16: send gradients between ranks in 16 bits.")
    ] = None,
) -> None:
    """Train a network on real data and test it on held-out data; a training that was interrupted goes on.

    Writes NAME.safetensors, report.json and NAME.png to the folder, runs/NAME unless it is given. Under
    ``mpiexec -n N`` every rank takes a part of each batch.
    """
    with reported():
        chosen = found(name)
        from pyneural.apps.ranks import Options
        from pyneural.apps.training import Checkpoint, Refused

        settings = (
            chosen.EPOCHS if epochs is None else epochs,
            chosen.BATCH_SIZE if batch_size is None else batch_size,
            chosen.LEARNING_RATE if lr is None else lr,
        )
        at_least(1, epochs=settings[0], batch_size=settings[1])
        at_least(0, seed=seed, lr=settings[2], save_every=save_every)
        if compress is not None:
            one_of(("float16",), compress=compress)
        group = joined(trace is not None)
        first = group is None or group.rank == 0
        # Each rank has a GPU of its machine for itself.
        target = chosen_device(f"cuda:{group.local_rank}" if group is not None and device == "cuda" else device)
        where = RUNS / name if out is None else out
        state = where / STATE
        if first:
            folder(where)
        if fresh and first:
            state.unlink(missing_ok=True)
        facts = {"app": name, "seed": seed, "device": str(target)}
        try:
            options = Options(zero, compress)
            _train(chosen, settings, Checkpoint(state, facts, save_every), target, options, sync_batch_norm, trace)
        except Refused as error:
            hint = f"; --fresh begins anew, --out chooses another folder than {where}" if state.exists() else ""
            raise Misuse(f"{error}{hint}") from None


def joined(traced: bool = False) -> ProcessGroup | None:
    """The group of the ranks that a launcher has started, or of one whose trace is wanted; the others print nothing."""
    from pyneural import distributed
    from pyneural.distributed import environment

    try:
        place = environment.place()
        if not traced and (place is None or place.world_size == 1):
            return None
        group = distributed.init()
    except (RuntimeError, ImportError) as error:
        raise Failure(str(error)) from None
    console.quiet = group.rank != 0
    return group


def _train(
    app: App,
    settings: tuple[int, int, float],
    checkpoint: Checkpoint,
    target: Device,
    options: Options,
    sync_batch_norm: bool,
    trace: Path | None,
) -> None:
    import pyneural
    from pyneural import distributed
    from pyneural.apps.ranks import first_only
    from pyneural.distributed.trace import write

    seed = checkpoint.facts["seed"]
    data = app.load_data(target)
    pyneural.manual_seed(seed)
    model = app.build(device=target)
    if sync_batch_norm and distributed.is_initialized():
        distributed.convert_sync_batchnorm(model)
    if checkpoint.path.exists():
        note(f"going on from {checkpoint.path}")
    if trace is not None:
        distributed.barrier()  # every rank counts from the same moment
        distributed.current().trace.begin()
    history, optimizer = fit(app, model, data, *settings, checkpoint, options)
    if trace is not None:
        write(trace, distributed.current())
    with first_only() as first:
        if first:
            _finish(app, model, data, history, optimizer, settings[0], seed, target, checkpoint)


def _finish(
    app: App,
    model: Module,
    data: Any,
    history: History,
    optimizer: Optimizer,
    epochs: int,
    seed: int,
    target: Device,
    checkpoint: Checkpoint,
) -> None:
    """Test, and write weights, picture and report."""
    from pyneural import distributed
    from pyneural.doctor import versions
    from pyneural.io import write_text

    where = checkpoint.path.parent
    with console.status("testing"):
        test, baseline = app.score(model, data), app.baseline()
        app.draw(where / f"{app.NAME}.png", model, data)
    weights = where / f"{app.NAME}.safetensors"
    save(weights, app.NAME, model, optimizer, epochs, seed)
    report = {
        "app": app.NAME,
        "device": str(target),
        "seed": seed,
        "epochs": len(history.scores),
        "seconds": round(history.seconds, 3),
        "final_train_loss": history.final_loss,
        "test": test,
        "baseline": baseline,
        "versions": versions(),
    }
    if distributed.is_initialized():
        report["ranks"] = distributed.get_world_size()
    write_text(where / REPORT, json_module.dumps(report, indent=2) + "\n")
    checkpoint.path.unlink(missing_ok=True)
    if history.validation:
        note(f"{len(history.scores)} epochs, the weights are those of epoch {history.best_epoch}")
    note(f"wrote {weights}, {where / REPORT} and {where / f'{app.NAME}.png'}")
    for metric, value in test.items():
        beside = f" (baseline: {baseline[metric]:.4f})" if metric in baseline else ""
        typer.echo(f"test {metric} {value:.4f}{beside}")


def fit(
    app: Any,
    model: Module,
    data: Any,
    epochs: int,
    batch_size: int,
    lr: float,
    checkpoint: Checkpoint | None = None,
    options: Options | None = None,
) -> tuple[History, Optimizer]:
    """Train an application's network under a progress bar."""
    with progress_bar() as bar:
        task = bar.add_task("compiling kernels", total=None, note="")
        start, first = 0.0, 0

        def show(at: Any) -> None:
            nonlocal start, first
            now = time.perf_counter()
            if not start:  # the first step compiles
                start, first = now, at.step
            rate = ""
            if at.step > first:
                each = (now - start) / (at.step - first)
                rate = f"  {at.samples / each:,.0f} samples/s  {each * (at.steps - at.step):.0f} s left"
            bar.update(
                task,
                description=f"epoch {at.epoch}/{at.epochs}",
                total=at.steps,
                completed=at.step,
                note=f"loss {at.loss:.4f}  {app.METRIC} {at.score:.4f}{rate}",
            )

        settings: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "checkpoint": checkpoint}
        if options is not None:
            settings["ranks"] = options
        history, optimizer = app.train(model, data, on_step=show, **settings)
    return history, optimizer


def save(path: Path, name: str, model: Module, optimizer: Optimizer, epochs: int, seed: int) -> None:
    """Write a checkpoint that `predict` knows as one of the application."""
    from pyneural.io import save_checkpoint
    from pyneural.random import default_generator

    save_checkpoint(
        path, model=model, optimizer=optimizer, generator=default_generator, app=name, epochs=epochs, seed=seed
    )


def evaluate(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help=f"Of the application. {_NAMES}.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every application that was trained.")] = False,
    weights: Annotated[Path | None, typer.Option("--weights", help="File that `train` wrote.")] = None,
    device: DeviceName = "cpu",
    json: Json = False,
) -> None:
    """Test trained networks on held-out data, beside what others' software scores on it.

    Weights are those of runs/NAME/NAME.safetensors unless they are given. Exit code 1 where --all lacks some.
    """
    with reported():
        if every == (name is not None):
            raise Misuse("name one application, or ask for --all")
        if every and weights is not None:
            raise Misuse("--weights are those of one application, and --all asks for every one")
        target = chosen_device(device)
        rows, lacking = [], []
        for each in apps.APPS if name is None else [name]:
            file = default_weights(each) if weights is None else weights
            if every and not file.is_file():
                lacking.append(each)
                continue
            rows.append(_evaluated(found(each), file, target))
        if json:
            typer.echo(json_module.dumps(rows, indent=2))
        else:
            console.print(_table(rows))
        if lacking:
            raise Failure("not trained yet: " + ", ".join(f"{each} (pyneural train {each})" for each in lacking))


def _evaluated(app: App, weights: Path, target: Device) -> dict[str, Any]:
    model, extra = loaded(app, weights, target)
    data = app.load_data(target)
    with console.status(f"testing {app.NAME}"):
        test, baseline = app.score(model, data), app.baseline()
    return {"app": app.NAME, "seed": extra.get("seed"), "test": test, "baseline": baseline, "bars": dict(app.BARS)}


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("application", "seed", "metric", title="held-out data")
    for column in ("ours", "baseline", "bar"):
        table.add_column(column, justify="right")
    for row in rows:
        for metric, value in row["test"].items():
            others = (row[key].get(metric) for key in ("baseline", "bars"))
            cells = ("" if each is None else f"{each:.4f}" for each in others)
            table.add_row(row["app"], str(row["seed"]), metric, f"{value:.4f}", *cells)
    return table


def predict(
    name: Name,
    given: Annotated[
        str, typer.Argument(metavar="INPUT", help="What the application takes, mostly a file; - for one on each line.")
    ],
    weights: Annotated[Path | None, typer.Option("--weights", help="File that `train` or `demo` wrote.")] = None,
    device: DeviceName = "cpu",
    json: Json = False,
) -> None:
    """Say what a trained network thinks of an input of yours."""
    with reported():
        app, target = found(name), chosen_device(device)
        model, _ = loaded(app, default_weights(name) if weights is None else weights, target)
        if given != "-":
            _answered(app, model, given, target, json)
            return
        # A terminal's line is answered as soon as it is there; a wrong one ends nothing.
        for line in sys.stdin:
            try:
                _answered(app, model, line.rstrip("\n"), target, json)
            except Misuse as error:
                note(str(error))


def _answered(app: App, model: Module, given: str, target: Device, json: bool) -> None:
    try:
        answer = app.answer(model, given, target)
    except (ValueError, OSError) as error:
        raise Misuse(f"{error} ({app.NAME} takes {app.INPUT})") from None
    if json:
        typer.echo(json_module.dumps(answer.facts))
    else:
        note(answer.text)


def default_weights(name: str) -> Path:
    """Where `train` leaves them."""
    return RUNS / name / f"{name}.safetensors"


def loaded(app: App, weights: Path, target: Device) -> tuple[Module, dict[str, Any]]:
    """The application's network with the weights of a file, and what else the file says."""
    from pyneural.io import load_checkpoint

    if not weights.exists() and weights == default_weights(app.NAME):
        raise Misuse(f"there is no file {weights}; train first: pyneural train {app.NAME}")
    model = app.build(device=target)
    try:
        extra = load_checkpoint(existing(weights), model=model)
    except (ValueError, OSError) as error:
        raise Misuse(str(error)) from None
    if extra.get("app") != app.NAME:
        raise Misuse(f"{weights} was made by the application {extra.get('app')!r}, not by {app.NAME!r}")
    return model, extra


def found(name: str) -> App:
    """The application of that name; `Misuse` says which there are."""
    try:
        return apps.find(name)
    except KeyError as error:
        raise Misuse(error.args[0]) from None


def chosen_device(name: str) -> Device:
    """The device of that name; `Misuse` says why not."""
    import pyneural

    try:
        return pyneural.device(name)
    except (ValueError, RuntimeError) as error:
        raise Misuse(str(error)) from None
