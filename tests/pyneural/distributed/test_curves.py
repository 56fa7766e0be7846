"""N ranks with N-th parts of a batch make the steps of one rank; what they send is what theory says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural.apps import digits

from .launch import run

pytestmark = pytest.mark.xdist_group("mpi")


def _curve(ranks: int, network: str, seed: int, *asked: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(ranks, "curves.py", network, str(seed), *asked).splitlines()[-1])
    found["losses"] = [float.fromhex(each) for each in found["losses"]]
    return found


def _same(one: dict[str, Any], other: dict[str, Any], tolerance: float = 1e-9) -> None:
    assert len(one["losses"]) in (4, 8)
    np.testing.assert_allclose(other["losses"], one["losses"][-len(other["losses"]) :], rtol=tolerance)
    np.testing.assert_allclose(other["weights"], one["weights"], rtol=tolerance, atol=tolerance)


def _lies_inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    return outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


@pytest.mark.parametrize("network", ["digits", "transformer"])
def test_several_ranks_are_one(network: str, rng: np.random.Generator, tmp_path: Path) -> None:
    given = []
    if network == "digits":
        pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
        data = digits.load_data("cpu", np.float64)
        np.savez(
            tmp_path / "digits.npz", images=data.train_images.numpy()[:100], labels=data.train_labels.numpy()[:100]
        )
        given = [f"data:{tmp_path / 'digits.npz'}"]
    seed = int(rng.integers(2**31))
    one = _curve(1, network, seed, *given)
    assert len(set(one["losses"])) == len(one["losses"])
    state = tmp_path / "state.safetensors"
    for ranks in (2, 4):
        # With the optimizer's state spread over the ranks, and saved on the way.
        several = _curve(ranks, network, seed, "zero", f"save:2:{state}", *given)
        _same(one, several)
        assert several["bytes_per_step"] == several["theory"]
        # The largest parameter may be more than a rank's share.
        assert several["held"] < 2 * several["parameters"] * (0.95 if ranks == 2 else 0.9)
    # Four saved it, two go on from it.
    _same(one, _curve(2, network, seed, f"load:{state}", *given))


def test_gradients_are_sent_while_backward_runs(rng: np.random.Generator) -> None:
    """Without the spread optimizer; every byte of every step is counted."""
    found = _curve(2, "transformer", int(rng.integers(2**31)))

    assert found["buckets"] >= 3
    sent = 0
    for rank, events in enumerate(found["events"]):
        backwards = [each for each in events if each["name"] == "backward"]
        reductions = [each for each in events if each["name"] == "all_reduce"]
        assert {each["pid"] for each in events} == {rank}
        assert len(backwards) == 8
        assert len(reductions) >= 8 * found["buckets"] - found["buckets"]
        assert all(any(_lies_inside(each, outer) for outer in backwards) for each in reductions)
        sent = sum(each["args"]["bytes"] for each in reductions)
        assert sent == 8 * found["bytes_per_step"]
        # In a later step, the first bucket has been sent before the last one is full.
        last = [each for each in reductions if _lies_inside(each, backwards[-1])]
        assert len(last) == found["buckets"]
        assert min(each["ts"] for each in last) + 1e-3 < max(each["ts"] for each in last)


def test_accumulated_gradients_are_sent_once(rng: np.random.Generator) -> None:
    seed = int(rng.integers(2**31))
    one, several = _curve(1, "transformer", seed), _curve(2, "transformer", seed, "accumulate")
    np.testing.assert_allclose(several["weights"], one["weights"], rtol=1e-9, atol=1e-9)
    sent = sum(each["args"]["bytes"] for each in several["events"][0] if each["name"] == "all_reduce")
    assert sent == 8 * several["bytes_per_step"]


def test_gradients_in_half_the_bits(rng: np.random.Generator) -> None:
    """A float16 has 11 significant bits; Adam's first steps turn small gradients into whole ones."""
    seed = int(rng.integers(2**31))
    one, several = _curve(1, "transformer", seed), _curve(2, "transformer", seed, "half")
    assert several["bytes_per_step"] == several["theory"] == one["bytes_per_step"] // 4
    np.testing.assert_allclose(several["losses"], one["losses"], rtol=0.02)
    assert several["losses"] != one["losses"]


def test_ranks_that_compute_differently(rng: np.random.Generator) -> None:
    """Networks that differ, parameters that only some ranks use, other orders, several backwards."""
    assert "rank 0 is content" in run(3, "branches.py", str(rng.integers(2**31)))
