"""What runs under compute-sanitizer and under ncu: small contract samples on cuda, and nothing else.

Without CuPy's memory pool each array is an allocation of its own, so that an access behind its end is seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from pyneural.kernels import OPERATIONS, Operation, Sample, accuracy, dtypes

SMALL = 2_000  # elements of a sample
SEED = 20_240_601


def samples(operations: set[str], largest: int) -> Iterator[tuple[Operation, Any, Sample]]:
    """Of each operation the small samples of the dtypes that run on different kernels."""
    for name, operation in OPERATIONS.items():
        if operations and name not in operations:
            continue
        wanted = [each for each in (dtypes.float32, dtypes.bfloat16, dtypes.int64) if each in operation.dtypes]
        for dtype in wanted or operation.dtypes[:1]:
            for sample in operation.samples(np.random.default_rng(SEED), dtype):
                arrays = [each for each in (*sample.args, *sample.kwargs.values()) if isinstance(each, np.ndarray)]
                if sum(each.size for each in arrays) <= largest:
                    yield operation, dtype, sample


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", default="")
    parser.add_argument("--largest", type=int, default=SMALL)
    options = parser.parse_args()
    import cupy

    import pyneural

    cupy.cuda.set_allocator(None)
    subject = pyneural.device("cuda").kernels
    wrong = count = 0
    for operation, dtype, sample in samples({each for each in options.operations.split(",") if each}, options.largest):
        # A kernel that the sanitizer stops leaves an error behind: the next call would report it.
        verdict = accuracy.compare(operation, sample, subject)
        cupy.cuda.runtime.deviceSynchronize()
        count += 1
        if not verdict.ok:
            wrong += 1
            print(f"WRONG {operation.name} {dtype} {sample.name}: {verdict.message}")
    print(f"workload: {count} calls, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
