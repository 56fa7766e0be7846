"""How exact products of float32 have to be where a GPU's tensor cores can take them: one setting for the process."""

from __future__ import annotations

PRECISIONS = ("highest", "high", "medium")

_current = "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how float32 matrix products and convolutions are computed on CUDA devices, for the whole process.

    ================  ===============================================================================================
    ``"highest"``     float32 throughout, on the FMA units. The default, and what every operation's contract promises.
    ``"high"``        3xTF32 on tensor cores: each operand is the sum of two TensorFloat-32 numbers, three of whose
                      four products are added, the small ones in a sum of their own. To the error of float32 sums each
                      product adds at most 3 * 2**-22 of its size (more where an operand is below 2**-104, whose
                      second number is subnormal).
    ``"medium"``      TF32 on tensor cores: operands are rounded to 10 bits of fraction (2**-11 of their size), sums
                      stay float32.
    ================  ===============================================================================================

    It applies to ``matmul``, ``bmm``, ``linear`` and convolutions (forward and both gradients) of float32 on the
    devices ``"cuda"`` from compute capability 8.0 on and ``"simulator"``, and to nothing else: neither to attention,
    nor to products whose results have 32 rows or columns at most, nor to direct (depthwise) convolutions, which stay
    float32. On the devices ``"cpu"`` and ``"reference"`` it has no effect.

    The name and the values are PyTorch's. There ``"high"`` may be one TF32 product or three of bfloat16, and
    ``"medium"`` one of bfloat16; both are less exact than here.

    Raises ValueError for another value.
    """
    global _current
    if precision not in PRECISIONS:
        names = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"set_float32_matmul_precision: precision (={precision!r}) must be one of {names}")
    _current = precision


def get_float32_matmul_precision() -> str:
    """The value of `set_float32_matmul_precision`: "highest", "high" or "medium"."""
    return _current
