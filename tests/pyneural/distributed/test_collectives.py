"""Collectives between real MPI processes, and by one process alone."""

from __future__ import annotations

import re

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, distributed
from pyneural.distributed import group as groups

from .launch import run

pytestmark = pytest.mark.xdist_group("mpi")


@pytest.mark.parametrize("ranks", [1, 3])
def test_every_collective_in_every_dtype(ranks: int) -> None:
    printed = run(ranks, "collectives.py")
    said = re.findall(rf"rank (\d) of {ranks}: (\d+) reductions", printed)
    assert sorted(rank for rank, _ in said) == [str(each) for each in range(ranks)], printed
    assert len({count for _, count in said}) == 1


def test_one_process_needs_no_launcher(alone: distributed.ProcessGroup, rng: np.random.Generator) -> None:
    assert (distributed.get_rank(), distributed.get_world_size()) == (0, 1)
    assert distributed.init() is alone
    x = Tensor(rng.standard_normal((2, 3)))
    for op in ("sum", "mean", "max", "min", "product"):
        np.testing.assert_array_equal(distributed.all_reduce(Tensor(x), op).numpy(), x.numpy())
    np.testing.assert_array_equal(distributed.all_gather(x).numpy(), x.numpy()[None])
    np.testing.assert_array_equal(distributed.reduce_scatter(x).numpy(), x.numpy())
    distributed.barrier()
    assert alone.broadcast_object([1, "a"]) == [1, "a"]


def test_without_a_group_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_group", [])
    assert not distributed.is_initialized()
    with pytest.raises(RuntimeError, match=r"no group of ranks yet; call pyneural\.distributed\.init\(\) first"):
        distributed.all_reduce(pyneural.zeros(1))
    with pytest.raises(ValueError, match=r"timeout \(=0\.0\) must be above 0"):
        distributed.init(timeout=0.0)


def test_seeds_of_ranks_differ_and_come_back() -> None:
    seeds = [distributed.rank_seed(7, rank) for rank in range(1000)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 1000
    assert all(0 <= each < 2**64 for each in seeds)
    generator = pyneural.Generator(5)
    with distributed.own_random(generator, generator):
        generator.next()
    assert generator.state_dict() == {"seed": 5, "offset": 1}


def test_own_random_of_another_rank(monkeypatch: pytest.MonkeyPatch, alone: distributed.ProcessGroup) -> None:
    alone.rank = 3
    generator = pyneural.Generator(5)
    with distributed.own_random(generator, generator):
        assert generator.next() == {"seed": distributed.rank_seed(5, 3), "offset": 0}
    assert generator.state_dict() == {"seed": 5, "offset": 1}
