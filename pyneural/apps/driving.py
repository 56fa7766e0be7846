"""Driving from pictures: a CNN cloned from a script that knows the road, in Gymnasium's CarRacing-v3.

The network sees single frames as the simulator draws them, and says steer, gas and brake. At first the script drives;
then, before each of some epochs, the network drives tracks of its own and the script says what it should have done
(DAgger, Ross et al. 2011). Tracks of training, of the choice of an epoch and of the test are made from other seeds.
The training of seed 0 ended all ten test tracks with a lap and a mean return of 911, 0.997 of the script's 913.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.data import Dataset
from pyneural.device import Device
from pyneural.functional import abs as absolute
from pyneural.functional import cat, mse_loss, relu
from pyneural.optim import Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .image import read_colour
from .race_pictures import Drive, animate, draw_drive
from .racing import FIRST_COLUMN, FRAMES, LOCK, ROAD_ROWS, SIDE, Driver, Race, scripted, simulator, view
from .recordings import Pool
from .training import History, Settings, fit, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "driving"
EPOCHS = 14
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
METRIC = "steering error"
BARS = {"share": 0.95}
LOWER = ("decision_ms_p99",)
INPUT = "a frame of CarRacing as a picture, 96 x 96 pixels in colour"

SCRIPT = tuple(range(8))
ROUNDS = tuple((100 + 2 * number, 101 + 2 * number) for number in range(8))
VALIDATION = (900, 901, 902)
TEST = tuple(range(1000, 1010))
SAMPLES = 8192  # of an epoch
PATIENCE = 3


@dataclass(frozen=True)
class Tracks:
    """Which tracks are driven for what; they are drawn and driven when that is asked for.

    Attributes:
        script: those that the script drives before the first epoch.
        rounds: those that the network drives before each epoch from the second on.
        validation: where the epoch is chosen that is kept, after the last round; none where there is no track.
        test: those of the scores.
        frames: the most of a drive.
        samples: of an epoch, drawn from all that was seen by then.
    """

    script: tuple[int, ...]
    rounds: tuple[tuple[int, ...], ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    frames: int
    samples: int
    device: str | Device | None
    dtype: Any


def load_data(device: str | Device | None = None, dtype: Any = None) -> Tracks:
    """All of the tracks.

    Raises:
        MissingPackage: gymnasium, box2d or pygame-ce is not installed.
    """
    simulator()
    return Tracks(SCRIPT, ROUNDS, VALIDATION, TEST, FRAMES, SAMPLES, device, dtype or np.float32)


class Network(nn.Module):
    """(N, 1, 42, 48), the road, and (N, 84), the indicators -> (N, 3): steer in parts of the lock, gas, brake."""

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        layers: list[nn.Module] = []
        for inputs, outputs, size in ((1, 24, 5), (24, 36, 3), (36, 48, 3)):
            layers += [nn.Conv2d(inputs, outputs, size, stride=2, padding=size // 2, **made), nn.ReLU()]
        self.road = nn.Sequential(*layers, nn.Flatten(), nn.Linear(48 * 6 * 6, 128, **made))
        self.bars = nn.Linear(SIDE - FIRST_COLUMN, 32, **made)
        self.both = nn.Sequential(nn.Linear(160, 64, **made), nn.ReLU(), nn.Linear(64, 3, **made))

    def forward(self, road: Tensor, bars: Tensor) -> Tensor:
        told = self.both(relu(cat([self.road(road - 0.5), self.bars(bars)], dim=1)))
        whole: Tensor = cat([told[:, :1].tanh(), told[:, 1:].sigmoid()], dim=1)
        return whole


def build(*, device: str | Device | None = None, dtype: Any = None) -> Network:
    """The network, with fresh parameters."""
    return Network(device, dtype)


class _Samples(Dataset):
    """So many of what was seen by now, drawn anew for each epoch."""

    def __init__(self, data: Tracks, pool: Pool) -> None:
        self.data, self.pool = data, pool
        self.rows = np.zeros(data.samples, np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, seen = self.rows[indices.cpu().numpy()], self.pool.seen
        made = functools.partial(Tensor, device=self.data.device, dtype=self.data.dtype)
        wanted = seen.wanted[rows] / (LOCK, 1.0, 1.0)
        return made(seen.road[rows, None] / 255.0), made(seen.bars[rows]), made(wanted)


def train(model: Network, data: Tracks, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with Adam on what script and network drive, and keep the epoch that drives the validation tracks best.

    What the network drove is kept beside the checkpoint while the training lasts. The settings and errors are those of
    `pyneural.apps.training.fit`, and `Refused` where a training cannot go on because such a drive is missing.
    """
    checkpoint, epoch = settings.get("checkpoint"), 0
    pool = Pool(None if checkpoint is None else checkpoint.path, data.frames)
    samples = _Samples(data, pool)

    def begin(history: History) -> None:
        nonlocal epoch
        epoch = len(history.scores)
        for number, tracks in enumerate((data.script, *data.rounds)[: epoch + 1]):
            due = number == epoch and not history.seen
            pool.add(number, tracks, driver(model) if number else None, due)
        total, rng = len(pool.seen), np.random.default_rng(epoch)
        samples.rows = rng.choice(total, data.samples, replace=total < data.samples)

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        road, bars, wanted = batch
        told = model(road, bars)
        return mse_loss(told, wanted), absolute(told.detach() - wanted)[:, 0].sum() * LOCK

    def validate() -> float:
        if epoch < len(data.rounds):
            return 1000.0 - epoch  # worse than any drive, and the last of them the best
        return -_worth([driven(model, each, data.frames) for each in data.validation])["return"]

    given = usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE)
    watched: dict[str, Any] = {"validate": validate, "patience": PATIENCE} if data.validation else {}
    done = fit(model, samples, step, begin=begin, compiled=True, **watched, **given)
    pool.forget()
    return done


def decide(model: Network, frame: np.ndarray) -> np.ndarray:
    """A frame to steer, gas and brake."""
    parameter = model.bars.weight
    made = functools.partial(Tensor, device=parameter.device, dtype=parameter.dtype)
    road, bars = view(frame)
    with no_grad():
        told = model(made(road[None, None] / 255.0), made(bars[None])).cpu().numpy()[0]
    action: np.ndarray = told.astype(np.float64) * (LOCK, 1.0, 1.0)
    return action


def driver(model: Network) -> Driver:
    """The network as a driver."""
    return functools.partial(decide, model)


def driven(
    model: Network,
    track: int,
    frames: int,
    note: Callable[[Race, np.ndarray, float], None] = lambda race, action, seconds: None,
) -> Race:
    """A race that the network has driven; ``note`` is told, before each frame, what it decided and in what time."""
    race = Race(track)
    while not race.over and race.steps < frames:
        start = time.perf_counter()
        action = decide(model, race.frame)
        note(race, action, time.perf_counter() - start)
        race.step(action)
    return race


def score(model: Network, data: Tracks) -> Scores:
    """On the test tracks: mean return, its share of the script's, laps, and the time of the slowest decisions."""
    seconds: list[float] = []
    races = [driven(model, each, data.frames, lambda race, action, took: seconds.append(took)) for each in data.test]
    ours = _worth(races)
    return {
        "share": ours["return"] / _script(data.test, data.frames)["return"],
        **ours,
        "decision_ms_p99": 1e3 * float(np.quantile(seconds, 0.99)),
    }


def _worth(races: list[Race]) -> Scores:
    return {"return": float(np.mean([each.gained for each in races])), "laps": float(sum(r.finished for r in races))}


@functools.cache
def _script(tracks: tuple[int, ...], frames: int) -> Scores:
    return _worth([scripted(each, frames) for each in tracks])


def baseline() -> Scores:
    """The script, which knows road and car, on the test tracks."""
    return {"share": 1.0, **_script(TEST, FRAMES)}


def draw(path: Path, model: Network, data: Tracks) -> None:
    """The first test track: the network's way, and frames with what it did; the drive as a GIF beside it."""
    frames, places, actions = [], [], []

    def note(race: Race, action: np.ndarray, seconds: float) -> None:
        frames.append(race.frame)
        places.append((*race.position, race.speed))
        actions.append(action)

    race = driven(model, data.test[0], data.frames, note)
    drive = Drive(race.line, np.array(places), np.array(actions), np.array(frames))
    ending = f"a lap in {race.steps / 50:.1f} s" if race.finished else f"no lap in {race.steps / 50:.1f} s"
    draw_drive(path, drive, f"Track {data.test[0]}, never seen in training: {ending}, return {race.gained:.0f}")
    animate(path.with_suffix(".gif"), drive.frames)


def answer(model: Network, given: str, device: str | Device | None = None) -> Answer:
    """What the network would do at a frame."""
    path = input_file("predict", given)
    frame = read_colour("read_frame", path)
    if frame.shape != (SIDE, SIDE, 3):
        height, width = frame.shape[:2]
        raise ValueError(f"read_frame: {path} has {width} x {height} pixels, not {SIDE} x {SIDE}")
    dark = float((frame[ROAD_ROWS:].max(axis=2) < 32).mean())
    if dark < 0.5:
        raise ValueError(
            f"read_frame: {path} is no frame of CarRacing: {100 * dark:.0f} % of its lowest {SIDE - ROAD_ROWS} rows "
            "are black, where the indicators stand"
        )
    steer, gas, brake = (float(each) for each in decide(model, frame))
    text = f"steer {steer:+.3f} (-1 left, 1 right; the wheels end at {LOCK}), gas {gas:.3f}, brake {brake:.3f}"
    return Answer({"steer": steer, "gas": gas, "brake": brake}, text)
