"""The CUDA ladders: every rung against its operation's reference, checked, and better in what its header names."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import cuda_ladders
from pyneural import cuda
from pyneural.cuda import Counters, ladder_header, ladders
from pyneural.cuda.ladders import Rung
from pyneural.kernels import OPERATIONS, backend
from pyneural.kernels.accuracy import compare
from pyneural.kernels.contract import Sample

pytestmark = pytest.mark.simulator

RUNGS = list(ladders.every())
PASSES = [(rung, pass_) for rung in RUNGS for pass_ in rung.passes]
CONTRACTED = [(rung, pass_) for rung, pass_ in PASSES if rung.ladder not in ("transpose", "histogram")]
"""The other two are no operation with a contract, and exact."""

SIZES = (0, 1, 7, 31, 256, 1000, 4099, 20001)
WINOGRAD = {("winograd_f4", None): 16.0, ("winograd_f2", "wgrad"): 2.0}
"""What Winograd's rungs may err by, in the contract's own bound: they cancel what they have multiplied before, by up to
8 for F(4x4, 3x3). Seen: 6.3 (wgrad), 3.9 (dgrad) and 2.7; F(2x2, 3x3) 0.9 in its wgrad, 0.3 in the others."""


def _name(value: Any) -> str:
    return f"{value.ladder}-{value.path.stem}" if isinstance(value, Rung) else str(value)


# (m, n, k)
_MATMUL = ((1, 1, 1), (5, 3, 0), (0, 3, 4), (67, 71, 37), (130, 132, 20), (33, 136, 72))
# (images, filters, stride, padding)
_CONV = (
    ((0, 2, 4, 4), (3, 2, 3, 3), 1, 1),
    ((2, 2, 5, 4), (3, 2, 3, 3), 1, 0),
    ((3, 17, 13, 11), (70, 17, 3, 3), 1, 1),
    ((1, 1, 7, 6), (2, 1, 3, 2), 2, 1),
    ((1, 5, 19, 17), (7, 5, 5, 5), 3, 2),
    ((1, 2, 3, 4), (2, 2, 3, 3), 1, 2),
)
# (heads, rows, keys, elements of a key, of a value)
_ATTENTION = ((1, 1, 1, 1, 1), (0, 3, 3, 4, 4), (1, 3, 0, 4, 4), (2, 33, 40, 16, 5), (1, 67, 130, 13, 16))


def _calls(rung: Rung, pass_: str, rng: np.random.Generator) -> Iterator[tuple[str, Sample, dict[str, int]]]:
    """The operation, a call of it, and the attributes that the rung takes for it."""
    dtype = rung.header.passes[pass_].inputs[0].dtype

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    if rung.ladder == "matmul":
        for m, n, k in _MATMUL:
            yield "matmul", Sample((normal(m, k), normal(k, n))), {}
    elif rung.ladder == "conv":
        for x_shape, w_shape, stride, padding in _CONV:
            if "winograd" in rung.name and (stride != 1 or w_shape[2:] != (3, 3)):
                continue
            yield _convolution(rung, pass_, normal(*x_shape), w_shape, stride, padding, normal)
    elif rung.ladder == "attention":
        for heads, rows, keys, e, ev in _ATTENTION:
            arrays = (normal(heads, rows, e), normal(heads, keys, e), normal(heads, keys, ev))
            for causal in (False, True):
                yield "scaled_dot_product_attention", Sample(arrays, {"is_causal": causal}), {"causal": int(causal)}
    elif rung.ladder == "softmax":
        beyond_registers = [(1, 33_001)] if rung.name == "cluster" else []
        for shape in ((0, 3), (1, 1), (5, 7), (3, 33), (13, 300), (2, 1500), (9, 64), (2, 9001), *beyond_registers):
            yield "softmax", Sample((normal(*shape) * 5,), {"dim": 1}), {}
        wide = normal(4, 70)
        wide[0, 3], wide[1, :5], wide[2, 5] = np.inf, -np.inf, np.nan
        wide[3] = -np.inf
        yield "softmax", Sample((wide,), {"dim": 1}), {}
    elif rung.ladder == "scan":
        for n in SIZES:
            yield "cumsum", Sample((normal(n),), {"dim": 0}), {}
        infinite = normal(2000)
        infinite[1500] = np.inf
        yield "cumsum", Sample((infinite,), {"dim": 0}), {}
    elif rung.ladder == "reduce":
        for n in SIZES:
            yield "sum", Sample((normal(n),)), {}


OPERATION = {
    "matmul": "matmul", "attention": "scaled_dot_product_attention", "softmax": "softmax", "scan": "cumsum",
    "reduce": "sum", "forward": "conv2d", "dgrad": "conv2d_dgrad", "wgrad": "conv2d_wgrad",
}  # fmt: skip
LARGEST = 60_000
"""Elements of a contract's sample that is run here."""


def _contract_calls(rung: Rung, pass_: str, rng: np.random.Generator) -> Iterator[tuple[str, Sample, dict[str, int]]]:
    """The samples of the operation's contract that a rung's parameters can express, as contiguous arrays."""
    name = OPERATION[pass_ if rung.ladder == "conv" else rung.ladder]
    dtype = np.dtype(rung.header.passes[pass_].inputs[0].dtype)
    for sample in OPERATIONS[name].samples(rng, dtype):
        arrays = [each for each in sample.args if each is not None]
        if sum(each.size for each in arrays) > LARGEST or not all(isinstance(each, np.ndarray) for each in arrays):
            continue
        attributes = _expressed(rung, pass_, arrays, sample.kwargs)
        if attributes is not None:
            yield name, Sample(tuple(np.ascontiguousarray(each) for each in arrays), sample.kwargs), attributes


def _expressed(rung: Rung, pass_: str, arrays: list[np.ndarray], given: dict[str, Any]) -> dict[str, int] | None:
    """The attributes that a rung takes for a contract's sample; None where it has none for it."""
    inputs = rung.header.passes[pass_].inputs
    if [each.ndim for each in arrays] != [len(each.shape) for each in inputs]:
        return None
    if rung.ladder == "softmax":
        return {} if given["dim"] in (1, -1) else None
    if rung.ladder == "attention":
        q, _, v = arrays
        fits = len({each.shape[0] for each in arrays}) == 1 and 1 <= max(q.shape[2], v.shape[2]) <= 128 and q.shape[2]
        return {"causal": int(given.get("is_causal", False))} if fits and given.get("scale") is None else None
    if rung.ladder != "conv":
        return {}
    stride, padding, dilation = (
        _one(given.get(key, usual)) for key, usual in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    groups = given.get("groups", 1)
    taps = tuple(given["kernel_size"]) if pass_ == "wgrad" else arrays[1].shape[2:]
    if rung.name == "depthwise":
        channels = arrays[0].shape[1]
        fits = channels == groups == (arrays[1].shape[1] if pass_ == "wgrad" else arrays[1].shape[0])
    else:
        fits = groups == 1
    if "winograd" in rung.name:
        fits = fits and stride == 1 and taps == (3, 3) and padding is not None and padding <= 2
    if not fits or stride is None or padding is None or dilation != 1 or given.get("activation"):
        return None
    extra = {"forward": {}, "dgrad": dict(zip(("height", "width"), given.get("input_size", ()), strict=False))}
    return {"stride": stride, "padding": padding} | extra.get(pass_, dict(zip(("r", "s"), taps, strict=True)))


def _one(value: int | tuple[int, int]) -> int | None:
    """The attribute of both directions; None where they differ."""
    both = value if isinstance(value, tuple) else (value, value)
    return int(both[0]) if both[0] == both[1] else None


def _convolution(
    rung: Rung, pass_: str, x: np.ndarray, w_shape: tuple[int, ...], stride: int, padding: int, normal: Any
) -> tuple[str, Sample, dict[str, int]]:
    groups = 1
    if rung.name == "depthwise":
        groups = x.shape[1]
        w_shape = (groups, 1, *w_shape[2:])
    w = normal(*w_shape)
    sizes = {"stride": stride, "padding": padding}
    if pass_ == "forward":
        return "conv2d", Sample((x, w), {**sizes, "groups": groups}), sizes
    sample = {**sizes, "dilation": 1, "groups": groups}
    out = [(have + 2 * padding - taps) // stride + 1 for have, taps in zip(x.shape[2:], w_shape[2:], strict=True)]
    dy = normal(x.shape[0], w_shape[0], *out)
    if pass_ == "dgrad":
        height, width = x.shape[2:]
        return (
            "conv2d_dgrad",
            Sample((dy, w), {**sample, "input_size": (height, width)}),
            sizes
            | {
                "height": height,
                "width": width,
            },
        )
    taps = {"r": w_shape[2], "s": w_shape[3]}
    return "conv2d_wgrad", Sample((dy, x), {**sample, "kernel_size": w_shape[2:]}), sizes | taps


def _checked(rung: Rung, inputs: tuple[Any, ...], **options: Any) -> Any:
    """The rung's result in a shuffled schedule; fails for any finding."""
    result, reports = rung.sanitize(*inputs, schedule=7, **options)
    shapes = [each.shape for each in inputs]
    for report in reports:
        assert not report.findings, f"{rung!r} on {shapes}: {report.findings[0]}"
        assert report.failure is None, f"{rung!r} on {shapes}: {report.failure}"
    return result


def _judge(rung: Rung, operation: str, sample: Sample, **options: Any) -> None:
    """The contract's rule for errors, on a backend whose one operation is the rung."""
    reference = backend("reference")

    def call(*args: Any, out: Any, **attributes: Any) -> None:
        result = _checked(rung, args, **options)
        if isinstance(out, tuple):  # attention's logarithm of the sums is no rung's result
            out[0][...] = result
            out[1][...] = getattr(reference, operation)(*args, **attributes)[1]
        else:
            assert result.shape == out.shape
            out[...] = result

    subject: Any = SimpleNamespace(engine=reference.engine, name="rung", **{operation: call})
    report = compare(OPERATIONS[operation], sample, subject)
    shapes = [each.shape for each in sample.args]
    share = WINOGRAD.get((rung.name, None), WINOGRAD.get((rung.name, options.get("pass_")), 1.0))
    if share > 1:  # where there is a NaN the error is infinite
        assert report.ok or report.error <= share * report.allowed, f"{shapes}: {report.message}"
    else:
        assert report.ok, f"{rung!r} on {shapes}: {report.message}"


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("rung", "pass_"), CONTRACTED, ids=_name)
def test_rung_is_right_and_clean(rung: Rung, pass_: str, rng: np.random.Generator) -> None:
    for operation, sample, attributes in _calls(rung, pass_, rng):
        _judge(rung, operation, sample, pass_=pass_, **attributes)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("rung", "pass_"), CONTRACTED, ids=_name)
def test_rung_fulfils_the_contract(rung: Rung, pass_: str, rng: np.random.Generator) -> None:
    count = 0
    for operation, sample, attributes in _contract_calls(rung, pass_, rng):
        _judge(rung, operation, sample, pass_=pass_, **attributes)
        count += 1
    assert count


@pytest.mark.parametrize("rung", ladders.ladder("transpose"), ids=_name)
def test_transpose(rung: Rung, rng: np.random.Generator) -> None:
    for shape in ((0, 3), (1, 1), (5, 7), (33, 65), (64, 36), (100, 97)):
        x = rng.standard_normal(shape).astype(np.float32)
        np.testing.assert_array_equal(_checked(rung, (x,)), x.T)


@pytest.mark.parametrize("rung", ladders.ladder("histogram"), ids=_name)
def test_histogram(rung: Rung, rng: np.random.Generator) -> None:
    for n, bins in ((0, 5), (1, 1), (1000, 7), (20001, 256), (5000, 5003)):
        x = rng.integers(-2, bins + 3, n).astype(np.int32)
        wanted = np.bincount(x[(x >= 0) & (x < bins)], minlength=bins)
        np.testing.assert_array_equal(_checked(rung, (x,), bins=bins), wanted)


def test_two_passes_give_the_same_bits(rng: np.random.Generator) -> None:
    """In any order of blocks; the rung before, whose warps add as they end, does not."""
    x = rng.standard_normal(20001).astype(np.float32)

    def results(number: int) -> set[float]:
        rung = ladders.rung("reduce", number)
        return {float(rung.sanitize(x, schedule=seed)[0]) for seed in range(20)}

    assert len(results(8)) == 1
    assert len(results(7)) > 1


def test_every_candidate_is_right(rng: np.random.Generator) -> None:
    rung = ladders.rung("matmul", 8)
    assert len(rung.candidates) > 1
    for candidate in rung.candidates:
        a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((67, 37), (37, 71)))
        _judge(rung, "matmul", Sample((a, b)), candidate=candidate)


def test_persistent_blocks_take_more_than_one_tile(rng: np.random.Generator) -> None:
    rung = ladders.rung("matmul", 14)
    a, b = (rng.standard_normal(shape).astype(np.float16) for shape in ((11 * 128 - 5, 8), (8, 13 * 128 - 3)))
    assert rung.prepare(a, b).calls[-2].grid == (132,)
    c = rung.run(a, b)
    wanted = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(c, wanted, rtol=2e-3, atol=2e-3)


@functools.cache
def _counters(ladder: str, number: int) -> Counters:
    return cuda_ladders.counted(ladders.rung(ladder, number))


@pytest.mark.parametrize("rung", [each for each in RUNGS if each.header.improves], ids=_name)
def test_rung_improves_what_its_header_names(rung: Rung) -> None:
    improves, before = rung.header.improves, cuda_ladders.compared(rung)
    assert improves is not None
    assert before is not None
    now, then = (
        cuda_ladders.value(each, _counters(each.ladder, each.number), improves.quantity, improves.unit)
        for each in (rung, before)
    )
    assert then > 0
    assert now <= cuda_ladders.FALLS * then, f"{improves.quantity} per {improves.unit}: {then:.4g}, then {now:.4g}"


@pytest.mark.parametrize("rung", RUNGS, ids=_name)
def test_headers(rung: Rung) -> None:
    """The idea, what limits it now, and what it improves, on every rung but a ladder's first."""
    assert re.match(r"\w.{3,70}?: \S", rung.header.text)
    assert "imited" in rung.header.text
    assert (rung.header.improves is None) == (rung.number == 1)


def test_ladders_are_numbered_without_gaps() -> None:
    asked = {"attention", "conv", "histogram", "matmul", "reduce", "scan", "softmax", "transpose"}
    assert set(ladders.names()) == asked
    for name in asked:
        assert [rung.number for rung in ladders.ladder(name)] == list(range(1, len(ladders.ladder(name)) + 1))
    for number in (6, 7, 8, 9):
        assert ladders.rung("conv", number).passes == ["forward", "dgrad", "wgrad"]


def test_table_is_fresh() -> None:
    result = json.loads(cuda_ladders.RESULT.read_text())
    assert cuda_ladders.PAGE.read_text() == cuda_ladders.page(result), "run: python -m bench.cuda_ladders"
    assert list(result["rungs"]) == [f"{rung.ladder}/{rung.path.stem}" for rung in RUNGS]
    stale = [name for name, row in result["rungs"].items() if row["source"] != _digests()[name]]
    assert not stale, "run: python -m bench.cuda_ladders"
    spilled = [name for name, row in result["rungs"].items() if any(kernel["spills"] for kernel in row["kernels"])]
    assert not spilled


def _digests() -> dict[str, str]:
    return {f"{rung.ladder}/{rung.path.stem}": cuda_ladders.digest(rung) for rung in RUNGS}


@pytest.mark.parametrize("ladder", ["matmul", "reduce"])
def test_table_has_the_counters_of_today(ladder: str) -> None:
    """Another compiler may keep other loads: within a tenth."""
    rows = json.loads(cuda_ladders.RESULT.read_text())["rungs"]
    for rung in ladders.ladder(ladder):
        if (improves := rung.header.improves) and improves.unit != "request":
            now = cuda_ladders.value(rung, _counters(ladder, rung.number), improves.quantity, improves.unit)
            written = rows[f"{ladder}/{rung.path.stem}"]["counters"][improves.quantity]
            assert now == pytest.approx(written, rel=0.1, abs=1e-9)


def _mutated(tmp_path: pathlib.Path, rung: Rung, old: str, new: str) -> Rung:
    folder = tmp_path / rung.ladder
    folder.mkdir()
    text = rung.path.read_text()
    assert old in text
    (folder / rung.path.name).write_text(text.replace(old, new, 1))
    return Rung(folder / rung.path.name)


@pytest.mark.parametrize(
    ("number", "old", "new", "match"),
    [
        (3, "__syncthreads();  // nobody", "// nobody", "race"),
        (2, "if (row >= m || column >= n) return;", "if (row >= m) return;", "out_of_bounds"),
        (2, "i < k;", "i < k - 1;", "error"),
    ],
    ids=["barrier", "guard", "last term"],
)
def test_a_wrong_rung_is_found(
    tmp_path: pathlib.Path, number: int, old: str, new: str, match: str, rng: np.random.Generator
) -> None:
    wrong = _mutated(tmp_path, ladders.rung("matmul", number), old, new)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((67, 70), (70, 71)))
    with pytest.raises(AssertionError, match=match):
        _judge(wrong, "matmul", Sample((a, b)))


def test_calls_that_do_not_fit_are_refused() -> None:
    rung, x = ladders.rung("matmul", 1), np.ones((3, 4), np.float32)
    with pytest.raises(ValueError, match=r"b has shape \(3, 4\), where k must be 4"):
        rung.run(x, x)
    with pytest.raises(TypeError, match="takes 2 arrays, got 1"):
        rung.run(x)
    with pytest.raises(TypeError, match="does not take stride"):
        rung.run(x, x.T.copy(), stride=2)
    with pytest.raises(ValueError, match="must have 2 dimensions, not 1"):
        rung.run(x[0], x)
    with pytest.raises(ValueError, match=r"pass \(='dgrad'\) must be one of forward"):
        rung.run(x, x, pass_="dgrad")
    images, filters = np.ones((1, 1, 8, 8), np.float32), np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(ValueError, match=r"takes only stride == 1 .*\(.*stride=2"):
        ladders.rung("conv", 7).run(images, filters, stride=2)
    with pytest.raises(ValueError, match="has no rung 99"):
        ladders.rung("matmul", 99)
    with pytest.raises(ValueError, match="must be one of attention, conv"):
        ladders.ladder("sorting")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ("takes: a[n]", r"x.cu:1: takes: expected 'INPUTS -> OUTPUTS'"),
        ("launch: kernel(a)", r"x.cu:1: launch: expected 'KERNEL"),
        ("improves: speed", r"x.cu:1: improves: expected 'QUANTITY per UNIT"),
        ("takes: a[n] -> c[n]", r"a rung needs takes: and launch:"),
    ],
)
def test_headers_that_do_not_parse_are_refused(entry: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ladder_header.read(f"// {entry}\n", "x.cu")


def test_expressions() -> None:
    scope = {"m": 33, "TILE": 32}
    assert ladder_header.evaluate("ceil(m, TILE) * 2 + m / TILE - m % 2", scope) == 4
    assert ladder_header.evaluate("pick(m == 33 and TILE >= 32, min(m, 5), 0)", scope) == 5
    for text in ("n", "m.__class__", "open(m)", "m if m else 0", "'a'"):
        with pytest.raises(ValueError, match=r"unknown name|cannot evaluate"):
            ladder_header.evaluate(text, scope)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
@pytest.mark.parametrize(("rung", "pass_"), PASSES, ids=_name)
def test_nvcc_takes_every_kernel_without_spills(rung: Rung, pass_: str, rng: np.random.Generator) -> None:
    if pass_ == "forward":
        its = cuda_ladders.problem(rung)
        calls = rung.prepare(*its.inputs, **its.attributes).calls
    else:
        calls = []
        for _, sample, attributes in _calls(rung, pass_, rng):
            calls = rung.prepare(*sample.args, pass_=pass_, **attributes).calls or calls
    found: list[cuda.Resources] = rung.resources(calls)
    assert len(found) == len(calls) > 0
    assert not [each for each in found if each.spill_stores or each.spill_loads]
