"""What `pyneural bench` runs: every contestant computes what it says, cheats are refused, reports are compared."""

from __future__ import annotations

import copy
import json
import math
import pathlib
from typing import Any

import numpy as np
import pytest

from pyneural.bench import ceilings, compare, contestants, machine, pictures, race, subjects, suite, workloads
from tests.bench import cheats

SIZES = {"attention": 9, "conv2d": 7, "max_pool2d": 6}


def _server(kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> subjects.Server:
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    server = subjects.Server(contestants.prepare, kind)
    server.prepare(options)
    return server


def _error(server: subjects.Server, seed: int, folder: pathlib.Path) -> float:
    options = server.fresh(seed, folder)
    result, given = subjects.left(folder)
    return race.relative_error(result, workloads.truth(options, tuple(each.astype(np.float64) for each in given)))


@pytest.mark.parametrize("kind", ["pyneural", "numpy", "scipy", "numba", "torch"])
def test_contestants_compute_what_they_say(
    kind: str, rng: np.random.Generator, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 and, where the contestant has them, one of the halves, with fresh inputs and after the timing."""
    if contestants.KINDS[kind].missing():
        pytest.skip(f"{contestants.KINDS[kind].missing()} not installed")
    ran = 0
    for name, workload in workloads.WORKLOADS.items():
        if not contestants.KINDS[kind].has(workload):
            continue
        for dtype in ("float32", "bfloat16") if name == "matmul" else ("float32",):
            if dtype not in contestants.KINDS[kind].dtypes:
                continue
            options = {
                "operation": name,
                "size": SIZES.get(name, 13),
                "dtype": dtype,
                "seed": int(rng.integers(1 << 31)),
            }
            other = int(rng.integers(1 << 31))
            server = _server(kind, options, monkeypatch)
            assert _error(server, other, tmp_path) <= workloads.TOLERANCES[dtype], (name, dtype)
            assert len(server.time(3)) == 3
            server.last(tmp_path)
            result = subjects.left(tmp_path)[0]
            assert result.shape == workload.result(options["size"]), name
            assert np.isfinite(result).all(), name
            ran += 1
    assert ran >= 3


@pytest.mark.parametrize("kind", ["pyneural", "numpy", "torch"])
def test_results_are_poisoned_once_looked_at(
    kind: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if contestants.KINDS[kind].missing():
        pytest.skip(f"{kind} is not installed")
    options = {"operation": "matmul", "size": 5, "dtype": "float32", "seed": int(rng.integers(1 << 31))}
    results: list[Any] = []

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        subject = contestants.prepare(kind, options)

        def run() -> Any:
            results.append(subject.run())
            return results[-1]

        return subject._replace(run=run)

    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    server = subjects.Server(prepare, kind)
    server.prepare(options)
    server.time(2)
    *_, before, last = [each if kind == "numpy" else each.numpy() for each in results]
    assert np.isnan(before).all()
    assert not np.isnan(last).any()
    count = len(results)
    server.time(1)
    assert all(np.isnan(each if kind == "numpy" else each.numpy()).all() for each in results[:count])


def test_results_lie_elsewhere_in_each_turn(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """One buffer that is given back would serve all turns."""
    options = {"operation": "matmul", "size": 100, "dtype": "float32", "seed": int(rng.integers(1 << 31))}
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    server = subjects.Server(contestants.prepare, "pyneural")
    server.prepare(options)
    places = set()
    for _ in range(30):
        server.time(1)
        assert server._last is not None
        places.add(server._last[1].numpy().ctypes.data)
    assert len(places) > 1


def test_what_was_read_longest_ago_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all cases, whose sets lie over the same memory: one begins where the one before has left off."""
    used: list[tuple[str, int]] = []

    def prepare(kind: str, options: dict[str, Any]) -> subjects.Subject:
        def run() -> np.ndarray:
            used.append((options["operation"], options["set"]))
            return np.zeros(1)

        return subjects.Subject(run, np.asarray, (np.zeros(options["size"]),))

    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 7 if nbytes == 8 else 14)
    server = subjects.Server(prepare, "any")
    few, many = ({"operation": name, "size": size, "seed": 1} for name, size in (("few", 1), ("many", 2)))
    for options, calls in ((few, 3), (many, 4), (few, 3), (few, 2), (many, 3)):
        server.prepare(options, keep=True)
        server.time(calls)
    few_sets, many_sets = ([number for name, number in used if name == each] for each in ("few", "many"))
    assert few_sets == [0, 1, 2, 5, 6, 0, 1, 2]
    assert many_sets == [6, 7, 8, 9, 6, 7, 8]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_sets_lie_apart_and_cases_share_their_numbers(dtype: str) -> None:
    options = {"operation": "layer_norm", "size": 67, "dtype": dtype, "seed": 3}
    own = workloads.inputs(options)
    sets = [workloads.inputs({**options, "set": number}) for number in (0, 1, 17)]
    arrays = [array for each in (own, *sets) for array in each]
    for i, array in enumerate(arrays):
        assert array.shape == own[i % 3].shape
        assert array.dtype.name == dtype
        assert array.flags.c_contiguous
        assert array.ctypes.data % 64 == arrays[3].ctypes.data % 64 or i < 3
        assert not any(np.shares_memory(array, other) for other in arrays[:i])
    other = workloads.inputs({**options, "operation": "exp", "set": 0})
    assert np.shares_memory(other[0], sets[0][0])


def _planted(kind: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("PLANTED", kind)
    return suite.run(["matmul"], ["float32"], (37,), [], 1, module="tests.bench.planted", rounds=2, round_seconds=0.001)


def test_an_honest_run_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    report = _planted("honest", monkeypatch)
    (row,) = report["rows"]
    assert (row["operation"], row["size"], row["dtype"], row["bound"]) == ("matmul", 37, "float32", "bytes")
    assert row["flops"] == 2 * 37**3
    assert row["bytes"] == 3 * 37 * 37 * 4
    assert row["share"] == pytest.approx(row["bytes"] / 1e10 / row["seconds"]["pyneural"])
    assert set(report["clocks"]) == {"before", "after"}
    assert report["machine"]["cores"] >= 1


@pytest.mark.parametrize("kind", [kind for kind in cheats.KINDS if kind != "honest"])
def test_a_cheat_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArithmeticError, match=r"pyneural, matmul 37 float32: error .* is above 1e-05"):
        _planted(kind, monkeypatch)


def test_what_is_asked_for() -> None:
    assert suite.operations([]) == list(workloads.DEFAULT)
    assert suite.operations(["exp", "exp"]) == ["exp"]
    with pytest.raises(suite.Unknown, match=r"no operation 'expp'; there are matmul, .*exp"):
        suite.operations(["expp"])
    with pytest.raises(suite.Unknown, match=r"no contestant 'pyneural'; there are reference, numpy"):
        suite.contestants(["pyneural"])
    assert suite.sizes("256:2048") == (256, 512, 1024, 2048)
    assert suite.sizes("100:600") == (128, 256, 512)
    assert suite.sizes("300,100") == (100, 300)
    for wrong in ("a", "3:2", "0,4", "", "4:x"):
        with pytest.raises(suite.Unknown, match="must be like"):
            suite.sizes(wrong)
    with pytest.raises(ValueError, match="'float8' is none of float64"):
        workloads.dtype_named("float8")


def test_a_contestant_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = contestants.Kind(("no_such_package",), ("float32",))
    monkeypatch.setitem(contestants.KINDS, "torch", kind)
    assert suite.contestants(None) == ["numpy"]
    with pytest.raises(suite.Unknown, match="torch cannot take part: no_such_package is not installed"):
        suite.contestants(["torch"])


def test_only_those_take_part_that_have_the_operation() -> None:
    for name, dtype, able in (
        ("gelu", "float32", ("pyneural", "scipy")),
        ("matmul", "float32", ("pyneural", "numpy", "scipy")),
        ("matmul", "float16", ("pyneural",)),
    ):
        (case,) = suite.cases([name], [dtype], (8,), ["numpy", "scipy"], 0)
        assert case.contestants == able
        assert case.tolerance == workloads.TOLERANCES[dtype]


def _report() -> dict[str, Any]:
    rows = [
        {
            "operation": operation, "size": size, "dtype": "float32", "flops": 2.0 * size**3, "bytes": 12 * size**2,
            "seconds": {"pyneural": size**3 / 1e10, "numpy": size**2 / 1e8},
            "ratio": {"numpy": {"mean": 2.0, "low": 1.98, "high": 2.02}},
        }
        for operation in ("matmul", "exp") for size in (64, 128, 256)
    ]  # fmt: skip
    return {
        "format": suite.FORMAT, "threads": 2, "contestants": {"pyneural": {}, "numpy": {}}, "rows": rows,
        "ceilings": {"bytes": 1e10, "flops": {"float32": 1e11}},
    }  # fmt: skip


def test_pictures_show_every_row(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    report = _report()
    written = pictures.draw(tmp_path, report)
    assert [path.name for path in written] == ["roofline.png", "scaling.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written)
    shown = [axes for axes in pictures.scaling(report).axes if axes.lines]
    assert [axes.get_title() for axes in shown] == ["matmul, float32", "exp, float32"]
    labels = [line.get_label() for line in shown[0].lines]
    assert labels == ["pyneural: size^3.00", "numpy: size^2.00"]
    (axes,) = pictures.roofline(report).axes
    filled = [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_markerfacecolor() != "none"]
    assert {round(float(line.get_ydata()[0]), 6) for line in filled} == {20.0}  # GFLOP/s of every row


def test_an_exponent_needs_two_sizes() -> None:
    assert math.isnan(pictures.exponent([(64, 1.0)]))
    assert pictures.exponent([(64, 1.0), (128, 8.0)]) == pytest.approx(3.0)


def test_what_got_slower() -> None:
    before, after = _report(), _report()
    assert {each.change for each in compare.compared(before, after)} == {0.0}
    after["rows"][1]["ratio"]["numpy"] = {"mean": 1.6, "low": 1.58, "high": 1.62}
    after["rows"][2]["ratio"]["numpy"] = {"mean": 1.6, "low": 1.0, "high": 2.2}  # noise
    after["rows"][3]["ratio"]["numpy"] = {"mean": 4.0, "low": 3.96, "high": 4.04}  # faster
    changes = compare.compared(before, after)
    (slower,) = [each for each in changes if each.slower(0.05)]
    assert (slower.operation, slower.size, slower.contestant) == ("matmul", 128, "numpy")
    assert slower.change == pytest.approx(0.25)
    assert not slower.slower(0.3)
    assert compare.agreeing(changes) == len(changes) - 3


def test_reports_are_read_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.json"
    suite.write(path, _report())
    assert suite.load(path) == _report()
    other = copy.deepcopy(_report()) | {"format": 0}
    ours = f"in format {suite.FORMAT}"
    for text, message in ((json.dumps(other), ours), ("[]", ours), ("{", "is no JSON")):
        path.write_text(text)
        with pytest.raises(suite.Unknown, match=message):
            suite.load(path)


def test_ceilings_are_counted_from_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the speed in half the lanes' width; every multiply-add is there: the sums end where the formula says."""
    from pyneural.kernels import dtypes
    from pyneural.kernels.parallel import run
    from pyneural.kernels.simd import VECTOR_BYTES

    factor = np.full(1, 0.5, np.float32)
    sums = np.arange(ceilings.CHAINS * VECTOR_BYTES // 4, dtype=np.float32)
    expected = sums.copy()
    run(ceilings._compute[dtypes.float32], ceilings._Work(3, factor.ctypes.data, sums.ctypes.data), 1, 1)
    for _ in range(3):
        expected = expected * np.float32(0.5) + np.float32(0.5)
    np.testing.assert_allclose(sums, expected, rtol=1e-6)
    monkeypatch.setattr(ceilings, "SECONDS", 0.0)
    monkeypatch.setattr(ceilings, "_best", lambda work: (work(), 2.0)[1])
    monkeypatch.setattr(ceilings, "last_level_cache", lambda: 1 << 16)
    found = ceilings.measured()
    assert found["bytes"] == 4 * (1 << 16)
    assert found["flops"]["float32"] == 2 * found["flops"]["float64"]
    assert found["flops"]["bfloat16"] == found["flops"]["float32"]


def test_clocks_and_machine_are_stamped() -> None:
    assert set(machine.clocks()) == {"cpu_mhz", "load"}
    assert set(machine.clocks(gpu=True)) == {"cpu_mhz", "load", "gpu"}
    stamp = machine.machine()
    assert stamp["processor"]
    assert stamp["time"].endswith("Z")
