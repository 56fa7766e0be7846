"""CarRacing-v3 of Gymnasium: its tracks, what a driver sees of them, and a scripted driver that knows them.

A track is made from a seed, its number here. The car gets 1000 / N for each of the N tiles of a track and loses 0.1 a
frame, of which there are 50 a second; an episode ends after a lap, after 1,000 frames, or far from the road.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .extras import need

FRAMES = 1000
SIDE, ROAD_ROWS, FIRST_COLUMN = 96, 84, 12
LOCK = 0.4  # radians that the front wheels turn at most; the simulator takes a steering angle for the action
CORNER, LARGEST = 782.0, 383.0  # pixels of the simulator: from the car to the farthest corner; across a patch of grass
HALF_WIDTH = 40 / 6  # of the road, in metres
WHEELBASE = 3.24
GRIP, BRAKING = 110.0, 50.0  # accelerations in m/s^2: sideways, and in front of a bend
SLOWEST, FASTEST = 20.0, 78.0  # m/s
LEAD = 0.16  # seconds ahead that speed is chosen for
NEAR, AHEAD = 6.0, 0.25  # metres, and seconds, to the point that is steered for
LOST = 25.0  # m/s next to the road


class Race:
    """A track, and the car on it.

    Attributes:
        frame: (96, 96, 3) in uint8, as the simulator draws it; nothing where ``blind``, which is four times faster.
        line: (N, 2), the middle of the road in metres.
        gained: the return so far.
        steps: frames so far.
        over, finished: whether the episode has ended, and whether with a lap.

    Raises:
        MissingPackage: gymnasium, box2d or pygame-ce is not installed.
    """

    def __init__(self, track: int, blind: bool = False) -> None:
        self.environment = simulator().make("CarRacing-v3", disable_env_checker=True)
        self._inner = self.environment.unwrapped
        if blind:
            self._inner._render = lambda mode: np.zeros((SIDE, SIDE, 3), np.uint8)
        self.frame: np.ndarray = self.environment.reset(seed=track)[0]
        self._inner._render_road = _Near(self._inner)
        self.line = np.array(self._inner.track)[:, 2:]
        self.gained, self.steps, self.over, self.finished = 0.0, 0, False, False

    def step(self, action: np.ndarray) -> None:
        """One frame of ``action``: steer from -1 (left) to 1, gas and brake from 0 to 1."""
        frame, reward, ended, late, facts = self.environment.step(np.asarray(action, np.float64))
        self.frame, self.over = frame, bool(ended or late)
        self.gained, self.steps = self.gained + float(reward), self.steps + 1
        self.finished = bool(ended and facts.get("lap_finished"))

    @property
    def position(self) -> np.ndarray:
        return np.array(self._inner.car.hull.position)

    @property
    def heading(self) -> float:
        """Radians; at 0 the car looks along y, and it grows to the left."""
        return float(self._inner.car.hull.angle)

    @property
    def speed(self) -> float:
        """Metres a second."""
        return float(np.hypot(*self._inner.car.hull.linearVelocity))


class _Near:
    """In the place of the simulator's method that draws grass and road: it draws what is near enough to be seen.

    Nine polygons in ten are not, and the simulator turns each of their corners before it finds that out.
    """

    def __init__(self, inner: Any) -> None:
        course = sys.modules[type(inner).__module__]
        self.inner, edge, patch = inner, course.PLAYFIELD, course.GRASS_DIM
        self.field = [(edge, edge), (edge, -edge), (-edge, -edge), (-edge, edge)]
        places = [patch * number for number in range(-20, 20, 2)]
        grass = [[(x + patch, y), (x, y), (x, y + patch), (x + patch, y + patch)] for x in places for y in places]
        self.polygons = [*((each, inner.grass_color) for each in grass), *inner.road_poly]
        self.corners = np.array([polygon[0] for polygon, _ in self.polygons])

    def __call__(self, zoom: float, translation: Any, angle: float) -> None:
        draw, surface = self.inner._draw_colored_polygon, self.inner.surf
        draw(surface, self.field, self.inner.bg_color, zoom, translation, angle, clip=False)
        away = np.hypot(*(self.corners - np.array(self.inner.car.hull.position)).T)
        for number in np.flatnonzero(away * zoom < CORNER + LARGEST):
            polygon, color = self.polygons[number]  # a tile that is driven on changes its colour
            draw(surface, polygon, [int(each) for each in color], zoom, translation, angle)


def simulator() -> Any:
    """Gymnasium with what its car needs; `MissingPackage` says how to install it."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would stand before what --json prints
    gymnasium = need("gymnasium", "gymnasium")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made an error, SWIG's warning about its types crashes the interpreter
        need("Box2D", "box2d")
    need("pygame", "pygame-ce")
    return gymnasium


class Script:
    """A driver that knows the road: pure pursuit (Coulter 1992), at a speed that the bends ahead allow.

    Attributes:
        off: metres from the middle of the road, when it last looked.
    """

    def __init__(self, race: Race) -> None:
        self.race, self.line = race, race.line
        self.limit = speeds(self.line)
        self.place, self.off = 0, 0.0

    def __call__(self) -> np.ndarray:
        """What to do now: steer, gas, brake."""
        race, count = self.race, len(self.line)
        near = (self.place + np.arange(-10, 30)) % count
        away = np.linalg.norm(self.line[near] - race.position, axis=1)
        self.place, self.off = int(near[away.argmin()]), float(away.min())
        speed = race.speed
        aim = self._ahead(NEAR + AHEAD * speed) - race.position
        right = np.array([math.cos(race.heading), math.sin(race.heading)])
        forward = np.array([-right[1], right[0]])
        side, front = float(aim @ right), float(aim @ forward)
        angle = math.atan(2.0 * WHEELBASE * side / max(float(aim @ aim), 1.0))
        wanted = self.limit[(self.place + round(LEAD * speed / self._spacing())) % count]
        if front < 0.0:  # it has spun
            angle, wanted = math.copysign(LOCK, side), SLOWEST / 2
        elif self.off > HALF_WIDTH:
            wanted = min(wanted, LOST)
        steer = min(max(angle, -LOCK), LOCK)
        more = wanted - speed
        # Wheels that drive have less grip left to turn.
        gas = min(max(0.12 * more, 0.0), 1.0) * (1.0 - 0.6 * abs(steer) / LOCK)
        return np.array([steer, gas, min(max(-0.06 * more, 0.0), 0.8)])

    def _spacing(self) -> float:
        return float(np.linalg.norm(self.line[1] - self.line[0]))

    def _ahead(self, distance: float) -> np.ndarray:
        """The first point of the line, from the car's place on, that is so far from the car; its place if none is."""
        around = np.roll(self.line, -self.place, axis=0)
        far = np.hypot(*(around - self.race.position).T) >= distance
        point: np.ndarray = around[int(far.argmax())]
        return point


def speeds(line: np.ndarray, reach: int = 3) -> np.ndarray:
    """(N, 2) -> (N): metres a second at which a car holds the bend at each point, and can brake for the next."""
    step = np.roll(line, -1, axis=0) - line
    length = np.linalg.norm(step, axis=1)
    heading = np.arctan2(step[:, 1], step[:, 0])
    turn = np.angle(np.exp(1j * (np.roll(heading, -reach) - np.roll(heading, reach))))
    curvature = np.abs(turn) / sum(np.roll(length, -each) for each in range(-reach, reach))
    limit: np.ndarray = np.clip(np.sqrt(GRIP / np.maximum(curvature, 1e-6)), SLOWEST, FASTEST)
    for place in range(2 * len(line) - 1, -1, -1):  # backwards, twice round
        here, after = place % len(line), (place + 1) % len(line)
        limit[here] = min(limit[here], math.sqrt(limit[after] ** 2 + 2.0 * BRAKING * length[here]))
    return limit


def view(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a network is given of a frame: (42, 48) in uint8 of the road, (84) in float32 of the indicators.

    Green tells road (0.4) from grass (0.8 and 0.9) best, at half of the size. The indicators below, speed, wheels,
    steering and rotation, are bars: the mean of each column, from 0 to 1. The return, left of them, is not shown.
    """
    green = frame[:ROAD_ROWS, :, 1].reshape(ROAD_ROWS // 2, 2, SIDE // 2, 2)
    bars = frame[ROAD_ROWS:, FIRST_COLUMN:].max(axis=2).mean(axis=0, dtype=np.float32) / np.float32(255.0)
    return green.mean(axis=(1, 3), dtype=np.float32).round().astype(np.uint8), bars


Driver = Callable[[np.ndarray], np.ndarray]
"""A frame to an action: steer, gas, brake."""


@dataclass(frozen=True)
class Recording:
    """A drive, frame by frame.

    Attributes:
        road, bars: (T, 42, 48) and (T, 84), as of `view`.
        wanted: (T, 3), what the script would have done.
    """

    road: np.ndarray
    bars: np.ndarray
    wanted: np.ndarray

    def __len__(self) -> int:
        return len(self.road)

    @staticmethod
    def joined(parts: list[Recording]) -> Recording:
        """One after the other."""
        names = ("road", "bars", "wanted")
        return Recording(*(np.concatenate([getattr(each, name) for each in parts]) for name in names))


def record(track: int, frames: int, driver: Driver | None = None) -> Recording:
    """Drive a track and note what the script says to each frame.

    With a driver it drives, until it leaves the road, from where the script drives it back to the middle (DAgger, Ross
    et al. 2011). Without one the script drives, and is pushed: in stretches of random length its steering is not
    its own, so that ways back from mistakes are seen too.
    """
    race, rng = Race(track), np.random.default_rng(track)
    script, seen, rescued, push, left = Script(race), [], False, 0.0, 0
    while not race.over and race.steps < frames:
        wanted = script()
        seen.append((*view(race.frame), wanted))
        if driver is None:
            if left == 0:
                push = 0.0 if push else rng.uniform(-0.15, 0.15)
                left = int(rng.integers(5, 13) if push else rng.integers(20, 60))
            left -= 1
            action = wanted + np.array([push, 0.0, 0.0])
        else:
            rescued = script.off > (0.4 if rescued else 1.0) * HALF_WIDTH
            action = wanted if rescued else driver(race.frame)
        race.step(action)
    road, bars, labels = (np.stack(each) for each in zip(*seen, strict=True))
    return Recording(road, bars, labels.astype(np.float32))


def scripted(track: int, frames: int = FRAMES) -> Race:
    """A race that the script has driven, blind."""
    race = Race(track, blind=True)
    script = Script(race)
    while not race.over and race.steps < frames:
        race.step(script())
    return race
