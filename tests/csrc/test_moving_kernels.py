"""CUDA kernels of the families that move elements, on what the contracts' samples do not reach: sizes that take
another kernel, and how many bytes go through memory."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.kernels import OPERATIONS, Sample, accuracy, backend, cuda_launch, dtypes

pytestmark = pytest.mark.simulator

CUDA = backend("cuda")
Array = Any


def _check(name: str, *args: Any, **kwargs: Any) -> None:
    """The contract's verdict, and no finding under two orders of blocks, warps and lanes."""
    for schedule in (None, 7):
        with cuda_launch.sanitized(schedule) as reports:
            verdict = accuracy.compare(OPERATIONS[name], Sample(args, kwargs), CUDA)
        assert verdict.ok, verdict.message
        assert reports
        assert all(each.ok for each in reports), [str(each) for each in reports if not each.ok]


def test_pooling_of_large_windows_and_spread_out_ones(rng: np.random.Generator) -> None:
    """A warp a window, and windows that span more of an image than a block holds."""
    x = rng.standard_normal((2, 2, 31, 29)).astype(np.float32)
    x[0, 0, 3, 4], x[1, 1, 5:20, 6] = np.nan, np.inf
    for attributes in ({"kernel_size": 11, "padding": 5, "stride": 3}, {"kernel_size": (31, 29)}, {"kernel_size": 6}):
        _check("max_pool2d", x, **attributes)
        _check("avg_pool2d", x, **attributes)
    ties = rng.integers(0, 2, (1, 1, 24, 26)).astype(np.float32)
    ties[0, 0, 7, 9] = ties[0, 0, 11, 3] = np.nan
    _check("max_pool2d", ties, kernel_size=12)
    wide = rng.standard_normal((1, 1, 90, 100)).astype(np.float64)
    _check("max_pool2d", wide, kernel_size=2, dilation=70)
    _check("adaptive_avg_pool2d", x[..., :28].copy(), output_size=(3, 2))


def test_gradient_of_overlapping_averages(rng: np.random.Generator) -> None:
    attributes = {
        "stride": 1, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None
    }  # fmt: skip
    grad = rng.standard_normal((1, 1, 61, 61)).astype(np.float64)
    _check("avg_pool2d_backward", grad, input_size=(120, 120), kernel_size=60, **attributes)


def test_scatter_add_by_each_of_its_ways(rng: np.random.Generator) -> None:
    """In shared memory: many planes a block, parts of a plane, columns; by sorting: few long lines, smaller indices."""
    for shape, count, dim in (((70, 5), 9, 1), ((2, 30_011), 40, 1), ((3, 37, 41), 50, 1), ((65_003,), 40_009, 0)):
        x = rng.standard_normal(shape).astype(np.float32)
        size = tuple(count if d == dim else n for d, n in enumerate(shape))
        index, source = rng.integers(0, shape[dim], size), rng.standard_normal(size).astype(np.float32)
        _check("scatter_add", x, index, source, dim=dim)


def test_many_terms_of_one_row(rng: np.random.Generator) -> None:
    """The warps of a block share a long sum, also where rows are no whole vectors."""
    for columns in (64, 37, 200):
        grad = rng.standard_normal((1_200, columns)).astype(np.float32)
        indices = np.where(rng.random(1_200) < 0.8, 3, rng.integers(0, 7, 1_200))
        _check("embedding_backward", grad, indices, num_embeddings=7, scale_grad_by_freq=columns == 37)


def test_index_put_moves_vectors(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 9, 16)).astype(np.float32)
    rows = np.array([3, -1, 3, 0, 3])
    for accumulate in (False, True):
        _check("index_put", x.copy(), x[:, :5].copy(), key=(slice(None), rows), accumulate=accumulate)
        _check(
            "index_put",
            x.copy(),
            x[:, :5, ::2].copy(),
            key=(slice(None), rows, slice(None, None, 2)),
            accumulate=accumulate,
        )


def test_padding_of_more_than_three_dimensions(rng: np.random.Generator) -> None:
    """Three dimensions are folded at a time."""
    shape, pad = (4, 3, 5, 4, 3), (1, 1, 2, 1, 0, 1, 1, 1, 2, 0)
    for mode in ("reflect", "replicate", "circular"):
        _check("pad", rng.standard_normal(shape), pad=pad, mode=mode)
        padded = tuple(n + pad[-2 * d - 2] + pad[-2 * d - 1] for d, n in enumerate(shape))
        grad = rng.standard_normal(padded)
        _check("pad_backward", grad, pad=pad, mode=mode, input_shape=shape)


def test_sums_along_few_long_columns(rng: np.random.Generator) -> None:
    """Columns are cut into chunks, very narrow ones turned into rows."""
    for shape in ((5_003, 9), (4_001, 3)):
        for name in ("cumsum", "cumsum_backward"):
            _check(name, (rng.standard_normal(shape) * 0.1).astype(np.float32), dim=0)


def test_unfolding_an_image_wider_than_a_block_holds(rng: np.random.Generator) -> None:
    _check("unfold", rng.standard_normal((1, 1, 3, 4_001)), kernel_size=2)


def test_sort_keeps_the_order_of_equal_keys(rng: np.random.Generator) -> None:
    sort = importlib.import_module("pyneural.kernels.random.cuda_sort").sort
    for n, below in ((1, 1), (2_047, 3), (2_049, 70_000), (5_000, 2**40), (5_000, 2**64)):
        keys = rng.integers(0, below, n, dtype=np.uint64)
        ordered, order = sort(keys, below)
        np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))
        np.testing.assert_array_equal(ordered, keys[order])


def test_division_by_multiplication(rng: np.random.Generator) -> None:
    """What the kernels compute of a dimension's `Divider` is the quotient, up to 2^31."""
    remap = importlib.import_module("pyneural.kernels.layout.cuda_remap")
    sizes = [1, 2, 3, 5, 7, 9, 31, 32, 33, 641, 224 * 224, 65_535, 65_536, 65_537, 2**30 - 1, 2**30 + 1, 2**31 - 1]
    for size in (*sizes, *rng.integers(1, 2**31, 50)):
        record = np.zeros((), remap.SIZES)
        remap.fill_sizes(record, (int(size),))
        assert record["small"]
        multiplier, shift = int(record["by"]["multiplier"][0]), int(record["by"]["shift"][0])
        near = [k * int(size) + step for k in (0, 1, 2, 5, 1_000, (2**31 - 1) // int(size)) for step in (-1, 0, 1)]
        for i in (*near, 2**31 - 1, *rng.integers(0, 2**31, 200).tolist()):
            if 0 <= i < 2**31:
                quotient = ((i * multiplier >> 32) + i) >> shift
                assert quotient == i // int(size), f"{i} / {size}"
    record = np.zeros((), remap.SIZES)
    remap.fill_sizes(record, (2**16, 2**15))
    assert not record["small"]


def test_more_features_than_a_block_takes(rng: np.random.Generator) -> None:
    """Attention in strips of 128 features, of values and of keys."""
    query, key, value = (rng.standard_normal((2, n, f)).astype(np.float32) for n, f in ((5, 150), (70, 150), (70, 133)))
    _check("scaled_dot_product_attention", query, key, value)
    output, logsumexp = backend("reference").scaled_dot_product_attention(query, key, value)
    grad = rng.standard_normal(output.shape).astype(np.float32)
    _check("scaled_dot_product_attention_backward", grad, query, key, value, output, logsumexp)


@pytest.fixture
def profiles(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """Every launch is profiled; the totals of all, in order."""
    totals: list[dict[str, float]] = []

    def launch(source: str, name: str, dtype: Any, grid: Any, block: Any, *arguments: Any) -> None:
        kernel = cuda_launch._kernel(source, name, dtype, "simulator")
        totals.append(cuda.profile(kernel)[grid, block](*arguments).total)

    families = ("layout", "padding", "pool", "random", "scan", "embedding", "fold")
    modules = [f"{family}.cuda" for family in families]
    for name in (
        *modules,
        "layout.cuda_remap",
        "layout.cuda_index",
        "embedding.cuda_selection",
        "embedding.cuda_add",
        "random.cuda_sort",
    ):
        module = importlib.import_module(f"pyneural.kernels.{name}")
        if hasattr(module, "launch"):
            monkeypatch.setattr(module, "launch", launch)
    return totals


def _calls(rng: np.random.Generator) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any], float]]:
    """Calls on large contiguous arrays, and the bytes moved as multiples of the least possible."""
    x = rng.standard_normal((256, 512)).astype(np.float32)
    image = rng.standard_normal((4, 8, 64, 128)).astype(np.float32)
    rows, stream = rng.permutation(256), {"seed": 1, "offset": 2}
    numbers = {"shape": (65_536,), **stream}
    yield "cat", ((x, x),), {"dim": 1}, 1.0
    yield "flip", (x,), {"dims": (0, 1)}, 1.0
    yield "roll", (x,), {"shifts": 64, "dims": 1}, 1.0
    yield "triu", (x,), {}, 0.88
    yield "pad", (image,), {"pad": (4, 4, 2, 2)}, 1.05
    yield "max_pool2d", (image,), {"kernel_size": 2}, 1.0
    yield "max_pool2d", (image,), {"kernel_size": 3, "stride": 2, "padding": 1}, 1.05
    yield "avg_pool2d", (image,), {"kernel_size": 2}, 1.0
    indices = rng.integers(0, 64 * 128, (4, 8, 32, 64))
    yield "max_pool2d_backward", (image[:, :, ::2, ::2].copy(), indices), {"input_size": (64, 128)}, 1.0
    yield "adaptive_avg_pool2d_backward", (image[:, :, ::8, ::8].copy(),), {"input_size": (64, 128)}, 1.0
    yield "random_bits", (), numbers, 1.0
    yield "normal", (), {**numbers, "dtype": dtypes.float32}, 1.0
    yield "uniform", (), {**numbers, "dtype": dtypes.float16}, 1.0
    yield "dropout", (x,), {"p": 0.5, **stream}, 1.0
    yield "cumsum", (x,), {"dim": 1}, 1.0
    yield "cumsum", (rng.standard_normal((32, 16, 512)).astype(np.float32),), {"dim": 1}, 1.0
    yield "embedding", (x, rows), {}, 1.05
    yield "gather", (x, np.broadcast_to(rows[:, None], x.shape).copy()), {"dim": 0}, 1.05
    yield "scatter_add", (x, np.broadcast_to(rows[:, None], x.shape).copy(), x), {"dim": 0}, 1.05
    yield "one_hot", (rows,), {"num_classes": 512}, 1.05
    yield "index", (x,), {"key": (rows,)}, 1.05


def test_bytes_moved(profiles: list[dict[str, float]], rng: np.random.Generator) -> None:
    """Each byte once: sectors of 32 bytes over what inputs and results hold."""
    moved = {}
    for name, args, kwargs, most in _calls(rng):
        specs = OPERATIONS[name].check(*args, **kwargs)
        outs = tuple(np.empty(each.shape, each.dtype) for each in (specs if isinstance(specs, tuple) else (specs,)))
        profiles.clear()
        getattr(CUDA, name)(*args, out=outs if isinstance(specs, tuple) else outs[0], **kwargs)
        sectors = sum(each["global_load_sectors"] + each["global_store_sectors"] for each in profiles)
        given = [
            each for value in (*args, *kwargs.values()) for each in (value if isinstance(value, tuple) else (value,))
        ]
        least = sum(each.nbytes for each in (*given, *outs) if isinstance(each, np.ndarray))
        if 32 * sectors > (most + 0.005) * least:
            moved[f"{name} {kwargs}"] = 32 * sectors / least, most
    assert not moved


def test_transposed_copies_go_through_tiles(rng: np.random.Generator) -> None:
    """Whatever dimension is beside in either array, whatever lies between; sides that fill no tile."""
    shapes = (
        ((65, 43), (1, 0)),
        ((3, 40, 2, 37), (0, 3, 2, 1)),
        ((2, 9, 70, 33), (1, 3, 0, 2)),
        ((50, 3, 34), (2, 0, 1)),
    )
    for dtype in (np.dtype("float32"), np.dtype("float64"), np.dtype("float16"), np.dtype("bool")):
        for shape, order in shapes:
            x = (rng.standard_normal(shape) * 2).astype(dtype)
            expected = x.transpose(order)
            target = np.zeros(expected.shape[::-1], dtype).T
            names: list[str] = []
            with cuda_launch.launched_by(lambda launch, names=names: names.append(launch.name)):  # type: ignore[misc]
                CUDA.cast(expected, dtype=dtype)
            assert names == [f"transpose_{dtype.itemsize}"]
            with cuda_launch.sanitized(3) as reports:
                result = CUDA.cast(expected, dtype=dtype)
                CUDA.cast(np.ascontiguousarray(expected), dtype=dtype, out=target)
            assert all(each.ok for each in reports), [str(each) for each in reports if not each.ok]
            np.testing.assert_array_equal(result, expected)
            np.testing.assert_array_equal(target, expected)


def test_reductions_on_both_sides_of_what_is_kept(rng: np.random.Generator) -> None:
    """Images by channel: rows first, then what is left of the images, and no copy of what is large."""
    x = (rng.standard_normal((5, 7, 6, 11)) * 0.1 + 1).astype(np.float32)
    for name in ("sum", "mean", "prod", "amax", "amin", "any", "all"):
        _check(name, x, dim=(0, 2, 3))
        _check(name, x, dim=(0, 3), keepdim=True)
        launches = []
        with cuda_launch.launched_by(launches.append):
            getattr(CUDA, name)(x, dim=(0, 2, 3))
        assert [each.source for each in launches] == ["reduce", "move", "reduce"]
