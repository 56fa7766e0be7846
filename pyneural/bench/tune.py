"""``pyneural tune``: candidates for the blocks, or on a GPU the tile, of a product raced against each other.

A candidate is refused where its product is not the reference's, as any contestant of `race` is.
"""

from __future__ import annotations

import itertools
import statistics
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels import backend, dtypes, tuning
from pyneural.kernels.cuda_memory import gpu_empty

from . import gpu, gpu_contestants, race, subjects
from .contestants import SUBJECT
from .workloads import TOLERANCES, dtype_named, inputs, truth

ROWS = (64, 128, 256, 512)
COLUMNS = (128, 256, 512, 1024, 2048)

GAIN = 1.02
"""What a candidate must be faster than the blocks used without tuning to take their place."""


class Found(NamedTuple):
    """The result for one size.

    Attributes:
        key: of the product's class in the file of winners.
        tried: the median seconds of each candidate: blocks that divide the product in another way, or tiles.
        winner: the one to be kept.
        gain: how many times faster it is than what is used without tuning, by the rounds' median.
    """

    size: int
    key: str
    tried: dict[str, float]
    winner: tuning.Blocking | tuning.Tiling
    gain: float


def named(winner: tuning.Blocking | tuning.Tiling) -> str:
    """As it is shown."""
    return winner.tile if isinstance(winner, tuning.Tiling) else f"{winner.rows} x {winner.columns}"


def candidates(size: int, dtype: np.dtype[Any], threads: int) -> list[tuning.Blocking]:
    """Blockings of a square product, the untuned first, one for each way to divide it."""
    from pyneural.kernels.matmul import gemm

    plans: dict[tuple[int, ...], tuning.Blocking] = {}
    for block in (tuning.MATMUL, *itertools.starmap(tuning.Blocking, itertools.product(ROWS, COLUMNS))):
        plan = gemm.parallel_plan(size, size, size, dtype.itemsize, dtype.itemsize, threads, block)
        plans.setdefault(plan, block)
    return list(plans.values())


def _prepare(block: tuning.Blocking) -> subjects.Prepare:
    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        a, b = inputs(options)
        matmul = backend("numba_cpu").matmul

        def run() -> Any:
            with tuning.forced(block):
                return matmul(a, b)

        return subjects.Subject(run, np.asarray, (a, b), lambda result: result.fill(np.nan))

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
        blocks = {named(each): each for each in candidates(size, kind, threads)}
        servers = {name: subjects.Server(prepare(block), name) for name, block in blocks.items()}
        timed = _raced(servers, size, kind.name, rounds, round_seconds)
    finally:
        numba.set_num_threads(before)
    name, gain = chosen(timed["rounds"])
    return Found(size, tuning.key(size, size, size, kind, threads), timed["seconds"], blocks[name], gain)


def _prepare_tile(tile: str) -> subjects.Prepare:
    from pyneural.kernels.matmul import cuda_tiles

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        with cuda_tiles.forced(tile):  # while the graph is recorded
            return gpu_contestants.prepare(SUBJECT, {**options, "replay": True})

    return prepare


def matmul_on_gpu(
    size: int, dtype: str, *, rounds: int = 9, round_seconds: float = 0.03, prepare: Any = _prepare_tile
) -> Found:
    """Race the tiles for square products of this size on the current GPU: CUDA events around replays of graphs.

    Raises:
        ArithmeticError: a tile's product is wrong.
    """
    import cupy

    from pyneural.kernels.matmul import cuda_tiles

    like = gpu_empty(cupy.cuda.runtime.getDevice(), (1,), dtype_named(dtype))
    cache = gpu.level_2_cache()
    tiles = cuda_tiles.fitting(size, size, size, like)
    servers = {name: subjects.Server(prepare(name), name, cache) for name in tiles}
    timed = _raced(servers, size, dtype, rounds, round_seconds)
    name, gain = chosen(timed["rounds"])
    return Found(size, cuda_tiles.key(size, size, size, like), timed["seconds"], tuning.Tiling(name), gain)


def _raced(
    servers: dict[str, subjects.Server], size: int, dtype: str, rounds: int, round_seconds: float
) -> dict[str, Any]:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    options = {"operation": "matmul", "size": size, "dtype": dtype, "seed": seed}
    case = race.Case(f"matmul {size} {dtype}", 2.0 * size**3, options, TOLERANCES[dtype])
    return race.race_here(servers, case, truth, rounds=rounds, round_seconds=round_seconds)


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


def keep(found: list[Found]) -> None:
    """Store the winners, each for the class of its shape."""
    tuning.store({each.key: each.winner for each in found})
