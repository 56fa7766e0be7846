"""``python -m tests.fuzz``: random calls of every operation in turn, until so many minutes of processor time are spent.

The CPU's kernels are held against the reference, and, where PyTorch is installed, the engine's functions and their
gradients against PyTorch's. Exit status 0 if nothing failed, 1 if something did.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pyneural.kernels import OPERATIONS, Sample, dtypes

from .calls import calls, verify

ROUND = 40
"""Calls of one operation before the next one's turn."""


def kernels(name: str, sample: Sample, number: int) -> None:
    verify(OPERATIONS[name], sample)


def gradients(name: str, sample: Sample, number: int) -> None:
    from .gradients import verify_gradient

    verify_gradient(OPERATIONS[name], sample, np.random.default_rng(number))


def subjects() -> list[tuple[str, Callable[..., None], Any]]:
    """Operation, check, strategy of its calls."""
    found = [(name, kernels, calls(name)) for name in OPERATIONS]
    if importlib.util.find_spec("torch"):
        from .gradients import NAMES

        found += [(name, gradients, calls(name, (dtypes.float64,), specials=False)) for name in NAMES]
    return found


def fuzz(name: str, check: Callable[..., None], strategy: Any, number: int) -> tuple[int, str]:
    """How many calls were made, from the seed ``number``, and what failed, shrunk."""
    made = 0

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(strategy, st.integers(0, 2**32 - 1))
    def one(sample: Sample, values: int) -> None:
        nonlocal made
        check(name, sample, values)
        made += 1

    try:
        one()
    except Exception as error:
        return made, f"{type(error).__name__}: {error}"
    return made, ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Random calls of every operation.")
    parser.add_argument("--minutes", type=float, default=1.0, help="of processor time (default 1)")
    parser.add_argument("--only", action="append", metavar="NAME", help="operations whose name has NAME in it")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"), help="of the whole run")
    arguments = parser.parse_args()
    left = [each for each in subjects() if any(part in each[0] for part in arguments.only or [""])]
    numbers = random.Random(arguments.seed)
    numbers.shuffle(left)
    print(f"seed {arguments.seed}: {len(left)} subjects", flush=True)
    made: Counter[str] = Counter()
    failed: list[str] = []

    def spent() -> bool:
        return time.process_time() >= 60 * arguments.minutes

    while left and not spent():
        for subject in list(left):
            name, check, strategy = subject
            number = numbers.getrandbits(32)
            count, failure = fuzz(name, check, strategy, number)
            made[check.__name__] += count
            if failure:
                failed.append(name)
                left.remove(subject)
                print(f"{check.__name__} {name} (seed {number}): {failure}", flush=True)
            if spent():
                break
        counts = ", ".join(f"{count} of {kind}" for kind, count in sorted(made.items()))
        print(f"{time.process_time() / 60:.1f} minutes of processor time, calls: {counts}", flush=True)
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
