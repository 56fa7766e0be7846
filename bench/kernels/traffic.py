"""What memory-bound kernels move, counted in the simulator: ``python -m bench.kernels.traffic [NAME ...]``.

All launches of a call are counted together and held against `shapes.least`. The results, in
``bench/results/traffic.json``, are of the access pattern, not of time; caches are not modelled, so what a second pass
finds in a GPU's L2 counts as moved again. ``--check`` compares with what is kept and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any
from unittest import mock

import numpy as np
from rich.progress import track

from pyneural import cuda
from pyneural.cuda import toolchain
from pyneural.cuda.profile import SECTOR, Counters
from pyneural.kernels import OPERATIONS, Sample, backend, cuda_launch, memory

from ..harness import RESULTS
from . import instances, reasons, shapes

PATH = RESULTS / "traffic.json"
LIMITS = {"over_least": 1.05, "bank_conflict_ways": 1.1}
"""Bytes over the least possible, and bank-conflict ways, that need no reason."""


def count(case: shapes.Case, dtype: Any) -> dict[str, Any]:
    """A call's counters: a row of the table."""
    sample = case.sample(dtype)
    least = shapes.least(case, sample)
    sample = Sample(_owned(sample.args), _owned(sample.kwargs))
    total = Counters()
    launches: dict[instances.Instance, dict[str, Any]] = {}

    def run(launch: cuda_launch.Launch) -> None:
        profile = cuda.profile(launch.simulated())[launch.grid, launch.block, launch.shared](*launch.arguments)
        assert profile.failure is None, profile.failure
        total.merge(profile.total)
        use = launches.setdefault(
            instances.instance_of(launch), {"launches": 0, "bytes": 0, "threads": 0, "shared": launch.shared}
        )
        use["launches"] += 1
        use["bytes"] += _bytes(profile.total)
        use["threads"] = max(
            use["threads"], math.prod(launch.block) if isinstance(launch.block, tuple) else launch.block
        )

    with cuda_launch.launched_by(run), mock.patch.object(memory, "empty", _own):
        operation = OPERATIONS[case.operation]
        specs = operation.check(*sample.args, **sample.kwargs)
        out = None if specs is None else tuple(_own(each.shape, each.dtype) for each in _several(specs))
        results = {} if out is None else {"out": out if isinstance(specs, tuple) else out[0]}
        getattr(backend("cuda"), case.operation)(*sample.args, **sample.kwargs, **results)
    requests = total["global_load_requests"] + total["global_store_requests"]
    needed = total["global_load_bytes_needed"] + total["global_store_bytes_needed"]
    assert not total["atomic_global_requests"], (
        f"{case.name}: atomics of global memory move bytes that nothing here counts"
    )
    return {
        "case": case.name,
        "dtype": dtype.name,
        "least": least,
        "bytes": _bytes(total),
        "over_least": round(_bytes(total) / least, 3),
        "sectors_per_request": round(_bytes(total) / SECTOR / max(requests, 1), 2),
        "fewest_sectors_per_request": round(needed / SECTOR / max(requests, 1), 2),
        "bank_conflict_ways": round(
            max(total["shared_load_bank_conflict_ways"], total["shared_store_bank_conflict_ways"]), 2
        ),
        "kernels": [
            {**instance._asdict(), **use}
            for instance, use in sorted(launches.items(), key=lambda item: (-item[1]["bytes"], item[0].name))
        ],
    }


def _several(specs: Any) -> tuple[Any, ...]:
    return specs if isinstance(specs, tuple) else (specs,)


def _own(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Memory of its own: a counted run puts that at a multiple of 256 bytes, as cudaMalloc does."""
    return np.empty(shape, dtype)


def _owned(value: Any) -> Any:
    """A call's arguments, every array in memory of its own with the order of dimensions that it had."""
    if isinstance(value, dict):
        return {name: _owned(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_owned(each) for each in value)
    if not isinstance(value, np.ndarray):
        return value
    order = sorted(range(value.ndim), key=lambda d: -value.strides[d])
    placed = _own(tuple(value.shape[d] for d in order), value.dtype).transpose(
        [order.index(d) for d in range(value.ndim)]
    )
    placed[...] = value
    return placed


def _bytes(counters: Counters) -> int:
    return int(counters["global_load_bytes"] + counters["global_store_bytes"])


def selected(names: Iterable[str] = ()) -> list[tuple[shapes.Case, Any]]:
    """Cases with their element types: all, or those whose names begin with one of ``names``."""
    wanted = tuple(names)
    return [
        (case, dtype) for case in shapes.CASES for dtype in case.dtypes if not wanted or case.name.startswith(wanted)
    ]


def kept() -> list[dict[str, Any]]:
    """The rows of ``bench/results/traffic.json``."""
    rows: list[dict[str, Any]] = json.loads(PATH.read_text())["rows"]
    return rows


def problems(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Rows above a limit with no reason stated, and cases that a reason names and that need none."""
    wrong, used = [], set()
    for row in rows:
        for key, limit in LIMITS.items():
            if row[key] > limit:
                reason = reasons.of(row["case"], row["dtype"], key)
                if reason is None:
                    where = f"{row['case']}, {row['dtype']}"
                    wrong.append(f"{where}: {key} is {row[key]}, above {limit}, and reasons.py states no reason")
                else:
                    used |= {(reason, name) for name in reason.cases if row["case"].startswith(name)}
    for each in reasons.REASONS:
        wrong += [f"{name}: needs no reason: {each.text}" for name in each.cases if (each, name) not in used]
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="only cases whose names begin so")
    parser.add_argument("--dtype", nargs="+", default=[], help="only these element types")
    parser.add_argument("--check", action="store_true", help="compare with what is kept")
    options = parser.parse_args(arguments)
    cases = [each for each in selected(options.names) if not options.dtype or each[1].name in options.dtype]
    before = {(row["case"], row["dtype"]): row for row in kept()} if PATH.exists() else {}
    rows, differing = {}, []
    for case, dtype in track(cases, description="counting in the simulator"):
        row = count(case, dtype)
        rows[case.name, dtype.name] = row
        if before.get((case.name, dtype.name)) != row:
            differing.append(f"{case.name}, {dtype}: {_short(before.get((case.name, dtype.name)))} -> {_short(row)}")
    for line in differing:
        print(line)
    if options.check:
        return 1 if differing else 0
    every = before | rows
    order = [(case.name, dtype.name) for case, dtype in selected()]
    PATH.parent.mkdir(parents=True, exist_ok=True)
    # The host's compiler decides which loads and stores are left.
    content = {"compiler": toolchain.compiler().version, "rows": [every[key] for key in order if key in every]}
    PATH.write_text(json.dumps(content, indent=1) + "\n")
    wrong = problems(content["rows"])
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def _short(row: dict[str, Any] | None) -> str:
    if row is None:
        return "nothing"
    return (
        f"{row['over_least']} of the least bytes, {row['sectors_per_request']} sectors a request (at least "
        f"{row['fewest_sectors_per_request']}), {row['bank_conflict_ways']} ways"
    )


if __name__ == "__main__":
    sys.exit(main())
