"""What can be said of the parts with one process: buckets, samplers, the spread optimizer, batch statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, distributed, nn, optim
from pyneural.distributed.buckets import Bucket, layout
from pyneural.functional import mse_loss
from pyneural.io import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.usefixtures("reference_device", "alone")


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = pyneural.get_default_dtype()
    pyneural.set_default_dtype(np.float64)
    yield
    pyneural.set_default_dtype(before)


def _networks(count: int = 2) -> list[nn.Module]:
    made = []
    for _ in range(count):
        pyneural.manual_seed(3)
        made.append(nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 4), nn.Linear(4, 2)))
    return made


def test_layout_fills_buckets_in_order() -> None:
    sizes = [(10, "a"), (10, "a"), (30, "b"), (15, "a"), (99, "a"), (10, "b"), (5, "a")]
    order = [6, 5, 4, 3, 2, 1, 0]
    assert layout(sizes, order, 5, 40) == [[6], [5, 2], [4], [3, 1, 0]]
    assert layout(sizes, order, 1000, 1000) == [[6, 4, 3, 1, 0], [5, 2]]
    assert layout(sizes, order, 1, 1) == [[6], [5], [4], [3], [2], [1], [0]]
    assert layout([], [], 1, 1) == []


def test_layout_of_random_sizes(rng: np.random.Generator) -> None:
    """Every parameter once, in order within a kind, none beyond the limit but alone."""
    for _ in range(50):
        count = int(rng.integers(1, 40))
        sizes = [(int(rng.integers(1, 50)), str(rng.choice(["a", "b"]))) for _ in range(count)]
        order = rng.permutation(count).tolist()
        first, limit = 20, 60
        buckets = layout(sizes, order, first, limit)
        assert sorted(each for bucket in buckets for each in bucket) == list(range(count))
        for place, bucket in enumerate(buckets):
            assert len({sizes[each][1] for each in bucket}) == 1
            assert [order.index(each) for each in bucket] == sorted(order.index(each) for each in bucket)
            most = first if place == 0 else limit
            assert len(bucket) == 1 or sum(sizes[each][0] for each in bucket) <= most


def test_a_bucket_holds_gradients_one_after_the_other() -> None:
    params = [Tensor(np.zeros(shape)) for shape in ((2, 3), (), (4,))]
    bucket = Bucket([2, 0, 1], params, params[0].dtype)
    assert bucket.array.shape == (4 + 6 + 1 + 3,)
    assert bucket.nbytes == bucket.array.nbytes
    for value, number in ((1.0, 2), (2.0, 0), (3.0, 1)):
        bucket.slot(number, params[number].shape)[...] = value
        bucket.mark(number)[...] = -value
    assert bucket.array.tolist() == [1.0] * 4 + [2.0] * 6 + [3.0] + [-1.0, -2.0, -3.0]


def test_gradients_and_names_are_those_of_the_module(rng: np.random.Generator) -> None:
    plain, module = _networks()
    parallel = distributed.DistributedDataParallel(module)
    x, y = Tensor(rng.standard_normal((6, 5))), Tensor(rng.standard_normal((6, 2)))
    for _ in range(3):
        for net in (plain, parallel):
            net.zero_grad()
            mse_loss(net(x), y).backward()
        for one, other in zip(plain.parameters(), parallel.parameters(), strict=True):
            np.testing.assert_array_equal(one.grad.numpy(), other.grad.numpy())
    assert list(parallel.state_dict()) == [f"module.{name}" for name in plain.state_dict()]
    parallel.detach_hooks()
    module.zero_grad()
    mse_loss(module(x), y).backward()
    assert not parallel._running


def test_what_is_not_used_keeps_no_gradient(rng: np.random.Generator) -> None:
    (module,) = _networks(1)
    parallel = distributed.DistributedDataParallel(module)
    module[0](Tensor(rng.standard_normal((2, 5)))).sum().backward()
    assert [each.grad is None for each in parallel.parameters()] == [False, False, True, True, True, True]


def test_half_the_bits_are_rounded_once(rng: np.random.Generator) -> None:
    plain, module = _networks()
    parallel = distributed.DistributedDataParallel(module, compression="float16")
    x, y = Tensor(rng.standard_normal((6, 5))), Tensor(rng.standard_normal((6, 2)))
    for net in (plain, parallel):
        mse_loss(net(x), y).backward()
    for one, other in zip(plain.parameters(), parallel.parameters(), strict=True):
        np.testing.assert_array_equal(one.grad.numpy().astype(np.float16), other.grad.numpy())
    assert parallel.bytes_per_step == 2 * sum(each.numel() + 1 for each in module.parameters())


def test_wrong_calls_of_the_parallel_module(rng: np.random.Generator) -> None:
    (module,) = _networks(1)
    with pytest.raises(TypeError, match="module must be a Module, not list"):
        distributed.DistributedDataParallel([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"bucket_cap_mb \(=0\) must be above 0"):
        distributed.DistributedDataParallel(module, bucket_cap_mb=0)
    with pytest.raises(ValueError, match=r"compression \(='int8'\) must be None or 'float16'"):
        distributed.DistributedDataParallel(module, compression="int8")
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        distributed.DistributedDataParallel(nn.ReLU())
    parallel = distributed.DistributedDataParallel(module)
    said = parallel(Tensor(rng.standard_normal((2, 5))))
    loss = (said * said).sum()
    with pytest.raises(RuntimeError, match=r"gradients with a graph \(create_graph=True\) are not averaged"):
        loss.backward(create_graph=True)


def test_sampler_shares_every_order(rng: np.random.Generator) -> None:
    for _ in range(30):
        count, ranks, seed = int(rng.integers(4, 40)), int(rng.integers(1, 5)), int(rng.integers(1000))
        data = list(range(count))
        for drop in (False, True):
            shares = []
            for rank in range(ranks):
                sampler = distributed.DistributedSampler(data, ranks, rank, seed=seed, drop_last=drop)
                sampler.set_epoch(2)
                shares.append(list(sampler))
                assert len(shares[-1]) == len(sampler) == (count // ranks if drop else -(-count // ranks))
            together = [each for row in zip(*shares, strict=True) for each in row]
            whole = distributed.DistributedSampler(data, 1, 0, seed=seed)
            whole.set_epoch(2)
            order = list(whole)
            assert sorted(order) == data
            assert together[:count] == order[: len(together)]
            assert together[count:] == order[: max(len(together) - count, 0)]
    many = distributed.DistributedSampler(range(1000), 1, 0, seed=3)
    before = list(many)
    many.set_epoch(1)
    assert list(many) != before
    plain = distributed.DistributedSampler(range(5), 2, 1, shuffle=False)
    assert list(plain) == [1, 3, 0]


def test_wrong_samplers() -> None:
    with pytest.raises(ValueError, match=r"rank \(=2\) must be in \[0, 2\)"):
        distributed.DistributedSampler(range(9), 2, 2)
    with pytest.raises(ValueError, match="3 samples leave none for each of 4 ranks"):
        distributed.DistributedSampler(range(3), 4, 0, drop_last=True)


@pytest.mark.parametrize("made", [optim.AdamW, lambda params, lr: optim.SGD(params, lr, momentum=0.9)])
def test_the_spread_optimizer_is_the_plain_one(rng: np.random.Generator, tmp_path: Any, made: Any) -> None:
    """Same steps, same state dict, and a checkpoint of one is a checkpoint of the other."""
    plain, spread, later = _networks(3)
    one = made(plain.parameters(), lr=0.1)
    other = distributed.ZeroRedundancyOptimizer(spread.parameters(), made, lr=0.1)
    with pytest.raises(RuntimeError, match=r"call consolidate_state_dict\(\) on all ranks"):
        other.state_dict()

    def steps(pairs: Any) -> None:
        for _ in range(3):
            x, y = Tensor(rng.standard_normal((6, 5))), Tensor(rng.standard_normal((6, 2)))
            for net, optimizer in pairs:
                optimizer.zero_grad()
                mse_loss(net(x), y).backward()
                optimizer.param_groups[0]["lr"] *= 0.9
                optimizer.step()

    steps([(plain, one), (spread, other)])
    other.consolidate_state_dict()
    for state in (one.state_dict(), other.state_dict()):
        assert list(state["state"]) == list(range(6))
    path = tmp_path / "state"
    save_checkpoint(path, model=spread, optimizer=other)
    third = made(later.parameters(), lr=0.1)
    load_checkpoint(path, model=later, optimizer=third)
    save_checkpoint(path, model=plain, optimizer=one)
    distributed.load_checkpoint(path, model=spread, optimizer=other)
    steps([(plain, one), (spread, other), (later, third)])
    for a, b, c in zip(plain.parameters(), spread.parameters(), later.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        np.testing.assert_array_equal(a.detach().numpy(), c.detach().numpy())
    with pytest.raises(ValueError, match=r"has made steps already"):
        distributed.ZeroRedundancyOptimizer.over(one)
    assert repr(other).startswith("ZeroRedundancyOptimizer of")


def test_parameters_are_spread_evenly(alone: distributed.ProcessGroup) -> None:
    params = [Tensor(np.zeros(size), requires_grad=True) for size in (8, 1, 5, 3, 3, 4)]
    optimizer = distributed.ZeroRedundancyOptimizer(params, optim.SGD, lr=0.1)
    alone.world_size = 3
    held = [0, 0, 0]
    for param, rank in optimizer._spread(params).items():
        held[rank] += param.numel()
    assert sorted(held) == [8, 8, 8]


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
def test_statistics_of_one_rank_are_the_plain_ones(
    rng: np.random.Generator, momentum: float | None, affine: bool
) -> None:
    plain = nn.BatchNorm2d(3, momentum=momentum, affine=affine, dtype=np.float64)
    synced = distributed.convert_sync_batchnorm(
        nn.Sequential(nn.Identity(), nn.BatchNorm2d(3, momentum=momentum, affine=affine, dtype=np.float64))
    )
    assert isinstance(synced[1], distributed.SyncBatchNorm)
    assert [name.removeprefix("1.") for name in synced.state_dict()] == list(plain.state_dict())
    for training in (True, True, False):
        values = rng.standard_normal((4, 3, 5, 2)) * 3.0 + 1.0
        cotangent = rng.standard_normal(values.shape)
        results = []
        for net in (plain, synced):
            net.train(training)
            net.zero_grad()
            x = Tensor(values, requires_grad=True)
            y = net(x)
            y.backward(Tensor(cotangent))
            results.append([y.detach(), x.grad, *(each.grad for each in net.parameters()), *net.buffers()])
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-11)
    with pytest.raises(ValueError, match=r"input must have shape \(N, 3, \.\.\.\), not \(2, 4, 1, 1\)"):
        synced.train()(Tensor(np.zeros((2, 4, 1, 1))))
    with pytest.raises(ValueError, match="more than 1 element a channel"):
        synced(Tensor(np.zeros((1, 3, 1, 1))))


def test_a_checkpoint_that_cannot_be_written_or_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(RuntimeError, match=r"rank 0 could not write .*FileNotFoundError"):
        distributed.save_checkpoint(tmp_path / "nowhere" / "state", model=nn.Linear(1, 1))
    with pytest.raises(FileNotFoundError, match="rank 0 sees no file"):
        distributed.load_checkpoint(tmp_path / "state")
