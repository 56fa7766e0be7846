"""``pyneural tune``: candidates for the blocks of a product raced against each other, the winner kept.

A candidate is refused where its product is not the reference's, as any contestant of `race` is.
"""

from __future__ import annotations

import itertools
import statistics
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels import backend, dtypes, tuning

from . import race
from .workloads import TOLERANCES, dtype_named, inputs, truth

ROWS = (64, 128, 256, 512)
COLUMNS = (128, 256, 512, 1024)

GAIN = 1.02
"""What a candidate must be faster than the blocks used without tuning to take their place."""


class Found(NamedTuple):
    """The result for one size.

    Attributes:
        tried: the median seconds of each blocking that divides the product in another way.
        winner: the one to be kept.
        gain: how many times faster it is than the blocks used without tuning, by the rounds' median.
    """

    size: int
    dtype: str
    tried: dict[tuple[int, int], float]
    winner: tuning.Blocking
    gain: float


def candidates(size: int, dtype: np.dtype[Any], threads: int) -> list[tuning.Blocking]:
    """Blockings of a square product, the untuned first, one for each way to divide it."""
    from pyneural.kernels.matmul import gemm

    plans: dict[tuple[int, ...], tuning.Blocking] = {}
    for block in (tuning.MATMUL, *itertools.starmap(tuning.Blocking, itertools.product(ROWS, COLUMNS))):
        plan = gemm.parallel_plan(size, size, size, dtype.itemsize, dtype.itemsize, threads, block)
        plans.setdefault(plan, block)
    return list(plans.values())


def _prepare(block: tuning.Blocking) -> race.Prepare:
    def prepare(kind: str, options: dict[str, Any]) -> race.Subject:
        a, b = inputs(options)
        matmul = backend("numba_cpu").matmul

        def run() -> Any:
            with tuning.forced(block):
                return matmul(a, b)

        return race.Subject(run, np.asarray, (a, b), lambda result: result.fill(np.nan))

    return prepare


def matmul(
    size: int, dtype: str, threads: int, *, rounds: int = 9, round_seconds: float = 0.03, prepare: Any = _prepare
) -> Found:
    """Race the candidates for square products of this size on so many threads.

    Raises:
        ArithmeticError: a candidate's product is wrong.
    """
    import numba

    kind = dtypes.accumulator(dtype_named(dtype))  # what the halves are computed in
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        blocks = {f"{each.rows} x {each.columns}": each for each in candidates(size, kind, threads)}
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        options = {"operation": "matmul", "size": size, "dtype": kind.name, "seed": seed}
        case = race.Case(f"matmul {size} {kind.name}", 2.0 * size**3, options, TOLERANCES[kind.name])
        servers = {name: race.Server(prepare(block), name) for name, block in blocks.items()}
        timed = race.race_here(servers, case, truth, rounds=rounds, round_seconds=round_seconds)
    finally:
        numba.set_num_threads(before)
    name, gain = chosen(timed["rounds"])
    tried = {(blocks[each].rows, blocks[each].columns): seconds for each, seconds in timed["seconds"].items()}
    return Found(size, kind.name, tried, blocks[name], gain)


def chosen(rounds: dict[str, list[float]]) -> tuple[str, float]:
    """The winner's name and gain over the first: itself, unless one is faster by `GAIN` in three rounds of four."""
    first = next(iter(rounds))
    best, gain = first, 1.0
    for name, times in rounds.items():
        ratios = [a / b for a, b in zip(rounds[first], times, strict=True)]
        low, middle, _ = statistics.quantiles(ratios)
        if name != first and low > GAIN and middle > gain:
            best, gain = name, middle
    return best, gain


def keep(found: list[Found], threads: int) -> None:
    """Store the winners, each for the class of its shape."""
    tuning.store(
        {tuning.key(each.size, each.size, each.size, dtype_named(each.dtype), threads): each.winner for each in found}
    )
