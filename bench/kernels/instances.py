"""Which kernels there are: noted down from the launchers, for each architecture, so that no list can fall behind.

Every sample of every contract, the large calls of `shapes` and `products` and those of `odd_sizes` are launched on
paper: geometry and instance are those of a real call, and nothing runs.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyneural.kernels import OPERATIONS, Operation, Sample, backend, cuda_gemm, cuda_launch, dtypes, precision

from . import odd_sizes, products, shapes

ARCHITECTURES = {
    "sm_75": (7, 5), "sm_80": (8, 0), "sm_86": (8, 6), "sm_89": (8, 9), "sm_90a": (9, 0), "sm_100": (10, 0),
    "sm_120": (12, 0),
}  # fmt: skip
"""What machine code is made for, and the compute capability that chooses among the kernels."""


class Instance(NamedTuple):
    """A kernel of ``csrc/kernels/<source>.cu``, with its template's arguments, for elements of ``dtype``."""

    source: str
    name: str
    dtype: str | None

    def __str__(self) -> str:
        return f"{self.source}: {self.name}" + (f", {self.dtype}" if self.dtype else "")


@dataclass
class Use:
    """The largest blocks that an instance is launched with, and their dynamic shared memory in bytes."""

    threads: int = 0
    shared: int = 0


def instance_of(launch: cuda_launch.Launch) -> Instance:
    """The kernel of a launch, its name written as everywhere here."""
    name = re.sub(r"\s+", " ", launch.name.strip())
    return Instance(launch.source, name, None if launch.dtype is None else launch.dtype.name)


def _calls(operations: Collection[Operation]) -> Iterator[tuple[Operation, Sample]]:
    """Every call; the precision of float32's products is set while one is out."""
    for operation in operations:
        for dtype in operation.dtypes:
            for sample in operation.samples(np.random.default_rng(0), dtype):
                yield operation, sample
    names = {operation.name for operation in operations}
    for case in shapes.CASES:
        for dtype in case.dtypes if case.operation in names else ():
            yield OPERATIONS[case.operation], case.sample(dtype)
    yield from odd_sizes.calls(names)
    before = precision.get_float32_matmul_precision()
    try:
        for each in precision.PRECISIONS:
            precision.set_float32_matmul_precision(each)
            yield from products.calls(names, dtypes.FLOATS if each == before else (dtypes.float32,))
    finally:
        precision.set_float32_matmul_precision(before)


def recorded(
    architectures: Iterable[str] = ARCHITECTURES, operations: Collection[Operation] = ()
) -> dict[str, dict[Instance, Use]]:
    """For each architecture the instances that its launchers choose, in the order of their names.

    Of all operations unless some are given.
    """
    found: dict[str, dict[Instance, Use]] = {each: {} for each in architectures}
    cuda = backend("cuda")
    before = cuda_gemm.simulated_architecture
    try:
        for operation, sample in _calls(operations or OPERATIONS.values()):
            for arch, uses in found.items():
                cuda_gemm.simulated_architecture = ARCHITECTURES[arch]
                with cuda_launch.launched_by(functools.partial(_note, uses, sample)):
                    getattr(cuda, operation.name)(*sample.args, **sample.kwargs)
        for uses in () if operations else found.values():  # what is no operation: `Tensor.fill_`, `zeros`
            with cuda_launch.launched_by(functools.partial(_note, uses, Sample(()))):
                for dtype in (dtypes.uint8, dtypes.int16, dtypes.int32, dtypes.int64):
                    cuda_launch.fill(np.empty(1000, dtype), 0)
    finally:
        cuda_gemm.simulated_architecture = before
    return {arch: dict(sorted(uses.items(), key=lambda item: _order(item[0]))) for arch, uses in found.items()}


def _order(instance: Instance) -> tuple[str, str, str]:
    return instance.source, instance.dtype or "", instance.name


def _note(uses: dict[Instance, Use], sample: Sample, launch: cuda_launch.Launch) -> None:
    use = uses.setdefault(instance_of(launch), Use())
    use.threads = max(use.threads, int(np.prod(launch.block)))
    use.shared = max(use.shared, launch.shared)
    # A launcher may read back a count and launch again for so many: one, here.
    for each in arrays(launch.arguments):
        if each.dtype == np.int64 and not any(np.may_share_memory(each, x) for x in sample_arrays(sample)):
            each.fill(1)


def arrays(value: Any) -> Iterator[np.ndarray]:
    """The arrays in a call's arguments, those in lists, keys and structures too."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from arrays(each)
    elif isinstance(value, dict):
        yield from arrays(tuple(value.values()))
    elif hasattr(value, "arrays"):
        yield from arrays(value.arrays)


def sample_arrays(sample: Sample) -> list[np.ndarray]:
    """The arrays of a call."""
    return list(arrays((sample.args, sample.kwargs)))


def units(uses: dict[Instance, Use]) -> dict[tuple[str, str | None], list[str]]:
    """Sources and element types, which are compiled together, and the kernels of each."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for source, name, dtype in uses:
        found.setdefault((source, dtype), []).append(name)
    return found
