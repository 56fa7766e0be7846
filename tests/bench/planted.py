"""`pyneural.bench.contestants` with a cheat in pyneural's place: the one of `cheats` that ``PLANTED`` names."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from pyneural.bench import race
from pyneural.bench.workloads import inputs
from tests.bench import cheats

CEILINGS = {"bytes": 1e10, "flops": {"float32": 1e11}}


@functools.cache
def _product() -> cheats.Product:
    return cheats.KINDS[os.environ["PLANTED"]]()


def prepare(kind: str, options: dict[str, Any]) -> race.Subject:
    a, b = inputs(options)
    return race.Subject(lambda: _product()(a, b), np.asarray, (a, b), lambda result: result.fill(np.nan))


if __name__ == "__main__":
    race.serve(prepare, lambda kind: {"ceilings": CEILINGS})
