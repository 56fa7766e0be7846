"""What the arithmetic units of the cards in `pyneural.cuda.resources` can do: NVIDIA's data sheets and papers.

Figures of these are predictions of what cannot be passed; nothing here was measured.
"""

from __future__ import annotations

from pyneural.cuda.resources import ARCHITECTURES

TENSOR = {
    "sm_80": {"bfloat16": 312e12, "float16": 312e12, "float32": 156e12},
    "sm_90": {"bfloat16": 989e12, "float16": 989e12, "float32": 495e12},
}
"""Dense operations per second on tensor cores."""

FLOPS_A_CYCLE = {
    "sm_80": {"FFMA": 128, "DFMA": 64, "bfloat16": 2048, "float16": 2048, "float32": 1024},
    "sm_90": {"FFMA": 256, "DFMA": 128, "bfloat16": 4096, "float16": 4096, "float32": 2048},
}
"""Operations of a multiprocessor in a cycle, by instruction or by the dtype on tensor cores."""

ISSUED = 4
"""Instructions of warps that a multiprocessor starts in a cycle, at most."""


def cycles(arch: str) -> float:
    """Cycles of all multiprocessors together in a second."""
    return ARCHITECTURES[arch].flops / FLOPS_A_CYCLE[arch]["FFMA"]
