"""Worker processes: order, seeds, errors, and that nothing of them is left."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator
from pyneural.data import DataLoader, TensorDataset, worker

pytestmark = pytest.mark.usefixtures("reference_device")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import worker_parts

    return worker_parts


def _blocks() -> set[str]:
    folder = Path("/dev/shm")
    return {each.name for each in folder.glob(f"pyneural-{os.getpid()}-*")} if folder.is_dir() else set()


def _plain(batches: list[dict[str, Any]]) -> list[Any]:
    return [[batch[key].tolist() for key in ("index", "ours", "python", "numpy", "half")] for batch in batches]


def test_any_number_of_workers_gives_the_same(parts: Any):
    before = _blocks()
    found = {}
    for workers in (0, 1, 3):
        with_workers = DataLoader(parts.Noisy(), 2, shuffle=True, num_workers=workers, generator=Generator(5))
        batches = list(with_workers)
        found[workers] = _plain(batches)
        made_by = {pid for batch in batches for pid in batch["process"].tolist()}
        assert (made_by == {os.getpid()}) == (workers == 0)
        assert len(made_by) == max(workers, 1)
    assert found[0] == found[1] == found[3]
    assert str(batches[0]["half"].dtype) == "bfloat16"
    assert str(batches[0]["ours"].device) == "reference"
    draws = [value for batch in found[0] for value in batch[2]]
    assert len(set(draws)) == 11
    assert not multiprocessing.active_children()
    assert _blocks() <= before


def test_a_parcel_lies_in_a_block_until_it_is_read():
    parcel = worker.pack(worker.Task(number=0, epoch=0, indices=[], seed=0), {"x": np.arange(5)})
    assert parcel.block in _blocks() or not Path("/dev/shm").is_dir()  # where Linux shows them
    assert worker.unpack(parcel)["x"].tolist() == [0, 1, 2, 3, 4]
    assert parcel.block not in _blocks()


def test_the_next_epoch_is_another_and_workers_may_stay(parts: Any):
    loader = DataLoader(
        parts.Noisy(), 4, num_workers=1, generator=Generator(1), persistent_workers=True, prefetch_factor=1
    )
    first, second = list(loader), list(loader)
    assert first[0]["process"].tolist() == second[0]["process"].tolist()
    assert _plain(first)[0][1] != _plain(second)[0][1]
    for batch in loader:  # left early: what was on its way belongs to no later epoch
        assert batch["index"].tolist() == [0, 1, 2, 3]
        break
    assert [batch["index"].tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert len(multiprocessing.active_children()) == 1
    loader.close()
    assert not multiprocessing.active_children()


def test_drawing_leaves_the_default_generators_as_they_were(parts: Any):
    pyneural.manual_seed(3)
    np.random.seed(3)
    expected = pyneural.rand(2).tolist(), np.random.rand(2).tolist()
    pyneural.manual_seed(3)
    np.random.seed(3)
    list(DataLoader(parts.Noisy(), 4, generator=Generator(1)))
    assert (pyneural.rand(2).tolist(), np.random.rand(2).tolist()) == expected


def test_an_exception_brings_its_traceback(parts: Any):
    loader = DataLoader(parts.Broken(), 2, num_workers=2)
    seen = []
    with pytest.raises(LookupError) as caught:
        seen.extend(batch.tolist() for batch in loader)
    assert seen == [[0, 1], [2, 3]]
    assert "DataLoader: worker 0 failed on batch 2" in str(caught.value)
    assert "sample 5 is damaged" in str(caught.value)
    assert "in __getitem__" in str(caught.value)
    assert not multiprocessing.active_children()


def test_a_dead_worker_is_noticed(parts: Any):
    with pytest.raises(RuntimeError, match="worker 0 ended with exit code 7 before batch 2 came"):
        list(DataLoader(parts.Deadly(), 2, num_workers=2))
    assert not multiprocessing.active_children()


def test_worker_init_and_info(parts: Any):
    batches = list(DataLoader(parts.Placed(), 1, num_workers=2, worker_init_fn=parts.name_worker))
    assert [tuple(each.item() for each in batch) for batch in batches] == [(0, 2, 0), (1, 2, 1)] * 3
    with pytest.raises(OSError, match="worker 0 has no disk"):
        list(DataLoader(parts.Placed(), 1, num_workers=1, worker_init_fn=parts.refuse))


def test_tensors_travel_to_workers_and_an_epoch_goes_on():
    dataset = TensorDataset(pyneural.arange(10), pyneural.randn(10, 3))
    straight = [batch[0].tolist() for batch in DataLoader(dataset, 3, shuffle=True, generator=Generator(2))]
    loader = DataLoader(dataset, 3, shuffle=True, num_workers=1, generator=Generator(2))
    seen = []
    for indices, rows in loader:
        np.testing.assert_array_equal(rows.numpy(), dataset.tensors[1].numpy()[indices.numpy()])
        seen.append(indices.tolist())
        if len(seen) == 2:
            state = loader.state_dict()
            break
    assert not multiprocessing.active_children()
    other = DataLoader(dataset, 3, shuffle=True, num_workers=1, generator=Generator(9))
    other.load_state_dict(state)
    assert seen + [batch[0].tolist() for batch in other] == straight


def test_a_batch_that_takes_too_long(parts: Any):
    with pytest.raises(RuntimeError, match=r"batch 0 took longer than timeout \(=0.001\) seconds"):
        list(DataLoader(parts.Broken(), 2, num_workers=1, timeout=0.001))
    assert not multiprocessing.active_children()
