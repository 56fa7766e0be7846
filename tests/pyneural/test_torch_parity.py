"""Networks and PyTorch's, from the same weights on the same data: the same loss for 100 steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, functional, nn, optim
from pyneural.apps import digits

STEPS = 100
Batch = tuple[np.ndarray, ...]


@pytest.fixture
def torch(rng: np.random.Generator) -> Any:
    found = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    threads = found.get_num_threads()
    found.set_num_threads(1)
    found.manual_seed(int(rng.integers(2**31)))
    yield found
    found.set_num_threads(threads)


def _load(model: nn.Module, oracle: Any) -> None:
    """PyTorch's weights into ours; the names are the same."""
    state = oracle.state_dict()
    assert list(model.state_dict()) == list(state)
    model.load_state_dict({name: Tensor(each.numpy()) for name, each in state.items()})


def _copy(model: nn.Module, oracle: Any, torch: Any) -> None:
    oracle.load_state_dict({name: torch.tensor(each.numpy()) for name, each in model.state_dict().items()})


def _curve(
    model: Any,
    optimizer: Any,
    loss: Callable[..., Any],
    batches: Iterator[Batch],
    tensor: Callable[[np.ndarray], Any],
    mixed: Callable[[], Any] | None = None,
    clip: Callable[[Any], Any] | None = None,
) -> list[float]:
    """The loss of each step of training; the same code trains both sides."""
    losses = []
    for batch in batches:
        inputs = [tensor(each) for each in batch]
        optimizer.zero_grad()
        if mixed is None:
            value = loss(model, *inputs)
        else:
            with mixed():
                value = loss(model, *inputs)
        value.backward()
        if clip is not None:
            clip(model.parameters())
        optimizer.step()
        losses.append(value.item())
    return losses


def _batches(data: Batch, size: int, steps: int = STEPS) -> Iterator[Batch]:
    count = len(data[0])
    for step in range(steps):
        rows = [(step * size + i) % count for i in range(size)]
        yield tuple(each[rows] for each in data)


def _same(ours: list[float], theirs: list[float], rtol: float, falls_to: float) -> None:
    assert len(ours) == len(theirs)
    assert min(ours[-5:]) < falls_to * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=rtol)


# Networks: the same description makes both sides. `nn` is pyneural.nn or torch.nn.


def _mlp(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 16), nn.GELU(), nn.Linear(16, 5))


def _cnn(nn: Any) -> Any:
    return nn.Sequential(
        # No bias in front of a normalisation: its gradient is rounding noise, which Adam makes a step of.
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, groups=2, bias=False),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


def _recurrent(nn: Any, kind: str) -> Any:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(11, 6)
            self.layers = getattr(nn, kind)(6, 8, num_layers=2, batch_first=True, bidirectional=True)
            self.output = nn.Linear(16, 5)

        def forward(self, tokens: Any) -> Any:
            return self.output(self.layers(self.embedding(tokens))[0][:, -1])

    return Reader()


def _transformer(nn: Any) -> Any:
    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = {"dim_feedforward": 24, "dropout": 0.0, "batch_first": True}
            self.source, self.target = nn.Embedding(11, 12), nn.Embedding(9, 12)
            self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(12, 3, norm_first=True, **sizes), 2)
            self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(12, 3, **sizes), 1)
            self.output = nn.Linear(12, 9, bias=False)
            self.output.weight = self.target.weight

        def forward(self, source: Any, target: Any, mask: Any) -> Any:
            memory = self.encoder(self.source(source))
            return self.output(self.decoder(self.target(target), memory, tgt_mask=mask))

    return Translator()


def _classes(cross_entropy: Any, **options: Any) -> Callable[..., Any]:
    return lambda model, x, labels: cross_entropy(model(x), labels, **options)


def _translation(cross_entropy: Any) -> Callable[..., Any]:
    """The next token at each place; a third of the places count nothing."""

    def loss(model: Any, source: Any, target: Any, following: Any, mask: Any) -> Any:
        logits = model(source, target, mask[0])
        return cross_entropy(logits.transpose(1, 2), following, label_smoothing=0.1, ignore_index=0)

    return loss


def _images(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((48, 1, 8, 8)), rng.integers(0, 5, 48)


def _rows(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((48, 12)), rng.integers(0, 5, 48)


def _sentences(rng: np.random.Generator) -> Batch:
    return rng.integers(0, 11, (24, 7)), rng.integers(0, 5, 24)


def _pairs(rng: np.random.Generator) -> Batch:
    source = rng.integers(0, 11, (24, 6))
    target = source[:, ::-1] % 8 + 1
    following = np.where(rng.uniform(size=(24, 6)) < 0.3, 0, source % 8 + 1)
    causal = np.broadcast_to(np.triu(np.ones((6, 6), bool), 1), (24, 6, 6))
    return source, np.ascontiguousarray(target), following, causal


def _pair(make: Callable[[Any], Any], torch: Any, double: bool = True) -> tuple[Any, Any]:
    model, oracle = make(nn), make(torch.nn)
    if double:
        model, oracle = model.double(), oracle.double()
    _load(model, oracle)
    return model, oracle


def _floats(dtype: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: array.astype(dtype) if array.dtype.kind == "f" else array


def test_mlp(torch: Any, rng: np.random.Generator):
    model, oracle = _pair(_mlp, torch)
    data = _rows(rng)
    ours = _curve(
        model,
        optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
        _classes(functional.cross_entropy),
        _batches(data, 16),
        Tensor,
        clip=lambda parameters: optim.clip_grad_norm_(parameters, 0.5),
    )
    theirs = _curve(
        oracle,
        torch.optim.SGD(oracle.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=1e-4),
        _classes(torch.nn.functional.cross_entropy),
        _batches(data, 16),
        torch.tensor,
        clip=lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.5),
    )
    _same(ours, theirs, 1e-9, 0.5)


def test_cnn_with_batch_norm(torch: Any, rng: np.random.Generator):
    model, oracle = _pair(_cnn, torch)
    data = _images(rng)
    ours = _curve(
        model, optim.Adam(model.parameters(), 3e-3), _classes(functional.cross_entropy), _batches(data, 16), Tensor
    )
    theirs = _curve(
        oracle,
        torch.optim.Adam(oracle.parameters(), 3e-3),
        _classes(torch.nn.functional.cross_entropy),
        _batches(data, 16),
        torch.tensor,
    )
    _same(ours, theirs, 1e-9, 0.7)
    for name, each in oracle.named_buffers():
        np.testing.assert_allclose(dict(model.named_buffers())[name].numpy(), each.numpy(), rtol=1e-9)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent(kind: str, torch: Any, rng: np.random.Generator):
    model, oracle = _pair(lambda side: _recurrent(side, kind), torch)
    data = _sentences(rng)
    ours = _curve(
        model, optim.Adam(model.parameters(), 1e-2), _classes(functional.cross_entropy), _batches(data, 8), Tensor
    )
    theirs = _curve(
        oracle,
        torch.optim.Adam(oracle.parameters(), 1e-2),
        _classes(torch.nn.functional.cross_entropy),
        _batches(data, 8),
        torch.tensor,
    )
    _same(ours, theirs, 1e-9, 0.5)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_transformer_with_label_smoothing_and_adamw(torch: Any, rng: np.random.Generator):
    model, oracle = _pair(_transformer, torch)
    data = _pairs(rng)
    optimizer = optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    oracle_optimizer = torch.optim.AdamW(oracle.parameters(), 3e-3, weight_decay=0.01)
    ours = _curve(model, optimizer, _translation(functional.cross_entropy), _batches(data, 8), Tensor)
    theirs = _curve(
        oracle, oracle_optimizer, _translation(torch.nn.functional.cross_entropy), _batches(data, 8), torch.tensor
    )
    _same(ours, theirs, 1e-9, 0.7)


_MIXED: list[tuple[str, Callable[[Any], Any], Callable[[Any], Batch], Any, float]] = [
    ("MLP", _mlp, _rows, _classes, 1e-3),
    ("CNN", _cnn, _images, _classes, 1e-3),
    ("LSTM", lambda side: _recurrent(side, "LSTM"), _sentences, _classes, 2e-3),
    ("transformer", _transformer, _pairs, _translation, 1e-3),
]


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize(
    ("make", "draw", "loss", "lr"), [each[1:] for each in _MIXED], ids=[each[0] for each in _MIXED]
)
def test_bfloat16_autocast_is_within_two_percent(
    make: Callable[[Any], Any], draw: Callable[[Any], Batch], loss: Any, lr: float, torch: Any, rng: np.random.Generator
):
    """Of PyTorch's curve under its autocast, and of its curve in float32."""
    model, oracle = _pair(make, torch, double=False)
    exact = make(torch.nn)
    exact.load_state_dict(oracle.state_dict())
    data = tuple(map(_floats(np.float32), draw(rng)))
    ours = _curve(
        model,
        optim.AdamW(model.parameters(), lr),
        loss(functional.cross_entropy),
        _batches(data, 16),
        Tensor,
        lambda: pyneural.autocast("cpu", dtype=pyneural.bfloat16),
    )
    # oneDNN has an LSTM in bfloat16 for some processors only; PyTorch's own kernels compute it on all.
    with torch.backends.mkldnn.flags(enabled=False):
        curves = [
            _curve(
                each,
                torch.optim.AdamW(each.parameters(), lr),
                loss(torch.nn.functional.cross_entropy),
                _batches(data, 16),
                torch.tensor,
                mixed,
            )
            for each, mixed in ((oracle, lambda: torch.autocast("cpu", dtype=torch.bfloat16)), (exact, None))
        ]
    assert model.state_dict().keys() == oracle.state_dict().keys()
    assert {str(each.dtype) for each in model.parameters()} == {"float32"}
    for curve in curves:
        _same(ours, curve, 0.02, 0.99)


# The demo's network


def _twin(torch: Any) -> Any:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 3, padding=1),
        torch.nn.BatchNorm2d(32),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.BatchNorm2d(64),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Dropout(0.0),
        torch.nn.Flatten(),
        torch.nn.Linear(1024, 10),
    ).double()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda params: optim.Adam(params, 1e-3), lambda torch, params: torch.optim.Adam(params, 1e-3)),
        (
            lambda params: optim.SGD(params, 0.01, momentum=0.9),
            lambda torch, params: torch.optim.SGD(params, 0.01, momentum=0.9),
        ),
    ],
    ids=["Adam", "SGD with momentum"],
)
def test_the_demo_s_network(
    ours: Callable[[Any], optim.Optimizer], theirs: Callable[[Any, Any], Any], torch: Any, rng: np.random.Generator
):
    model = digits.build(dropout=0.0, dtype=np.float64)
    oracle = _twin(torch)
    _copy(model, oracle, torch)
    data = rng.standard_normal((64, 1, 8, 8)), rng.integers(0, 10, 64)
    loss, expected = (_classes(each) for each in (functional.cross_entropy, torch.nn.functional.cross_entropy))
    curve = _curve(model, ours(model.parameters()), loss, _batches(data, 16), Tensor)
    other = _curve(oracle, theirs(torch, oracle.parameters()), expected, _batches(data, 16), torch.tensor)
    _same(curve, other, 1e-9, 0.5)
    assert model[1].num_batches_tracked.item() == STEPS
    np.testing.assert_allclose(model[4].running_var.numpy(), oracle[4].running_var.numpy(), rtol=1e-9)
