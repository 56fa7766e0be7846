"""`pyneural tune matmul --device cuda`: which tiles race, who is kept, and that the launcher takes it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import pyneural
from pyneural import cuda, functional, kernels
from pyneural.bench import subjects, tune
from pyneural.cli import app
from pyneural.cli.console import console
from pyneural.kernels import cuda_gemm, cuda_launch, dtypes, tuning
from pyneural.kernels.matmul import cuda_hopper, cuda_tiles

pytestmark = pytest.mark.simulator

SIZE = 40


@pytest.fixture
def kept(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(tuning, "cache_folder", lambda: tmp_path / "numba")
    monkeypatch.setattr(subjects, "sets", lambda nbytes, cache: 2)
    for cache in (tuning._kept, cuda_tiles._warn):
        cache.cache_clear()
    yield tmp_path / "tuned.json"
    tuning._kept.cache_clear()


def _launched(call: Any) -> list[str]:
    """The kernels that a call launches, none of which runs."""
    found: list[str] = []
    with cuda_launch.launched_by(lambda launch: found.append(launch.name)):
        call()
    return found


def _tile(a: pyneural.Tensor, b: pyneural.Tensor) -> str:
    """Of a product's kernel."""
    (name,) = _launched(lambda: a @ b)
    return name.partition("<")[2].partition(",")[0]


def _square(size: int, dtype: Any = dtypes.float32) -> pyneural.Tensor:
    return pyneural.zeros(size, size, dtype=dtype, device="cuda")


def _key(size: int, dtype: Any = dtypes.float32) -> str:
    return cuda_tiles.key(size, size, size, _square(2, dtype).array)


@pytest.mark.parametrize(
    ("size", "dtype", "architecture", "precision", "names"),
    [
        (512, dtypes.float32, (9, 0), "highest", ["Medium", "Small", "Large"]),
        (16, dtypes.float32, (9, 0), "highest", ["Small", "Medium", "Large"]),
        (4096, dtypes.float32, (8, 0), "high", ["Tf32x3Large", "Small", "Tf32x3Medium"]),
        (4096, dtypes.float32, (7, 5), "medium", ["Large", "Small", "Medium"]),
        (4096, dtypes.float64, (9, 0), "high", ["Medium", "Small"]),
        (4096, dtypes.float16, (9, 0), "highest", ["Pair", "Wide", "Square", "Warpgroup", "Small", "Medium", "Large"]),
        (64, dtypes.bfloat16, (9, 0), "highest", ["Medium", "Small", "Large"]),
        (4096, dtypes.bfloat16, (8, 0), "highest", ["Large", "Small", "Medium"]),
        (4096, dtypes.bfloat16, (7, 5), "highest", ["Small"]),
    ],
)
def test_tiles_that_fit(
    size: int, dtype: Any, architecture: Any, precision: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one used without tuning first; those whose sums the registers hold, in the precision that is set."""
    monkeypatch.setattr(cuda_gemm, "simulated_architecture", architecture)
    before = pyneural.get_float32_matmul_precision()
    pyneural.set_float32_matmul_precision(precision)
    try:
        found = cuda_tiles.fitting(size, size, size, np.empty((1,), dtype))
    finally:
        pyneural.set_float32_matmul_precision(before)
    assert list(found) == names
    assert all(name == tile.name for name, tile in found.items())


def test_every_tile_is_timed_and_the_winner_kept(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    chosen = cuda_tiles.chosen

    def seen(*arguments: Any) -> Any:
        found = chosen(*arguments)
        used.append(found.name)
        return found

    monkeypatch.setattr(cuda_tiles, "chosen", seen)
    found = tune.matmul_on_gpu(SIZE, "float32", rounds=2, round_seconds=0.0)
    monkeypatch.undo()
    assert list(found.tried) == ["Medium", "Small", "Large"]
    assert set(used) == set(found.tried)
    assert all(seconds > 0 for seconds in found.tried.values())
    assert found.winner.tile in found.tried
    assert not cuda_tiles._forced


def test_the_launcher_takes_the_tile_that_is_kept(kept: Any) -> None:
    assert _key(SIZE).startswith(f"{cuda.get_device_name()}, matmul 64x64x64 float32")
    x = _square(SIZE)
    assert _tile(x, x) == "Medium"  # read before the file was there
    tune.keep([tune.Found(SIZE, _key(SIZE), {}, tuning.Tiling("Large"), 2.0)])
    assert kept.exists()
    assert _tile(x, x) == "Large"
    assert _launched(lambda: functional.linear(x, x))[0].startswith("matmul<Large,")
    assert _tile(_square(SIZE, dtypes.float64), _square(SIZE, dtypes.float64)) == "Medium"
    assert _tile(_square(2 * SIZE), _square(2 * SIZE)) == "Medium"
    batch = pyneural.zeros(3, SIZE, SIZE, device="cuda")
    assert _tile(batch, batch) == "Medium"  # of a batch, the class says nothing
    with cuda_tiles.forced("Small"):
        assert _tile(x, x) == "Small"
    simulator = pyneural.zeros(SIZE, SIZE, device="simulator")
    assert _tile(simulator, simulator) == "Medium"


def test_a_product_in_the_tile_that_is_kept(kept: Any, rng: np.random.Generator) -> None:
    a, b = (rng.standard_normal((SIZE, SIZE)).astype(np.float32) for _ in range(2))
    for tile in ("Large", "Small"):
        tuning.store({_key(SIZE): tuning.Tiling(tile)})
        result = (pyneural.tensor(a, device="cuda") @ pyneural.tensor(b, device="cuda")).cpu().numpy()
        np.testing.assert_allclose(result, a.astype(np.float64) @ b, atol=1e-4)


def test_tiles_of_tma_are_for_operands_that_it_can_describe(kept: Any, standin: bool) -> None:
    if cuda_gemm.architecture(_square(2).array) != (9, 0):
        pytest.skip("only GPUs of compute capability 9.0 have them")
    x = _square(SIZE * 2, dtypes.float16)
    assert _tile(x, x) == "Square"
    tuning.store({_key(SIZE * 2, dtypes.float16): tuning.Tiling("Pair")})
    assert _tile(x, x) == "Pair"
    odd = pyneural.zeros(SIZE * 2, SIZE * 2 + 1, dtype=dtypes.float16, device="cuda")[:, 1:]
    assert _tile(odd, odd) == "Medium"
    tuning.store({_key(SIZE * 2, dtypes.float16): tuning.Tiling("Large")})
    assert _tile(x, x) == "Large"
    assert cuda_hopper.plan(x.array, x.array, ()) is not None


def test_a_tile_that_is_none_is_warned_of_once(kept: Any) -> None:
    x = _square(SIZE)
    tuning.store({_key(SIZE): tuning.Tiling("Huge"), "another": tuning.Blocking(1, 2)})
    with pytest.warns(UserWarning, match=r"tuned\.json: 'Huge' is no tile for '.*float32' \(there are Medium, Small"):
        assert _tile(x, x) == "Medium"
    assert _tile(x, x) == "Medium"
    with cuda_tiles.forced("Huge"), pytest.raises(ValueError, match="the tile 'Huge' is none of Medium, Small, Large"):
        _tile(x, x)


@pytest.mark.parametrize("text", ["{", '{"%s": {"tile": 3}}', '{"%s": {"tile": "Large", "rows": 3}}'])
def test_a_broken_file_is_warned_of_and_not_used(text: str, kept: Any) -> None:
    kept.write_text(text.replace("%s", _key(SIZE)))
    x = _square(SIZE)
    with pytest.warns(UserWarning, match=r"tuned\.json is not used, delete it or run `pyneural tune` again"):
        assert _tile(x, x) == "Medium"
    assert _tile(x, x) == "Medium"


def test_a_wrong_tile_is_refused(kept: Any) -> None:
    def prepare(tile: str) -> subjects.Prepare:
        honest = tune._prepare_tile(tile)

        def planted(kind: str, options: dict[str, Any]) -> subjects.Subject:
            subject = honest(kind, options)
            return subject._replace(run=lambda: subject.run() * (1.001 if tile == "Large" else 1.0))

        return planted

    with pytest.raises(ArithmeticError, match=r"Large, matmul 40 float32: error .* is above 1e-05"):
        tune.matmul_on_gpu(SIZE, "float32", rounds=2, round_seconds=0.0, prepare=prepare)


def test_the_command_keeps_the_winner(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = functools.partial(tune.matmul_on_gpu, rounds=2, round_seconds=0.0)
    monkeypatch.setattr(tune, "matmul_on_gpu", quick)
    console.width = 200
    result = CliRunner().invoke(app, ["tune", "matmul", "--device", "cuda", "--sizes", str(SIZE)])
    assert result.exit_code == 0, result.output
    assert f"matmul, float32, {cuda.get_device_name()}: tiles" in result.output
    assert list(tuning.load(kept)) == [_key(SIZE)]
    winner = tuning.tile(_key(SIZE))
    x = _square(SIZE)
    assert _tile(x, x) == winner
    assert kernels.active("cuda:0") is pyneural.device("cuda").kernels
