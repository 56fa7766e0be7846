"""The device "cuda" as a whole: memory, transfers, training, files, other libraries."""

from __future__ import annotations

import copy
import gc
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, amp, autograd, functional, io, kernels, nn, optim
from pyneural.data import DataLoader, TensorDataset
from pyneural.kernels import cuda_launch, cuda_memory, dtypes

pytestmark = pytest.mark.simulator


@pytest.fixture
def second(standin: bool) -> str:
    """Another GPU."""
    if not standin and sys.modules["cupy"].cuda.runtime.getDeviceCount() < 2:
        pytest.skip("there is one GPU only")
    return "cuda:1"


def _host(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def test_names(standin: bool) -> None:
    cuda = pyneural.device("cuda")
    assert cuda is pyneural.device("cuda:0")
    assert (str(cuda), cuda.type, cuda.index) == ("cuda:0", "cuda", 0)
    assert copy.copy(cuda) is cuda
    assert pyneural.get_default_device().type == "cpu"
    assert pyneural.ones(2, device="cuda").is_cuda
    for wrong in ("cuda:", "cuda:-1", "cuda:x", "cuda:1:0"):
        with pytest.raises(ValueError, match="is none of"):
            pyneural.device(wrong)
    with pytest.raises(RuntimeError, match=r"'cuda:99' cannot be used: CUDA finds \d+ GPU"):
        pyneural.device("cuda:99")


def test_there_and_back(rng: np.random.Generator) -> None:
    for dtype in dtypes.ALL:
        x = rng.integers(0, 2, (3, 0, 5, 2)[:2] if dtype == dtypes.int8 else (3, 5)).astype(dtype)
        there = Tensor(x, device="cuda")
        assert there.dtype == dtype
        np.testing.assert_array_equal(_host(there), x)
        assert Tensor(x[::-1, ::2], device="cuda").T.cpu().tolist() == x[::-1, ::2].T.tolist()
    assert Tensor(3.5, device="cuda").item() == 3.5
    assert "device='cuda:0'" in repr(Tensor([1.0], device="cuda"))


def test_nothing_moves_unasked(rng: np.random.Generator) -> None:
    x, y = Tensor([1.0, 2.0], device="cuda"), Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match="on two devices, cuda:0 and cpu"):
        x + y
    with pytest.raises(TypeError, match=r"the tensor is on cuda:0; use tensor.cpu\(\).numpy\(\)"):
        x.numpy()
    with pytest.raises(TypeError, match="the tensor is on cuda:0"):
        np.asarray(x)
    with pytest.raises(ValueError, match="index on cpu for a tensor on cuda:0"):
        x[Tensor([0])]
    with pytest.raises(TypeError, match=r"b must be a cupy.ndarray .*not numpy.ndarray"):
        pyneural.device("cuda").kernels.add(x.array, y.array)
    with pytest.raises(TypeError, match=r"b must be a numpy.ndarray .*not cupy.ndarray"):
        kernels.backend("cuda").add(y.array, x.array)
    with pytest.raises(TypeError, match=r"add: got an array of NumPy's of shape \(2,\) beside one of a GPU"):
        cuda_launch.binary("elementwise", "add", x.array, y.array, x.array)
    with pytest.raises(AttributeError, match="is on cpu"):
        y.__cuda_array_interface__  # noqa: B018


def test_two_gpus(second: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal((4, 6)).astype(np.float32)
    a = Tensor(x, device="cuda", requires_grad=True)
    b = (a.T * 2.0).to(second)
    assert str(b.device) == second
    (b * b).sum().backward()
    assert str(a.grad.device) == "cuda:0"
    np.testing.assert_allclose(_host(a.grad), 8.0 * x, rtol=1e-6)
    with pytest.raises(ValueError, match="on two devices"):
        a + b.T
    with pytest.raises(ValueError, match="on the GPUs 0 and 1"):
        pyneural.device("cuda").kernels.add(a.array, b.detach().array.T)


def test_numbers_everywhere() -> None:
    for dtype, value in (
        (dtypes.float32, -2.5),
        (dtypes.bfloat16, 3.0),
        (dtypes.int64, -(2**40)),
        (dtypes.bool_, True),
    ):
        x = pyneural.full((3, 70), value, dtype=dtype, device="cuda")
        assert set(_host(x).reshape(-1).tolist()) == {value}
        x[:, ::2].fill_(0)
        assert _host(x)[:, ::2].sum() == 0
        assert (_host(x)[:, 1::2] == value).all()
    with pytest.raises(OverflowError):
        pyneural.full((2,), 300, dtype=dtypes.int8, device="cuda")
    array = np.zeros((5, 33), np.int16)  # the same kernels in the simulator
    cuda_launch.fill(array[1:, 1::2], -7)
    assert (array[1:, 1::2] == -7).all()
    assert array.sum() == -7 * 4 * 16


def test_same_bits_as_on_the_cpu() -> None:
    drawn = []
    for device in ("cuda", "cpu"):
        pyneural.manual_seed(11)
        drawn.append(
            [_host(pyneural.rand(5, 7, device=device)), _host(pyneural.randn(6, device=device)),
             _host(pyneural.randperm(40, device=device)), _host(pyneural.randint(0, 9, (8,), device=device))]
        )  # fmt: skip
    for there, here in zip(*drawn, strict=True):
        assert there.tobytes() == here.tobytes()


def test_indexing(rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4, 3)).astype(np.float32)
    rows, mask = np.array([4, 0, -1]), x[:, :, 0] > 0
    t = Tensor(x, device="cuda")
    for key in (rows, mask, (slice(None), [1, 1]), (rows, slice(1, 3)), (1, ..., [0, 2]), (rows, 2, [0, 1, 2])):
        np.testing.assert_array_equal(_host(t[key]), x[key])
    np.testing.assert_array_equal(_host(t[Tensor(mask, device="cuda")]), x[mask])
    np.testing.assert_array_equal(_host(t[1, ::2]), x[1, ::2])
    y = x.copy()
    t[rows] = 1.0
    t[Tensor(mask, device="cuda"), 1] = Tensor(2.0, device="cuda")
    t[:, 0] = Tensor(y[:, 1], device="cuda")
    y[rows] = 1.0
    y[mask, 1] = 2.0
    y[:, 0] = x[:, 1]
    np.testing.assert_array_equal(_host(t), y)


def test_an_index_out_of_range_ends_the_kernel(standin: bool) -> None:
    """The host does not read a GPU's indices; a real GPU is of no use afterwards, as after a failed assert."""
    if not standin:
        pytest.skip("it would end every later test on this GPU")
    x = Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], device="cuda")
    for wrong in (3, -4):
        rows = Tensor([0, wrong], device="cuda")
        for call in (
            lambda rows=rows: x[rows],
            lambda rows=rows: x[rows, rows],
            lambda rows=rows: x.index_select(0, rows),
        ):
            with pytest.raises(RuntimeError, match="trap"):
                call()
    assert x[Tensor([-3, 2], device="cuda")].tolist() == [[1.0, 2.0], [5.0, 6.0]]


def test_gradcheck(rng: np.random.Generator) -> None:
    x = Tensor(rng.standard_normal((3, 4)), dtype=dtypes.float64, device="cuda", requires_grad=True)
    assert autograd.gradcheck(lambda t: functional.softmax(t.tanh() @ t.T, 1), x)
    loss = (x**3.0).sum()
    (first,) = autograd.grad(loss, [x], create_graph=True)
    first.sum().backward()
    np.testing.assert_allclose(_host(x.grad), 6.0 * _host(x), rtol=1e-12)


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.LayerNorm(27), nn.Dropout(0.2), nn.Linear(27, 5),
    )  # fmt: skip


def _losses(device: str, half: Any, optimizer: Any) -> tuple[list[float], dict[str, np.ndarray]]:
    pyneural.manual_seed(3)
    rng = np.random.default_rng(5)
    images, labels = rng.standard_normal((12, 1, 6, 6)).astype(np.float32), rng.integers(0, 5, 12)
    model = _network().to(device)
    loader = DataLoader(TensorDataset(Tensor(images, device=device), Tensor(labels, device=device)), batch_size=4)
    steps, losses = optimizer(model.parameters()), []
    scaler = amp.GradScaler(enabled=half is dtypes.float16)
    for batch, target in loader:
        steps.zero_grad()
        with pyneural.autocast(pyneural.device(device).type, dtype=half or dtypes.bfloat16, enabled=half is not None):
            loss = functional.cross_entropy(model(batch), target)
        scaler.scale(loss).backward()
        scaler.step(steps)
        scaler.update()
        losses.append(loss.item())
    return losses, {name: _host(each) for name, each in model.state_dict().items()}


@pytest.mark.parametrize(
    ("half", "optimizer"),
    [
        (None, lambda p: optim.AdamW(p, lr=1e-2)),
        (None, lambda p: optim.SGD(p, lr=0.1, momentum=0.9)),
        pytest.param(dtypes.bfloat16, lambda p: optim.AdamW(p, lr=1e-2), marks=pytest.mark.every_dtype),
    ],
    ids=["adamw", "momentum", "bfloat16"],
)
def test_training_as_on_the_cpu(half: Any, optimizer: Any) -> None:
    """The same losses and weights, step by step: same seed, same dropout, same batches."""
    (there, weights), (here, expected) = (_losses(device, half, optimizer) for device in ("cuda", "cpu"))
    tolerance = 2e-4 if half is None else 5e-2
    np.testing.assert_allclose(there, here, rtol=tolerance)
    for name in weights:
        np.testing.assert_allclose(weights[name], expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


def test_files(tmp_path: pathlib.Path) -> None:
    model = nn.Linear(4, 3).to("cuda")
    io.save(tmp_path / "weights.safetensors", model)
    there, here = (io.load(tmp_path / "weights.safetensors", device=device) for device in ("cuda", "cpu"))
    assert {str(each.device) for each in there.values()} == {"cuda:0"}
    for name in here:
        assert _host(there[name]).tobytes() == here[name].numpy().tobytes()
        assert _host(model.state_dict()[name]).tobytes() == here[name].numpy().tobytes()


def test_other_libraries() -> None:
    import cupy

    x = Tensor([[1.0, 2.0], [3.0, 4.0]], device="cuda")
    same = pyneural.from_dlpack(x)
    assert same.device is x.device
    same.fill_(7.0)
    assert x.tolist() == [[7.0, 7.0], [7.0, 7.0]]
    interface = x.T.__cuda_array_interface__
    assert interface["shape"] == (2, 2)
    assert interface["data"][0] == x.array.data.ptr
    given = cupy.asarray(np.arange(6.0).reshape(2, 3))
    taken = Tensor(given)
    assert (str(taken.device), taken.tolist()) == ("cuda:0", [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    taken.fill_(0.0)
    assert given.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]  # a copy
    with pytest.raises(RuntimeError, match="requires a gradient"):
        x.requires_grad_().__cuda_array_interface__  # noqa: B018


def test_out_of_memory_is_an_exception() -> None:
    """After which the device works on."""
    import cupy

    kept = Tensor([1.0, 2.0], device="cuda")
    _, total = cupy.cuda.Device(0).mem_info
    count = total // 4 + 1024
    message = r"cuda:0: no memory for [\d.]+ .iB \(shape \(\d+,\), float32\): [\d.]+ \w+ of [\d.]+ \w+ are free"
    for _ in range(3):
        with pytest.raises(pyneural.OutOfMemoryError, match=message) as caught:
            pyneural.empty(count, device="cuda")
        assert isinstance(caught.value, (RuntimeError, MemoryError))
        assert (kept * 2.0).tolist() == [2.0, 4.0]


def test_memory_under_pytorchs_names() -> None:
    from pyneural import cuda

    assert cuda.is_available()
    assert cuda.device_count() >= 1
    assert cuda.get_device_name() == cuda.get_device_name(pyneural.device("cuda"))
    gc.collect()  # other tests' arrays in cycles would be freed meanwhile
    before = cuda.memory_allocated()
    held = pyneural.zeros(1_000_000, device="cuda")
    cuda.synchronize(0)
    assert cuda.memory_allocated() - before >= held.numel() * 4
    assert cuda.memory_reserved() >= cuda.memory_allocated()
    del held
    cuda.empty_cache()
    assert cuda.memory_allocated() <= before


def test_host_values_are_waited_for_once(rng: np.random.Generator) -> None:
    mask = rng.random(50) < 0.4
    there = pyneural.device("cuda").engine.moved(mask)
    (found,) = sys.modules["pyneural.kernels.layout.cuda_index"].coordinates(there)
    np.testing.assert_array_equal(found.get(), np.flatnonzero(mask))
    assert cuda_memory.is_gpu(found)


def test_recording() -> None:
    with kernels.record() as recording:
        (pyneural.ones(3, device="cuda") * 2.0).sum()
    assert {"mul", "sum"} <= set(recording.uses)
    assert isinstance(recording.uses["mul"].sample.args[0], np.ndarray)
    assert pyneural.device("cuda").kernels is kernels.active("cuda:0")
