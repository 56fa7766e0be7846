"""NCCL's path: what is given to CuPy's API, by one rank on a GPU and by two on the stand-in's, which are threads."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, distributed, nn, optim
from pyneural.distributed import group as groups
from pyneural.distributed.nccl import Nccl, _packed, _unpacked
from pyneural.functional import mse_loss
from pyneural.kernels import dtypes

STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin"


@pytest.fixture
def alone(standin: bool, monkeypatch: pytest.MonkeyPatch) -> distributed.ProcessGroup:
    if not standin:
        pytest.importorskip("cupy.cuda.nccl", reason="NCCL is not installed: pip install nvidia-nccl-cu12")
    for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(groups, "_group", [])
    return distributed.init()


def test_one_rank_by_the_public_calls(alone: distributed.ProcessGroup, rng: np.random.Generator) -> None:
    values = rng.standard_normal((3, 4)).astype(np.float32)
    for op in ("sum", "max", "min", "product"):
        x = Tensor(values, device="cuda")
        assert distributed.all_reduce(x, op) is x
        np.testing.assert_array_equal(x.cpu().numpy(), values)
        np.testing.assert_array_equal(distributed.reduce_scatter(x, op).cpu().numpy(), values)
    np.testing.assert_array_equal(distributed.broadcast(Tensor(values, device="cuda")).cpu().numpy(), values)
    gathered = distributed.all_gather(Tensor(values, device="cuda"))
    assert gathered.device is pyneural.device("cuda")
    np.testing.assert_array_equal(gathered.cpu().numpy(), values[None])
    transport = alone.transport(pyneural.device("cuda"))
    assert isinstance(transport, Nccl)
    assert alone.transport(pyneural.device("cuda")) is transport
    transport.barrier("barrier").wait()
    with pytest.raises(TypeError, match=r"all_reduce: NCCL cannot reduce int16; it can int8"):
        transport.all_reduce(Tensor(np.zeros(2, np.int16), device="cuda").array, "sum", "all_reduce")
    transport.close()


def test_memory_may_be_mpis_where_that_is_said(
    alone: distributed.ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYNEURAL_CUDA_AWARE_MPI", "1")
    assert alone.transport(pyneural.device("cuda")) is alone.host


def _two(standin: bool, work: Callable[[int, Nccl], Any]) -> list[Any]:
    """``work`` by two ranks, each a thread with a GPU."""
    if not standin:
        pytest.skip("two ranks in one process need the stand-in for CuPy")
    shared: list[bytes] = []
    told, results, failures = threading.Event(), [None, None], []

    def share(content: bytes | None) -> bytes:
        if content is not None:
            shared.append(content)
            told.set()
        assert told.wait(20.0)
        return shared[0]

    def run(rank: int) -> None:
        try:
            with sys.modules["cupy"].cuda.Device(rank):
                results[rank] = work(rank, Nccl(rank, 2, share, rank, 20.0))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failures:
        raise failures[0]
    return results


@pytest.mark.parametrize("dtype", [each for each in dtypes.ALL if each not in (dtypes.bool_, dtypes.int16)])
def test_two_ranks_in_every_dtype(standin: bool, rng: np.random.Generator, dtype: np.dtype[Any]) -> None:
    given = rng.integers(0, 5, (2, 6, 3)).astype(dtype)
    combine = {"sum": np.add, "product": np.multiply, "max": np.maximum, "min": np.minimum}

    def work(rank: int, nccl: Nccl) -> dict[str, np.ndarray]:
        cuda = pyneural.device(f"cuda:{rank}")
        found = {}
        for op in combine:
            array = cuda.from_host(given[rank])
            nccl.all_reduce(array, op, "all_reduce").wait()
            found[op] = cuda.to_host(array)
            part = cuda.empty((3, 3), dtype)
            nccl.reduce_scatter(cuda.from_host(given[rank]), part, op, "reduce_scatter").wait()
            found[f"part of {op}"] = cuda.to_host(part)
        array = cuda.from_host(given[rank])
        nccl.broadcast(array, 1, "broadcast").wait()
        found["broadcast"] = cuda.to_host(array)
        into = cuda.empty((2, 6, 3), dtype)
        nccl.all_gather(cuda.from_host(given[rank]), into, "all_gather").wait()
        found["gathered"] = cuda.to_host(into)
        nccl.barrier("barrier").wait()
        return found

    for rank, found in enumerate(_two(standin, work)):
        for op, function in combine.items():
            expected = function(given[0], given[1])
            np.testing.assert_array_equal(found[op], expected)
            np.testing.assert_array_equal(found[f"part of {op}"], expected[3 * rank : 3 * rank + 3])
        np.testing.assert_array_equal(found["broadcast"], given[1])
        np.testing.assert_array_equal(found["gathered"], given)


def test_collectives_run_beside_the_kernels_and_after_what_they_need(standin: bool) -> None:
    """On a stream of their own, which waits for the current one; a part of an array at its own address."""

    def work(rank: int, nccl: Nccl) -> Any:
        cupy = sys.modules["cupy"]
        cuda = pyneural.device(f"cuda:{rank}")
        array = cuda.from_host(np.arange(8.0) + 10 * rank)
        nccl.all_reduce(array[2:5], "sum", "all_reduce").wait()
        assert nccl.stream.ptr != cupy.cuda.get_current_stream().ptr
        waited = nccl.stream._waited[-1]
        assert waited._stream.ptr == cupy.cuda.get_current_stream().ptr
        call = [each for each in sys.modules["cupy.cuda.nccl"]._CALLS if each[1] == rank][-1]
        assert call == ("allReduce", rank, 3, "float64", nccl.stream.ptr)
        return cuda.to_host(array).tolist()

    first, second = _two(standin, work)
    assert first == [0.0, 1.0, 14.0, 16.0, 18.0, 5.0, 6.0, 7.0]
    assert second == [10.0, 11.0, 14.0, 16.0, 18.0, 15.0, 16.0, 17.0]


def test_an_identity_arrives_as_it_was(rng: np.random.Generator) -> None:
    """Bytes from CuPy 14 on, signed characters before."""
    for identity in (rng.bytes(128), tuple(int(each) for each in rng.integers(-128, 128, 128))):
        assert _unpacked(_packed(identity)) == identity


@pytest.mark.simulator
@pytest.mark.parametrize("compression", [None, "float16"])
def test_a_data_parallel_step(
    alone: distributed.ProcessGroup, rng: np.random.Generator, compression: str | None
) -> None:
    """Kernels fill the buckets; one rank's gradients are its own, rounded where they are sent in 16 bits."""
    gradients = []
    x, y = rng.standard_normal((6, 5)).astype(np.float32), rng.standard_normal((6, 2)).astype(np.float32)
    for parallel in (False, True):
        pyneural.manual_seed(1)
        model: nn.Module = nn.Sequential(nn.Linear(5, 7, device="cuda"), nn.Tanh(), nn.Linear(7, 2, device="cuda"))
        if parallel:
            model = distributed.DistributedDataParallel(model, compression=compression)
        optimizer = optim.Adam(model.parameters(), 0.1)
        mse_loss(model(Tensor(x, device="cuda")), Tensor(y, device="cuda")).backward()
        gradients.append([each.grad.cpu().numpy() for each in model.parameters()])
        optimizer.step()
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one.astype(np.float16).astype(np.float32) if compression else one, other)


def test_every_name_is_cupys() -> None:
    """Names and parameters of the stand-in's NCCL, where CuPy and NCCL's library are installed."""
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("CuPy is not installed: pip install cupy-cuda12x, which no GPU is needed for")
    code = """
import json, inspect
from cupy.cuda import nccl
found = {"kind": type(nccl.get_unique_id()).__name__,
         "names": [name for name in dir(nccl) if name.startswith(("NCCL_", "Nccl", "get_"))],
         "members": [name for name in dir(nccl.NcclCommunicator) if not name.startswith("_")],
         "values": {name: int(getattr(nccl, name)) for name in dir(nccl) if name.startswith("NCCL_")},
         "documents": {name: getattr(nccl.NcclCommunicator, name).__doc__ or "" for name in
                       ("allReduce", "reduceScatter", "broadcast", "allGather")}}
print(json.dumps(found))
"""
    ours, real = (
        subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=False, timeout=120)
        for head in (f"import sys; sys.path.insert(0, {str(STANDIN)!r})\n", "")
    )
    if real.returncode:
        pytest.skip("NCCL is not installed: pip install nvidia-nccl-cu12, which no GPU is needed for")
    one, other = json.loads(ours.stdout), json.loads(real.stdout.splitlines()[-1])
    for kind in ("names", "members"):
        assert set(one[kind]) <= set(other[kind])
    assert one["kind"] == other["kind"]
    assert one["values"] == {name: other["values"][name] for name in one["values"]}
