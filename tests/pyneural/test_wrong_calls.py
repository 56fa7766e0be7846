"""Wrong calls of the functions: exception type, and the offending values in the message.

Each is made on both devices and must leave its tensors as they were. Wrong calls of other parts
stand beside their tests: gradients in test_autograd.py, in-place changes in test_inplace.py, keys in
test_indexing.py, data in test_interop.py, devices in test_device.py, random numbers in test_random.py.
"""

from __future__ import annotations

from typing import Any

import pytest

import pyneural
from pyneural import functional as F

CALLS: dict[str, tuple[Any, type[Exception], str]] = {
    # shapes
    "add": (lambda o: o(2, 3) + o(4), ValueError, r"add: shapes \(2, 3\) and \(4,\) cannot be broadcast"),
    "where": (lambda o: F.where(o(2) > 0.0, o(3), o(3)), ValueError, r"where: .*\(2,\).*\(3,\)"),
    "matmul": (lambda o: o(2, 3) @ o(4, 5), ValueError, r"matmul: .*\(2, 3\).*\(4, 5\)"),
    "matmul vectors": (lambda o: o(3) @ o(4), ValueError, r"matmul: .*\(3,\).*\(4,\)"),
    "matmul 0-d": (lambda o: o(3) @ o(), ValueError, r"matmul: .*\(\)"),
    "matmul batch": (
        lambda o: o(2, 3, 4) @ o(3, 4, 5),
        ValueError,
        r"matmul: .*\(2, 3, 4\).*\(3, 4, 5\)|matmul: .*\(2,\).*\(3,\)",
    ),
    "mm": (
        lambda o: F.mm(o(2, 3, 4), o(4, 5)),
        ValueError,
        r"mm: input must have 2 dimensions, not 3 \(shape \(2, 3, 4\)\)",
    ),
    "bmm": (lambda o: F.bmm(o(2, 3, 4), o(3, 4, 5)), ValueError, "bmm: batches of 2 and 3 matrices"),
    "linear": (lambda o: F.linear(o(2, 3), o(5, 4)), ValueError, r"linear: .*3.*4|linear: .*4.*3"),
    "linear bias": (lambda o: F.linear(o(2, 3), o(5, 3), o(4)), ValueError, r"linear: bias.*\(5,\).*\(4,\)"),
    "conv2d groups": (
        lambda o: F.conv2d(o(1, 3, 5, 5), o(4, 1, 3, 3), groups=2),
        ValueError,
        r"conv2d: in_channels \(=3\) must be divisible by groups \(=2\)",
    ),
    "conv2d channels": (lambda o: F.conv2d(o(1, 3, 5, 5), o(4, 2, 3, 3)), ValueError, r"conv2d: .*\b[23]\b.*\b[23]\b"),
    "conv2d size": (lambda o: F.conv2d(o(1, 1, 2, 2), o(1, 1, 3, 3)), ValueError, r"conv2d: .*\(?3.*2|conv2d: .*2.*3"),
    "conv2d bias": (
        lambda o: F.conv2d(o(1, 1, 4, 4), o(2, 1, 3, 3), o(3)),
        ValueError,
        r"conv2d: bias.*\(2,\).*\(3,\)",
    ),
    "conv1d": (
        lambda o: F.conv1d(o(1, 2, 3, 4), o(3, 2, 3)),
        ValueError,
        "conv1d: input must have 3 dimensions, or 2 without a batch, not 4",
    ),
    "conv1d weight": (
        lambda o: F.conv1d(o(2, 5), o(3, 2)),
        ValueError,
        "conv1d: weight must have 3 dimensions, not 2",
    ),
    "conv1d stride": (
        lambda o: F.conv1d(o(1, 2, 5), o(3, 2, 3), stride=(1, 2)),
        TypeError,
        r"conv1d: stride \(=\(1, 2\)\) must be an int or 1 of them",
    ),
    "conv3d same": (
        lambda o: F.conv3d(o(1, 1, 4, 4, 4), o(1, 1, 3, 3, 3), stride=2, padding="same"),
        ValueError,
        "conv3d: padding='same' needs stride 1, not 2",
    ),
    "conv_transpose2d output padding": (
        lambda o: F.conv_transpose2d(o(1, 1, 4, 4), o(1, 1, 3, 3), stride=2, output_padding=2),
        ValueError,
        r"conv_transpose2d: output_padding \(=2\) must be smaller than stride \(=2\) or dilation \(=1\)",
    ),
    "conv_transpose2d channels": (
        lambda o: F.conv_transpose2d(o(1, 3, 4, 4), o(2, 1, 3, 3)),
        ValueError,
        "conv_transpose2d: weight takes 2 channels, input has 3",
    ),
    "conv_transpose1d bias": (
        lambda o: F.conv_transpose1d(o(1, 3, 4), o(3, 2, 3), o(3)),
        ValueError,
        r"conv_transpose1d: bias must have shape \(2,\), not \(3,\)",
    ),
    "conv_transpose1d size": (
        lambda o: F.conv_transpose1d(o(1, 1, 1), o(1, 1, 2), padding=1),
        ValueError,
        r"conv_transpose1d: input of size \(1,\) gives a result of size \(0,\)",
    ),
    "fold": (
        lambda o: F.fold(o(1, 8, 9), (4, 5), 2),
        ValueError,
        r"fold: x has 9 columns, but \(3, 4\) windows in an image of \(4, 5\) are 12",
    ),
    "batch_norm": (
        lambda o: F.batch_norm(o(2, 3), o(4), o(4)),
        ValueError,
        r"batch_norm.*\(3,\).*\(4,\)|batch_norm.*\(4,\).*\(3,\)",
    ),
    "batch_norm one value": (
        lambda o: F.batch_norm(o(1, 3), None, None, training=True),
        ValueError,
        r"batch_norm: training needs more than 1 element a channel, got shape \(1, 3\)",
    ),
    "mse_loss": (lambda o: F.mse_loss(o(2, 3), o(3)), ValueError, r"mse_loss: .*\(2, 3\).*\(3,\)"),
    "cat": (lambda o: F.cat([o(2, 3), o(2, 4)]), ValueError, r"cat: .*\(2, 3\).*\(2, 4\)"),
    "cat of nothing": (lambda o: F.cat([]), ValueError, "cat: expected at least one tensor, not an empty sequence"),
    "stack": (
        lambda o: F.stack([o(2), o(3)]),
        ValueError,
        r"stack: tensor 0 has shape \(2,\) but tensor 1 has shape \(3,\)",
    ),
    "reshape": (
        lambda o: o(2, 3).reshape(4, 2),
        ValueError,
        r"reshape: shape \(2, 3\) \(6 elements\) cannot become \(4, 2\)",
    ),
    "reshape two unknown": (lambda o: o(2, 3).reshape(-1, -1), ValueError, r"reshape: .* cannot become \(-1, -1\)"),
    "expand": (lambda o: o(2, 3).expand(2, 4), ValueError, r"expand: shape \(2, 3\) cannot be expanded to \(2, 4\)"),
    "permute": (lambda o: o(2, 3).permute(0, 0), ValueError, r"permute: dims \(=\(0, 0\)\) must name each of 2"),
    "split": (lambda o: o(5).split([2, 2]), ValueError, r"split: sections \(=\(2, 2\)\) add up to 4, not 5"),
    # dimensions out of range
    "sum dim": (lambda o: o(2, 3).sum(2), IndexError, r"sum: dim \(=2\) must be in \[-2, 1\] for 2 dimensions"),
    "softmax dim": (lambda o: F.softmax(o(2, 3), -3), IndexError, r"softmax: dim \(=-3\) must be in \[-2, 1\]"),
    "transpose dim": (lambda o: o(2, 3).transpose(0, 5), IndexError, r"transpose: dim1 \(=5\) must be in \[-2, 1\]"),
    "narrow": (
        lambda o: o(3).narrow(0, 2, 2),
        IndexError,
        r"narrow: start \(=2\) and length \(=2\) leave dimension 0 of length 3",
    ),
    "sum dim twice": (lambda o: o(2, 3).sum((0, -2)), ValueError, r"sum: dim \(=\(0, -2\)\) names a dimension twice"),
    "amax of nothing": (lambda o: o(0, 3).amax(0), (IndexError, ValueError), r"amax: .*\(0, 3\)|amax: .*dim"),
    "argmax of nothing": (
        lambda o: o(0).argmax(),
        (IndexError, ValueError),
        r"argmax: .*\(0,\)|argmax: .*zero|argmax: .*empty",
    ),
    # values
    "negative size": (lambda o: pyneural.zeros(2, -1), ValueError, r"zeros: size \(=\(2, -1\)\) has a negative length"),
    "full negative": (
        lambda o: pyneural.full((-2,), 1.0),
        ValueError,
        r"full: size \(=\(-2,\)\) has a negative length",
    ),
    "arange step": (lambda o: pyneural.arange(0, 5, 0), ValueError, r"arange: step \(=0\) must not be 0"),
    "linspace": (lambda o: pyneural.linspace(0, 1, -2), ValueError, r"linspace: steps \(=-2\) must not be negative"),
    "stride": (
        lambda o: F.conv2d(o(1, 1, 4, 4), o(1, 1, 3, 3), stride=0),
        ValueError,
        r"conv2d: stride \(=0\) must be at least 1",
    ),
    "padding": (
        lambda o: F.conv2d(o(1, 1, 4, 4), o(1, 1, 3, 3), padding=(0, -1)),
        ValueError,
        r"conv2d: padding \(=\(0, -1\)\) must be at least 0",
    ),
    "pool": (
        lambda o: F.max_pool2d(o(1, 1, 4, 4), 2, padding=2),
        ValueError,
        r"max_pool2d: padding.*2.*kernel_size.*2",
    ),
    "pool size": (
        lambda o: F.avg_pool2d(o(1, 1, 4, 4), 0),
        ValueError,
        r"avg_pool2d: kernel_size \(=0\) must be at least 1",
    ),
    "gelu": (lambda o: F.gelu(o(2), approximate="erf"), ValueError, r"gelu: approximate \(='erf'\)"),
    "activation": (
        lambda o: F.linear(o(2, 3), o(4, 3), activation="mish"),
        ValueError,
        r"linear: activation \(='mish'\)",
    ),
    "reduction": (
        lambda o: F.mse_loss(o(2), o(2), reduction="max"),
        ValueError,
        r"mse_loss: reduction \(='max'\) must be one of 'mean', 'sum', 'none'",
    ),
    "smoothing": (
        lambda o: F.cross_entropy(o(2, 3), pyneural.zeros(2, dtype="int64", device=o(1).device), label_smoothing=1.5),
        ValueError,
        r"cross_entropy: label_smoothing \(=1.5\)",
    ),
    "clamp": (lambda o: o(3).clamp(), ValueError, "clamp: .*min.*max"),
    "eps": (lambda o: F.batch_norm(o(2, 3), None, None, training=True, eps=-1.0), ValueError, r"eps \(=-1.0\)"),
    "overflow": (
        lambda o: o(2).to("int8") + 1000,
        OverflowError,
        "add: 1000 does not fit into int8",
    ),
    # targets
    "target": (
        lambda o: F.cross_entropy(o(3, 5), pyneural.tensor([0, 5, 1], device=o(1).device)),
        IndexError,
        r"cross_entropy: target.*5.*1.*5",
    ),
    "negative target": (
        lambda o: F.cross_entropy(o(2, 5), pyneural.tensor([-1, 0], device=o(1).device)),
        IndexError,
        r"cross_entropy: target.*-1",
    ),
    "target shape": (
        lambda o: F.cross_entropy(o(3, 5), pyneural.tensor([0, 1], device=o(1).device)),
        ValueError,
        r"cross_entropy: target.*\(3,\).*\(2,\)",
    ),
    "target dtype": (
        lambda o: F.cross_entropy(o(2, 5), pyneural.tensor([0, 1], dtype="int32", device=o(1).device)),
        TypeError,
        "cross_entropy: target.*int64.*int32",
    ),
    "class weights": (
        lambda o: F.cross_entropy(o(2, 5), pyneural.tensor([0, 1], device=o(1).device), o(4)),
        ValueError,
        r"cross_entropy: weight.*\(5,\).*\(4,\)",
    ),
    "trained class weights": (
        lambda o: F.cross_entropy(o(1, 2), pyneural.tensor([0], device=o(1).device), o(2).requires_grad_()),
        RuntimeError,
        r"cross_entropy: weight of shape \(2,\) requires a gradient",
    ),
    "ignored probabilities": (
        lambda o: F.cross_entropy(o(2, 5), o(2, 5), ignore_index=3),
        ValueError,
        r"cross_entropy: ignore_index \(=3\) has no meaning for probabilities",
    ),
    # types and dtypes
    "relu of a list": (lambda o: F.relu([1.0]), TypeError, "relu: input must be a tensor, not list"),
    "add of a string": (lambda o: o(2) + "a", TypeError, "add: expected a tensor or a number, not str"),
    "maximum of a number": (lambda o: F.maximum(o(2), 1.0), TypeError, "maximum: other must be a tensor, not float"),
    "cat of a tensor": (lambda o: F.cat(o(2, 3)), TypeError, "cat: expected a sequence of tensors, not Tensor"),
    "mean of integers": (lambda o: o(2).long().mean(), TypeError, "mean: .*int64"),
    "relu of bools": (lambda o: F.relu(o(2) > 0.0), TypeError, "relu: .*bool"),
    "neg of bools": (lambda o: -(o(2) > 0.0), TypeError, "neg: .*bool"),
    "where of floats": (lambda o: F.where(o(2), o(2), o(2)), TypeError, "where: condition.*bool.*float32"),
    "matmul of two dtypes": (lambda o: o(2, 2) @ o(2, 2).double(), TypeError, "matmul: .*float32.*float64"),
    "linear of two dtypes": (lambda o: F.linear(o(2, 2), o(2, 2).half()), TypeError, "linear: .*float32.*float16"),
    "dim of a float": (lambda o: o(2, 3).sum(1.0), TypeError, "sum: .*float|float"),
    "pad mode": (lambda o: F.pad(o(3), (1, 1), mode="mirror"), ValueError, r"pad: mode \(='mirror'\)"),
    "pad odd": (lambda o: F.pad(o(3), (1, 1, 1)), ValueError, r"pad: .*\(1, 1, 1\)|pad: .*3"),
    "pad crop": (lambda o: F.pad(o(3), (-2, -2)), ValueError, r"pad: .*-2"),
    "attributes": (lambda o: F.conv2d(o(1, 1, 4, 4), o(1, 1, 3, 3), stride="2"), TypeError, r"conv2d: stride \(='2'\)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_is_refused(name: str, device: str) -> None:
    call, error, match = CALLS[name]
    made: list[Any] = []

    def ones(*shape: int) -> Any:
        made.append(pyneural.ones(shape, device=device))
        return made[-1]

    with pytest.raises(error, match=match):
        call(ones)
    assert all((each.detach().numpy() == 1.0).all() and each._version[0] == 0 for each in made)
