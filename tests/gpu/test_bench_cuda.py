"""`pyneural bench --device cuda`: who computes on the GPU, by which clock, and under which ceilings."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyneural import cuda, device, tensor
from pyneural.bench import gpu, gpu_contestants, pictures, race, subjects, suite, workloads
from pyneural.cli import app, console
from pyneural.kernels import cuda_launch, dtypes
from pyneural.kernels.cuda_launch import element_option

pytestmark = pytest.mark.simulator

try:  # before anything stands in for CuPy, which PyTorch looks into
    import torch
except ImportError:
    torch = None

STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin"
F32 = np.dtype("float32")


def _options(rng: np.random.Generator, operation: str = "matmul", dtype: str = "float32", size: int = 9) -> Any:
    return {"operation": operation, "size": size, "dtype": dtype, "seed": int(rng.integers(1 << 31))}


def _run(*arguments: Any) -> Any:
    console.console.width = 200
    return CliRunner().invoke(app, ["bench", *(str(each) for each in arguments)])


@pytest.fixture
def quick(standin: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short races, in whose processes CuPy is what it is in this one."""
    monkeypatch.setattr(suite, "run", functools.partial(suite.run, rounds=2, round_seconds=0.001))
    if standin:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STANDIN), *sys.path]))
        monkeypatch.setenv("PATH", str(STANDIN / "bin"), prepend=os.pathsep)


def test_a_race_on_a_gpu(tmp_path: pathlib.Path, quick: None) -> None:
    pytest.importorskip("matplotlib")
    arguments = ("--device", "cuda", "--sizes", 8, "--against", "numpy", "--threads", 1, "--out", tmp_path)
    result = _run("matmul", "exp", *arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "bench.json").read_text())
    assert (report["device"], report["timing"]) == ("cuda", "CUDA events around a call")
    assert report["machine"]["card"]["name"] == cuda.get_device_name()
    assert report["clocks"]["before"]["gpu"]
    assert report["clocks"]["after"]["gpu"]
    assert [(row["operation"], sorted(row["seconds"])) for row in report["rows"]] == [
        ("matmul", ["numpy", "pyneural"]),
        ("exp", ["numpy", "pyneural"]),
    ]
    for row in report["rows"]:
        assert all(0 <= error <= 1e-5 for error in row["error"].values())
        assert row["share"] > 0
    assert report["ceilings"]["bytes"] > 0
    assert report["ceilings"]["by"]["float32"] == "fma"
    assert "ceilings measured" in result.output
    assert "(fma)" in result.output


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [("matmul", "float32"), ("matmul", "bfloat16"), ("softmax", "float16"), ("sum", "float64"), ("gelu", "float32")],
)
def test_pyneural_computes_on_the_gpu(
    operation: str, dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On inputs written anew, with poisoned results, timed by events."""
    _judged("pyneural", _options(rng, operation, dtype), monkeypatch)


@pytest.mark.parametrize("kind", ["cublas", "cupy"])
@pytest.mark.parametrize("operation", ["matmul", "linear", "softmax", "exp"])
def test_cupy_computes_what_it_says(
    kind: str, operation: str, standin: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = gpu_contestants.KINDS[kind].has(workloads.WORKLOADS[operation])
    assert has == (kind == "cupy" or operation in ("matmul", "linear"))
    if standin:
        _computing(monkeypatch)
    if has:
        _judged(kind, _options(rng, operation), monkeypatch)


@pytest.mark.parametrize(
    "operation", ["matmul", "conv2d", "attention", "softmax", "layer_norm", "cumsum", "var", "max_pool2d", "gelu"]
)
def test_a_replayed_graph_computes_the_same(
    operation: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From inputs that change in their places, into a result that was poisoned."""
    _judged("pyneural", _options(rng, operation, size=8) | {"replay": True}, monkeypatch)


def test_a_replay_needs_nothing_of_the_host(rng: np.random.Generator) -> None:
    """Nor memory that others may get: here the parts of a long sum, beside the result."""
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 1024), (1024, 16)))
    x, y = (tensor(each, device="cuda") for each in (a, b))
    calls: list[int] = []

    def product() -> Any:
        calls.append(1)
        return x @ y

    with cuda_launch.launched_by(lambda launch: calls.append(1)):
        product()
    assert len(calls) == 3  # the call, its parts, their sum
    calls.clear()
    run = gpu.replayed(product)
    assert len(calls) == 2
    results = []
    for _ in range(2):
        others = [tensor(np.full((16, 64), np.nan, np.float32), device="cuda") for _ in range(20)]
        a *= -2
        x.array.set(a)
        results.append(run())
        np.testing.assert_allclose(results[-1].cpu().numpy(), a.astype(np.float64) @ b, atol=1e-3)
        assert all(np.isnan(each.cpu().numpy()).all() for each in others)
    assert results[0] is results[1]
    assert len(calls) == 2


def test_what_waits_for_the_gpu_cannot_be_replayed(rng: np.random.Generator, standin: bool) -> None:
    if not standin:
        pytest.skip("the failed capture would be left to the tests after it")
    x = tensor(rng.standard_normal(3).astype(np.float32), device="cuda")
    with pytest.raises(RuntimeError, match="cudaError 900"):
        gpu.replayed(lambda: x.cpu())
    assert (x * 2.0).cpu().numpy().shape == (3,)


def test_pytorch_replays_its_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch is None:
        pytest.skip("PyTorch is not installed")
    order: list[str] = []

    class Stream:
        def wait_stream(self, other: Any) -> None:
            order.append("wait")

    class Graph:
        def replay(self) -> None:
            order.append("replay")

    main = Stream()
    for name, thing in (("Stream", Stream), ("current_stream", lambda: main), ("CUDAGraph", Graph),
                        ("stream", contextlib.nullcontext), ("graph", contextlib.nullcontext)):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, thing)
    run = gpu_contestants.torch_replayed(lambda: order.append("run") or len(order))
    assert order == ["wait", "run", "run", "run", "wait", "run"]
    assert run() == run() == 6
    assert order[6:] == ["replay", "replay"]


def test_a_race_of_replays(tmp_path: pathlib.Path, quick: None) -> None:
    pytest.importorskip("matplotlib")
    arguments = ("--device", "cuda", "--replay", "--sizes", 8, "--against", "none", "--threads", 1, "--out", tmp_path)
    result = _run("exp", *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "bench.json").read_text())["timing"] == suite.REPLAY
    assert suite.REPLAY in result.output
    result = _run("exp", "--replay")
    assert result.exit_code == 2
    assert "--replay is of CUDA graphs, and --device is cpu" in result.output


def test_torch_computes_what_it_says(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch is None:
        pytest.skip("PyTorch is not installed")
    if not torch.cuda.is_available():
        monkeypatch.setattr(gpu_contestants, "TORCH_DEVICE", "cpu")
        monkeypatch.setattr(gpu_contestants, "torch_clock", subjects.wall_clock)
        message = "torch cannot take part: a PyTorch that finds the GPU is not installed"
        with pytest.raises(suite.Unknown, match=message):
            suite.contestants(["torch"], "cuda")
        assert suite.contestants(None, "cuda") == ["cublas"]
    for dtype in ("float32", "bfloat16"):
        _judged("torch", _options(rng, "linear", dtype), monkeypatch)


def _computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-in's arrays compute by NumPy what the real ones compute by cuBLAS and CuPy's own kernels."""
    import cupy

    def ufunc(self: Any, function: Any, method: str, *given: Any, **options: Any) -> Any:
        return cupy.asarray(function(*[getattr(each, "_host", each) for each in given]))

    for name, function in (("add", np.add), ("sub", np.subtract), ("truediv", np.divide), ("matmul", np.matmul)):
        monkeypatch.setattr(
            cupy.ndarray, f"__{name}__", lambda self, other, function=function: ufunc(self, function, "", self, other)
        )
    for name in ("max", "sum"):

        def reduced(self: Any, name: str = name, **options: Any) -> Any:
            return cupy.asarray(getattr(self._host, name)(**options))

        monkeypatch.setattr(cupy.ndarray, name, reduced, raising=False)
    monkeypatch.setattr(cupy.ndarray, "__array_ufunc__", ufunc)


def _judged(kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Race a contestant alone, in this process."""
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    server = subjects.Server(gpu_contestants.prepare, kind, 0)
    case = race.Case(kind, 1.0, options, workloads.TOLERANCES[options["dtype"]])
    raced = race.race_here({kind: server}, case, workloads.truth, rounds=2, round_seconds=0.0)
    assert raced["seconds"][kind] > 0
    assert raced["calls"][kind] == 4
    server.time(1)
    assert server._last is not None
    turn, result = server._last
    subject = server._sets[turn]
    assert subject.poison is not None
    subject.poison(result)
    assert np.isnan(subject.to_numpy(result).astype(np.float32)).all()


def test_a_wrong_kernel_is_refused(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        subject = gpu_contestants.prepare(kind, options)
        return subject._replace(run=lambda: subject.run() * 1.0001)

    case = race.Case("matmul", 1.0, _options(rng))
    with pytest.raises(ArithmeticError, match=r"pyneural, matmul: error .* is above 1e-05"):
        race.race_here(
            {"pyneural": subjects.Server(prepare, "pyneural", 0)}, case, workloads.truth, rounds=1, round_seconds=0.0
        )


def test_the_clock_is_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    import cupy

    order: list[str] = []

    class Event:
        def record(self, stream: Any = None) -> None:
            assert stream is cupy.cuda.get_current_stream()
            order.append("record")

        def synchronize(self) -> None:
            order.append("synchronize")

    monkeypatch.setattr(cupy.cuda, "Event", Event)
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda begin, end: 250.0)
    assert gpu.event_clock(lambda: order.append("run")) == (0.25, None)
    assert order == ["record", "run", "record", "synchronize"]


def test_pytorchs_clock_is_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch is None:
        pytest.skip("PyTorch is not installed")
    order: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            order.append("record")

        def synchronize(self) -> None:
            order.append("synchronize")

        def elapsed_time(self, end: Any) -> float:
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("idle"))
    assert gpu_contestants.torch_clock(lambda: order.append("run")) == (0.25, None)
    assert order == ["idle", "record", "run", "record", "synchronize"]


def test_inputs_pass_the_level_2_cache(rng: np.random.Generator) -> None:
    """As many sets as fill it three times, and what was written last is not what is read next."""
    assert gpu_contestants.cache("pyneural") == gpu.level_2_cache() > 0
    assert gpu_contestants.cache("numpy") == gpu_contestants.last_level_cache()
    order: list[Any] = []

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        x = np.ones(1 << 10)

        def run() -> Any:
            order.append(("run", options["seed"]))
            return x

        return subjects.Subject(run, np.asarray, (x,), write=lambda: order.append(("write", options["seed"])))

    server = subjects.Server(prepare, "any", 1 << 14)
    server.prepare({"seed": 0})
    assert len(server._sets) * (1 << 13) >= 3 << 14
    server.time(8)
    steps = [(do, seed % len(server._sets)) for do, seed in order]
    assert steps[:4] == [("write", len(server._sets) - 1), ("run", 0), ("write", 0), ("run", 1)]
    assert {seed for do, seed in steps if do == "run"} == set(range(len(server._sets)))


def test_contestants_of_the_host_keep_its_clock(rng: np.random.Generator) -> None:
    subject = gpu_contestants.prepare("numpy", _options(rng))
    assert subject.clock is subjects.wall_clock
    assert gpu_contestants.prepare("pyneural", _options(rng)).clock is gpu.event_clock
    assert set(gpu_contestants.describe("numpy")) == {"numpy"}


def _kernel(name: str, dtype: np.dtype[Any]) -> Any:
    return cuda.compile(f"{cuda.toolchain.CSRC}/ceilings/{name}.cu", "simulator", options=element_option(dtype))[name]


def test_ceilings_do_the_work_that_is_counted(rng: np.random.Generator) -> None:
    """Every multiply-add is there: the sums end where the formulas say."""
    factor = rng.uniform(0.9, 0.99, 1).astype(np.float32)
    totals = np.full(64, np.nan, np.float32)
    _kernel("multiply_add", F32)[2, 32](2, factor, totals)
    sums = np.arange(gpu._CHAINS, dtype=np.float64)
    for _ in range(2 * gpu._UNROLLED):
        sums = sums * factor + factor
    np.testing.assert_allclose(totals, np.full(64, sums.sum()), rtol=1e-5)
    for dtype in (dtypes.float16, dtypes.bfloat16):
        a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((16, 16), (16, 8)))
        fragments = np.empty((32, 12), dtype)
        for lane in range(32):
            row, k = lane // 4, 2 * (lane % 4)
            left = [a[i, j : j + 2] for j in (k, k + 8) for i in (row, row + 8)]
            fragments[lane] = np.concatenate([*left, b[k : k + 2, row], b[k + 8 : k + 10, row]])
        totals = np.full(64, np.nan, np.float32)
        _kernel("mma_sync", dtype)[1, 64](2, fragments.view(np.uint32).reshape(-1), totals)
        product = a.astype(np.float64) @ b.astype(np.float64)
        expected = 2 * gpu._CHAINS * product.sum()
        np.testing.assert_allclose(totals.reshape(2, 32).sum(1), expected, rtol=1e-3, atol=1e-2)
        lines = rng.standard_normal((64 + gpu._WIDTH, 8, 8)).astype(dtype)
        totals = np.full(128, np.nan, np.float32)
        _kernel("wgmma_async", dtype)[1, 128](2, lines.reshape(-1), totals)
        at = np.arange(8)[None] ^ (np.arange(64 + gpu._WIDTH) % 8)[:, None]  # where TMA would have put its 16 bytes
        plain = lines[np.arange(64 + gpu._WIDTH)[:, None], at].reshape(-1, 16 * gpu._STEPS).astype(np.float64)
        expected = 2 * (plain[:64] @ plain[64:].T).sum()
        np.testing.assert_allclose(totals.astype(np.float64).sum(), expected, rtol=1e-3, atol=0.1)


def test_ceilings_are_counted_from_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a round a second."""
    seen: list[int] = []

    def rate(work: Any) -> float:
        work(1)
        seen.append(1)
        return 1.0

    monkeypatch.setattr(gpu, "_rate", rate)
    found, processors = gpu.ceilings(), gpu.card()["multiprocessors"]
    assert len(seen) == 1 + len(found["flops"])
    assert found["bytes"] == 2 * 8 * gpu.level_2_cache()
    for dtype in ("float32", "float64"):
        assert found["flops"][dtype] == 2 * 8 * processors * 256 * 8 * 16
    by = {"fma", "wgmma"} if gpu.card()["capability"] == "9.0" else {"fma", "mma.sync"}
    assert set(found["by"].values()) == by
    if "wgmma" in by:
        assert found["flops"]["float16"] == 2 * 2 * processors * 64 * 256 * 64


def test_a_rate_is_of_repeats_that_are_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def seconds(work: Any, count: int) -> float:
        counts.append(count)
        return 1e-6 + count * 1e-5

    monkeypatch.setattr(gpu, "_seconds", seconds)
    assert gpu._rate(lambda count: None) == pytest.approx(1e5, rel=1e-3)
    assert counts[-1] * 1e-5 >= gpu.LEAST


@pytest.mark.parametrize(
    ("capability", "measured"), [((7, 0), ()), ((7, 5), ("float16",)), ((12, 0), ("float16", "bfloat16"))]
)
def test_what_was_not_measured_has_no_share(
    capability: tuple[int, int], measured: tuple[str, ...], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = gpu._properties() | {"major": capability[0], "minor": capability[1]}
    monkeypatch.setattr(gpu, "_properties", lambda: properties)
    monkeypatch.setattr(gpu, "_computed", lambda name, *others: 1.0)
    monkeypatch.setattr(gpu, "bandwidth", lambda: 1e3)
    ceilings = gpu.ceilings()
    assert set(ceilings["flops"]) == {"float64", "float32", *measured}
    assert {ceilings["by"][each] for each in measured} <= {"mma.sync"}
    timed = {
        "seconds": {"pyneural": 1.0},
        "rounds": {"pyneural": [1.0, 1.0]},
        "quartiles": {},
        "calls": {},
        "error": {},
    }
    rows = []
    for dtype in ("float32", "float16", "bfloat16"):
        (case,) = suite.cases(["matmul"], [dtype], (1 << 16,), [], 0, "cuda")
        rows.append(suite._row(case, timed, ceilings))
        assert (rows[-1]["share"] is None) == (dtype not in ceilings["flops"])
        assert rows[-1]["bound"] == "flops"
        (case,) = suite.cases(["exp"], [dtype], (64,), [], 0, "cuda")
        rows.append(suite._row(case, timed, ceilings))
        assert rows[-1]["share"] == pytest.approx(rows[-1]["bytes"] / 1e3)
    report = {"ceilings": ceilings, "rows": rows, "contestants": {"pyneural": {}}, "threads": 1, "timing": "events",
              "machine": {"processor": "p", "card": {"name": "Some GPU"}}}  # fmt: skip
    if importlib.util.find_spec("matplotlib"):
        assert [each.name for each in pictures.draw(tmp_path, report)] == ["roofline.png", "scaling.png"]
    from pyneural.cli.bench import _table

    console.console.width = 200
    with console.console.capture() as shown:
        console.console.print(_table(report))
    assert ("no ceiling in bfloat16" in shown.get()) == ("bfloat16" not in measured)
    assert "Some GPU" in shown.get()


def test_reports_of_two_clocks_are_not_compared() -> None:
    from pyneural.bench import compare

    old, cpu = {"rows": []}, {"device": "cpu", "timing": suite.CLOCKS["cpu"], "rows": []}
    assert compare.compared(old, cpu) == []
    card, replay = ({"device": "cuda", "timing": each, "rows": []} for each in (suite.CLOCKS["cuda"], suite.REPLAY))
    for two in ((cpu, card), (card, replay)):
        with pytest.raises(
            ValueError, match=r"the reports are not of one device and clock: .* and cuda by CUDA events"
        ):
            compare.compared(*two)
    assert device("cuda").type == "cuda"
