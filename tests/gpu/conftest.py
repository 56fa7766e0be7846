"""The tests of the device "cuda": on the machine's GPU, or on the stand-in for CuPy where there is none."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator

import pytest

from pyneural.cuda import gpu, nvrtc
from pyneural.device import _devices
from pyneural.kernels import gpu as engines
from pyneural.kernels.backend import _active

tensor_map = sys.modules["pyneural.cuda.tensor_map"]  # the package has a function of this name
STANDIN = pathlib.Path(__file__).resolve().parents[1] / "standin"
_CACHES = (gpu.available, gpu.obstacle, nvrtc.binding, nvrtc.headers, engines.engine)


_held: dict[str, object] = {}
"""The stand-in's modules once they are loaded: kernels that were compiled keep to them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", default="", help="contract tests of these operations only, comma-separated")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = {each for each in config.getoption("--operations", "").split(",") if each}
    if names:
        kept = []
        for item in items:
            given = item.callspec.params if hasattr(item, "callspec") else {}
            operation = given.get("operation", given.get("name"))
            if operation is None or getattr(operation, "name", operation) in names:
                kept.append(item)
        config.hook.pytest_deselected(items=[each for each in items if each not in kept])
        items[:] = kept


def _cupy() -> dict[str, object]:
    return {name: each for name, each in sys.modules.items() if name.split(".")[0] == "cupy"}


def _forget() -> None:
    for each in _CACHES:
        each.cache_clear()
    for known in (_devices, _active):
        for name in [name for name in known if name.startswith("cuda")]:
            del known[name]


@pytest.fixture(scope="module", autouse=True)
def standin() -> Iterator[bool]:
    """Whether the tests of this module run on the stand-in."""
    if gpu.available():
        yield hasattr(sys.modules["cupy"], "STANDIN")
        return
    before, driver = _cupy(), tensor_map.driver
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(STANDIN))
    sys.modules.update(_held)  # type: ignore[arg-type]
    _forget()
    try:
        yield True
    finally:
        sys.path.remove(str(STANDIN))
        _held.update(_cupy())
        for name in _held:
            del sys.modules[name]
        sys.modules.update(before)  # type: ignore[arg-type]
        tensor_map.driver = driver
        _forget()
