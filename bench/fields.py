"""Train applications with three seeds each and keep their reports: ``python -m bench.fields [NAME ...]``.

Each training is a process of its own, ``pyneural train``, on the CPU; an interrupted one goes on. Results go to
``bench/results/fields/<name>.json``, from which ``python docs/fields.py`` writes docs/fields.md.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any

from pyneural import apps

from . import harness

RESULTS = harness.RESULTS / "fields"
RUNS = harness.ROOT / "runs" / "fields"
SEEDS = (0, 1, 2)


def measure(name: str) -> dict[str, Any]:
    """The reports of an application's trainings."""
    reports = []
    for seed in SEEDS:
        out = RUNS / f"{name}-{seed}"
        program = "from pyneural.cli import main; main()"
        command = [sys.executable, "-c", program, "train", name, "--seed", str(seed), "--out", str(out)]
        subprocess.run(command, cwd=harness.ROOT, check=True)
        reports.append(json.loads((out / "report.json").read_text()))
    return {"machine": harness.machine(), "bars": dict(apps.find(name).BARS), "reports": reports}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(apps.APPS)}; all without one")
    names = parser.parse_args().names or list(apps.APPS)
    for name in names:
        if name not in apps.APPS:
            parser.error(f"there is no application {name!r}; there are {', '.join(apps.APPS)}")
    for name in names:
        path = pathlib.Path(RESULTS / f"{name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measure(name), indent=1) + "\n")
        print(f"wrote {path.relative_to(harness.ROOT)}")


if __name__ == "__main__":
    main()
