"""What more ranks would bring: a model of a step's time, from what one rank shows and from a link's two numbers.

It is a model: no contention in the network, no rank slower than the others, one all-reduce after the other on the link,
none of it at the processors' cost. Where ranks can be started, `pyneural scale` under ``mpiexec`` says how far off it
is.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ALGORITHMS = ("ring", "tree")
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Link:
    """What connects two ranks: bytes a second in each direction, and seconds until the first arrives."""

    bandwidth: float
    latency: float


@dataclass(frozen=True)
class Step:
    """One rank's step, in seconds.

    Attributes:
        forward, backward, optimizer: their times, without communication.
        buckets: of each bucket of gradients, when in backward it was full, and its bytes.
        samples: of the rank's part of the batch.
    """

    forward: float
    backward: float
    optimizer: float
    buckets: tuple[tuple[float, int], ...]
    samples: int

    @property
    def compute(self) -> float:
        return self.forward + self.backward + self.optimizer

    @property
    def nbytes(self) -> int:
        """Gradient bytes that each rank gives to all-reduces."""
        return sum(size for _, size in self.buckets)


@dataclass(frozen=True)
class Forecast:
    """A step with so many ranks, in seconds.

    Attributes:
        ranks, algorithm: how many, and how gradients are all-reduced.
        compute: as measured (of a part, where the batch is divided).
        communication: all all-reduces together.
        exposed: what of it comes after backward.
        step: the whole.
        efficiency: speedup over one rank, divided by the ranks.
        samples_per_second: of all ranks.
    """

    ranks: int
    algorithm: str
    compute: float
    communication: float
    exposed: float
    step: float
    efficiency: float
    samples_per_second: float


def link(text: str, latency: float) -> Link:
    """A link by its rate: "400Gb/s" (bits), "50GB/s" (bytes).

    Raises:
        ValueError: it is no rate above 0, or ``latency`` is negative.
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([kMGT]?)(b|bit|B)/s\s*", text)
    try:
        rate = float(found[1]) if found else 0.0
    except ValueError:
        rate = 0.0
    if found is None or not rate > 0.0:
        raise ValueError(f"link (={text!r}) must be a rate such as 400Gb/s or 50GB/s")
    if not latency >= 0.0:
        raise ValueError(f"latency (={latency}) must be at least 0")
    return Link(rate * _UNITS[found[2]] / (1.0 if found[3] == "B" else 8.0), latency)


def counts(text: str) -> list[int]:
    """Numbers of ranks: "1:4096" for the powers of two from one to the other, or "1,3,12".

    Raises:
        ValueError: it is neither, or a number is below 1.
    """
    if found := re.fullmatch(r"(\d+):(\d+)", text):
        low, high = int(found[1]), int(found[2])
        if 1 <= low <= high:
            doubled = [low << shift for shift in range((high // low).bit_length())]
            return doubled if doubled[-1] == high else [*doubled, high]
    elif re.fullmatch(r"\d+(,\d+)*", text) and all(int(each) >= 1 for each in text.split(",")):
        return [int(each) for each in text.split(",")]
    raise ValueError(f"ranks (={text!r}) must be like 1:4096 or 1,2,4, each at least 1")


def all_reduce(nbytes: int, ranks: int, over: Link, algorithm: str) -> float:
    """Seconds of an all-reduce.

    ``ring``: 2 (n - 1) steps of an n-th part each (Patarasuk & Yuan 2009); ``tree``: up and down two binary trees,
    which send half each (Sanders, Speck & Träff 2009), as NCCL does.
    """
    if ranks == 1:
        return 0.0
    if algorithm == "ring":
        return 2 * (ranks - 1) * (over.latency + nbytes / ranks / over.bandwidth)
    return 2 * (math.ceil(math.log2(ranks)) * over.latency + nbytes / over.bandwidth)


def forecast(step: Step, ranks: int, over: Link, algorithm: str | None = None, divided: bool = False) -> Forecast:
    """A step with so many ranks.

    Args:
        step: of one rank.
        over: the link between ranks.
        algorithm: "ring" or "tree"; the faster one unless given.
        divided: the batch is that of one rank, divided; otherwise each rank has as large a one. Forward and backward
            are taken to shrink in proportion.
    """
    if algorithm is None:
        both = [forecast(step, ranks, over, each, divided) for each in ALGORITHMS]
        return min(both, key=lambda each: each.step)
    part = 1.0 / ranks if divided else 1.0
    end = total = 0.0
    for ready, nbytes in step.buckets:
        takes = all_reduce(nbytes, ranks, over, algorithm)
        total += takes
        end = max(end, ready * part) + takes
    compute = (step.forward + step.backward) * part + step.optimizer
    exposed = max(0.0, end - step.backward * part) if ranks > 1 else 0.0
    whole = compute + exposed
    rate = step.samples * part * ranks / whole
    efficiency = rate / (step.samples / step.compute) / ranks
    return Forecast(ranks, algorithm, compute, total, exposed, whole, efficiency, rate)


def measured(events: Sequence[dict[str, Any]], samples: int, leave_out: int = 2) -> Step:
    """The medians of one rank's steps, from the events of its trace (`pyneural.distributed.trace`).

    Args:
        samples: of a step.
        leave_out: steps at the start, in which kernels are compiled and buckets are arranged.

    Raises:
        ValueError: there are no more steps than those.
    """
    steps: list[dict[str, Any]] = []
    for each in sorted(events, key=lambda each: each["ts"]):
        if each["name"] == "forward":
            steps.append({"all_reduce": []})
        if steps and each["name"] == "all_reduce":
            steps[-1]["all_reduce"].append(each)
        elif steps:
            steps[-1][each["name"]] = each
    kept = [each for each in steps if "optimizer" in each][leave_out:]
    if not kept:
        raise ValueError(f"measured: {len(steps)} steps, of which {leave_out} are left out")

    def median(name: str) -> float:
        return float(statistics.median(each[name]["dur"] for each in kept)) / 1e6

    # By what is left of backward after it: a step that took long would shift the place of all others.
    left = [
        [(each["backward"]["ts"] + each["backward"]["dur"] - reduction["ts"]) / 1e6 for reduction in each["all_reduce"]]
        for each in kept
    ]
    backward = median("backward")
    sizes = [reduction["args"]["bytes"] for reduction in kept[-1]["all_reduce"]]
    buckets = [
        (max(0.0, backward - statistics.median(times)), size)
        for times, size in zip(zip(*left, strict=True), sizes, strict=True)
    ]
    return Step(median("forward"), backward, median("optimizer"), tuple(buckets), samples)
