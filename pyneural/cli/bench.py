"""``pyneural bench``: races on this machine, their table, JSON and pictures; and two reports compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from .console import Failure, Misuse, at_least, console, existing, folder, note, one_of, reported, usable

DEVICES = ("cpu", "cuda")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="bench")(bench)


def bench(
    operations: Annotated[
        list[str] | None, typer.Argument(metavar="[OPERATION]...", help="The usual ones without it; see --list.")
    ] = None,
    sizes: Annotated[str, typer.Option("--sizes", help="256:4096, the powers of two between, or 100,300.")] = "",
    against: Annotated[str, typer.Option("--against", help="numpy,torch and others; none for none. See --list.")] = "",
    dtype: Annotated[str, typer.Option("--dtype", help="float32,bfloat16 and so on.")] = "float32",
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="cpu or cuda. On cuda calls are timed by CUDA events; contestants of the host (numpy, scipy, numba) "
            "may take part, on the host's arrays and by its clock.",
        ),
    ] = "cpu",
    replay: Annotated[
        bool,
        typer.Option(
            "--replay", help="On cuda: time the replay of a recorded CUDA graph, without the host's launching."
        ),
    ] = False,
    threads: Annotated[
        int, typer.Option("--threads", help="Of every contestant on the host; all cores without it.")
    ] = 0,
    rounds: Annotated[
        int,
        typer.Option("--rounds", help="Turns of every contestant in every case; without it, as many as ratios need."),
    ] = 0,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds",
            help="While so many are not over, ratios that are known least have further turns; 40 without it. "
            "More start the contestants several times, in other memory.",
        ),
    ] = 0.0,
    out: Annotated[Path, typer.Option("--out", help="Folder for JSON and pictures.")] = Path("runs/bench"),
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Run nothing: show what is slower in B than in A."),
    ] = None,
    threshold: Annotated[float, typer.Option("--threshold", help="For --compare: 0.05 is 5 %.")] = 0.05,
    listed: Annotated[bool, typer.Option("--list", help="Show operations and contestants.")] = False,
) -> None:
    """Race kernels against other libraries: each result checked, times interleaved, ceilings measured here.

    Exit code 1 where a result is wrong, or where --compare finds something slower beyond noise and threshold.
    """
    with reported():
        one_of(DEVICES, device=device)
        if listed:
            _list(device)
        elif compare is not None:
            if operations:
                raise Misuse("--compare reads two reports and runs no operation")
            _compare(*compare, threshold)
        else:
            at_least(0, threads=threads)
            if rounds:
                at_least(2, rounds=rounds)  # a spread needs two
            if replay and device != "cuda":
                raise Misuse(f"--replay is of CUDA graphs, and --device is {device}")
            if seconds and (rounds or device == "cuda"):
                raise Misuse("--seconds allows further turns on the cpu, and --rounds says how many there are")
            at_least(0, seconds=seconds)
            cores = threads or os.cpu_count() or 1
            more: dict[str, Any] = {"rounds": rounds} if rounds else {"seconds": seconds} if seconds else {}
            _run(operations or [], sizes, against, dtype, device, replay, cores, out, more)


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _run(
    operations: list[str],
    sizes: str,
    against: str,
    dtype: str,
    device: str,
    replay: bool,
    threads: int,
    out: Path,
    more: dict[str, Any],
) -> None:
    from pyneural.apps.extras import need
    from pyneural.bench import pictures, suite, workloads

    usable(device)
    try:
        names = suite.operations(operations)
        asked = suite.sizes(sizes) if sizes else None
        rivals = [] if against == "none" else suite.contestants(_split(against) if against else None, device)
        dtypes = [workloads.dtype_named(each).name for each in _split(dtype)]
    except ValueError as error:
        raise Misuse(str(error)) from None
    if not dtypes:
        raise Misuse(f"--dtype (={dtype!r}) names none")
    need("matplotlib", "matplotlib", "bench")  # rather now than after the race
    where = folder(out)
    try:
        report = suite.run(names, dtypes, asked, rivals, threads, device=device, replay=replay, **more)
    except ArithmeticError as error:
        raise Failure(f"refused, not timed: {error}") from None
    suite.write(where / "bench.json", report)
    console.print(_table(report))
    for name in (each for each in rivals if not any(each in row["seconds"] for row in report["rows"])):
        note(f"{name} has none of these operations in {', '.join(dtypes)}")
    note(f"wrote {', '.join(map(str, (where / 'bench.json', *pictures.draw(where, report))))}")


def _table(report: dict[str, Any]) -> Table:
    from pyneural.bench.contestants import SUBJECT

    ceilings = report["ceilings"]
    peaks = ", ".join(_peak(ceilings, dtype) for dtype in dict.fromkeys(row["dtype"] for row in report["rows"]))
    card = report["machine"].get("card")
    where = card["name"] if card else f"{report['machine']['processor']}, {report['threads']} threads"
    table = Table(
        title=f"{where}; ceilings measured: {ceilings['bytes'] / 1e9:.1f} GB/s, {peaks}",
        caption=f"{report['timing']}; times faster than each: mean of the middle half of the rounds' ratios "
        "(quartiles); share: of what the ceilings allow",
    )
    rivals = [name for name in report["contestants"] if name != SUBJECT]
    for column in ("operation", "size", "dtype", "us", "rate", "share", *(f"x {name}" for name in rivals)):
        table.add_column(column, justify="left" if column in ("operation", "dtype") else "right")
    previous = None
    for row in report["rows"]:
        seconds = row["seconds"][SUBJECT]
        unit = "GFLOP/s" if row["bound"] == "flops" else "GB/s"
        if previous not in (None, row["operation"]):
            table.add_section()
        previous = row["operation"]
        table.add_row(
            row["operation"],
            str(row["size"]),
            row["dtype"],
            f"{1e6 * seconds:,.1f}",
            f"{row[row['bound']] / seconds / 1e9:,.1f} {unit}",
            "-" if row["share"] is None else f"{row['share']:.0%}",
            *(_ratio(row["ratio"].get(name)) for name in rivals),
        )
    return table


def _peak(ceilings: dict[str, Any], dtype: str) -> str:
    """What was measured in a dtype, and with which instruction where that is known."""
    if dtype not in ceilings["flops"]:
        return f"no ceiling in {dtype}"
    by = ceilings.get("by", {}).get(dtype)
    return f"{ceilings['flops'][dtype] / 1e9:.0f} GFLOP/s in {dtype}{f' ({by})' if by else ''}"


def _ratio(ratio: dict[str, float] | None) -> str:
    if ratio is None:
        return "-"
    colour = "green" if ratio["mean"] >= 1 else "yellow"
    return f"[{colour}]{ratio['mean']:.2f}[/] ({ratio['low']:.2f} to {ratio['high']:.2f})"


def _list(device: str) -> None:
    from pyneural.bench.contestants import SUBJECT
    from pyneural.bench.suite import KINDS
    from pyneural.bench.workloads import DEFAULT, WORKLOADS

    note(f"operations: {', '.join(WORKLOADS)}")
    note(f"the usual ones: {', '.join(DEFAULT)}")
    rivals = {name: kind.missing() for name, kind in KINDS[device].items() if name != SUBJECT}
    shown = (f"{name} (not installed)" if missing else name for name, missing in rivals.items())
    note(f"contestants: {', '.join(shown)}")


def _compare(before: Path, after: Path, threshold: float) -> None:
    from pyneural.bench import compare, suite

    at_least(0, threshold=threshold)
    try:
        changes = compare.compared(suite.load(existing(before)), suite.load(existing(after)))
    except ValueError as error:
        raise Misuse(str(error)) from None
    if not changes:
        raise Misuse(f"{before} and {after} have no row and contestant in common")
    slower = [each for each in changes if each.slower(threshold)]
    table = Table(title=f"slower by more than {threshold:.0%} and than noise: {len(slower)} of {len(changes)} ratios")
    for column in ("operation", "size", "dtype", "against", "times faster in A", "in B", "change of time", "noise"):
        table.add_column(column, justify="left" if column in ("operation", "dtype", "against") else "right")
    for each in sorted(changes, key=lambda change: -change.change):
        colour = "red" if each in slower else "default"
        table.add_row(
            each.operation, str(each.size), each.dtype, each.contestant, f"{each.before:.2f}", f"{each.after:.2f}",
            f"[{colour}]{each.change:+.1%}[/]", f"{each.noise:.1%}",
        )  # fmt: skip
    console.print(table)
    note(f"{compare.agreeing(changes)} of {len(changes)} ratios agree within {compare.AGREE:.0%}")
    if slower:
        raise Failure(f"{len(slower)} of {len(changes)} ratios are slower in {after}")
