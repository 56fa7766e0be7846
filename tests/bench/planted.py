"""`pyneural.bench.contestants` with a cheat in pyneural's place: the one of `cheats` that ``PLANTED`` names."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from pyneural.bench import subjects
from pyneural.bench.workloads import inputs
from tests.bench import cheats

CEILINGS = {"bytes": 1e10, "flops": {"float32": 1e11}}


@functools.cache
def _product() -> cheats.Product:
    return cheats.KINDS[os.environ["PLANTED"]]()


def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
    a, b = inputs(options)
    return subjects.Subject(lambda: _product()(a, b), np.asarray, (a, b), lambda result: result.fill(np.nan))


if __name__ == "__main__":
    subjects.serve(prepare, lambda kind: {"ceilings": CEILINGS})
