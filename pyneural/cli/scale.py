"""``pyneural scale``: a model of what more ranks would bring, and what those that are there show."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from .console import Misuse, at_least, console, note, one_of, reported
from .train import DeviceName, Json, Name, chosen_device, found, joined


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(scale)


def scale(
    name: Name,
    ranks: Annotated[
        str, typer.Option("--ranks", help="Numbers of ranks: 1:4096 for the powers of two, or 1,3,12.")
    ] = "1:4096",
    link: Annotated[
        str | None, typer.Option("--link", help="Rate between two ranks: 400Gb/s, 50GB/s. Measured under mpiexec.")
    ] = None,
    latency: Annotated[float, typer.Option("--latency", help="Microseconds of a message over the link.")] = 5.0,
    algorithm: Annotated[
        str, typer.Option("--all-reduce", help="ring, tree, or fastest: the faster of both for each number.")
    ] = "fastest",
    divided: Annotated[
        bool, typer.Option("--divided", help="Divide the batch among the ranks; otherwise each has as large a one.")
    ] = False,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Samples a step of those launched.")] = None,
    steps: Annotated[int, typer.Option("--steps", help="Steps to measure.")] = 20,
    device: DeviceName = "cpu",
    json: Json = False,
) -> None:
    """Measure an application's step here, and say by a model what it would take with more ranks.

    Under ``mpiexec -n N`` the step of N ranks is measured as well and set beside the model's.
    """
    with reported():
        chosen = found(name)
        from pyneural import distributed
        from pyneural.apps.ranks import first_only
        from pyneural.apps.scaling import shown
        from pyneural.distributed import scale as model

        one_of((*model.ALGORITHMS, "fastest"), all_reduce=algorithm)
        at_least(3, steps=steps)
        group = joined() or distributed.init()
        target = chosen_device(f"cuda:{group.local_rank}" if group.world_size > 1 and device == "cuda" else device)
        if link is None and group.world_size == 1:
            raise Misuse("--link is needed, such as 400Gb/s; under mpiexec -n N the link between the ranks is measured")
        try:
            wanted, given = model.counts(ranks), None if link is None else model.link(link, latency / 1e6)
            here = shown(chosen, target, chosen.BATCH_SIZE if batch_size is None else batch_size, steps)
        except ValueError as error:
            raise Misuse(f"--{error}" if "(=" in str(error) else str(error)) from None
        with first_only() as first:
            if not first:
                return
            over = given or here.link
            assert over is not None
            chosen_algorithm = None if algorithm == "fastest" else algorithm
            rows = [model.forecast(here.step, each, over, chosen_algorithm, divided) for each in wanted]
            facts: dict[str, Any] = {
                "app": name,
                "device": str(target),
                "link": asdict(over),
                "measured": asdict(here),
                "model": [asdict(each) for each in rows],
            }
            if here.seconds is not None and here.link is not None:
                facts["check"] = asdict(model.forecast(here.step, here.ranks, here.link, chosen_algorithm))
            if json:
                typer.echo(json_module.dumps(facts, indent=2))
            else:
                _show(facts)


def _show(facts: dict[str, Any]) -> None:
    step = facts["measured"]["step"]
    sent = sum(size for _, size in step["buckets"])
    table = Table(
        "ranks", "all-reduce", title=f"{facts['app']}: a model, not a measurement (one rank's step was measured)"
    )
    for column in ("compute ms", "all-reduces ms", "not hidden ms", "step ms", "efficiency", "samples/s"):
        table.add_column(column, justify="right")
    for row in facts["model"]:
        times = [f"{1e3 * row[key]:.3f}" for key in ("compute", "communication", "exposed", "step")]
        rate = f"{row['samples_per_second']:,.0f}"
        table.add_row(str(row["ranks"]), row["algorithm"], *times, f"{row['efficiency']:.3f}", rate)
    console.print(table)
    over = facts["link"]
    note(
        f"one rank: {step['samples']} samples a step, {sent:,} bytes of gradients in {len(step['buckets'])} bucket(s); "
        f"link: {over['bandwidth'] / 1e9:.3g} GB/s, {over['latency'] * 1e6:.3g} us"
    )
    if "check" in facts:
        measured, told = facts["measured"]["seconds"], facts["check"]["step"]
        note(
            f"measured here with {facts['measured']['ranks']} ranks: {1e3 * measured:.3f} ms a step; "
            f"the model says {1e3 * told:.3f} ms ({told / measured:.2f} times as much)"
        )
