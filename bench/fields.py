"""Train applications and keep their reports: ``python -m bench.fields [NAME ...] [--seeds 0 1 2]``.

Each training is a process of its own, ``pyneural train``, on the CPU; an interrupted one goes on. That of seed 0 lies
where `pyneural evaluate` looks for it. Reports go to ``bench/results/fields/<name>.json``, where those of other seeds
stay, and ``python docs/fields.py`` writes docs/fields.md from them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from pyneural import apps

from . import harness

RESULTS = harness.RESULTS / "fields"
RUNS = harness.ROOT / "runs"


def measure(name: str, seed: int) -> dict[str, Any]:
    """Train an application, and its report with the machine that it ran on."""
    out = RUNS / (f"{name}-{seed}" if seed else name)
    program = "from pyneural.cli import main; main()"
    command = [sys.executable, "-c", program, "train", name, "--seed", str(seed), "--out", str(out)]
    subprocess.run(command, cwd=harness.ROOT, check=True)
    return {**json.loads((out / "report.json").read_text()), "machine": harness.machine()}


def keep(name: str, report: dict[str, Any]) -> None:
    """Put a report in the place of the one of its seed."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text())["reports"] if path.exists() else []
    reports = [*(each for each in known if each["seed"] != report["seed"]), report]
    reports.sort(key=lambda each: int(each["seed"]))
    content = {"bars": dict(apps.find(name).BARS), "reports": reports}
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"wrote {path.relative_to(harness.ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(apps.APPS)}; all without one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one after the other (0)")
    arguments = parser.parse_args()
    names, begun = arguments.names or list(apps.APPS), time.perf_counter()
    for name in names:
        if name not in apps.APPS:
            parser.error(f"there is no application {name!r}; there are {', '.join(apps.APPS)}")
    for name in names:
        for seed in arguments.seeds:
            keep(name, measure(name, seed))
    print(f"{len(names)} applications, {len(arguments.seeds)} seeds: {(time.perf_counter() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
