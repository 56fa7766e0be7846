"""The training loop of every application: a falling learning rate, early stopping, checkpoints to go on from."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.data import DataLoader
from pyneural.io import load_checkpoint, save_checkpoint
from pyneural.optim import Adam, Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .ranks import Options, Ranks


class Refused(ValueError):
    """A training cannot begin: a number out of range, or the checkpoint of another training."""


@dataclass(frozen=True)
class Progress:
    """Where a training is after a step.

    Attributes:
        step, steps: steps made, of how many.
        epoch, epochs: the epoch that the step belongs to, from 1, of how many.
        samples: of the step's batch.
        loss: of the step's batch.
        score: the application's metric, over the epoch's samples so far, as they were augmented.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    samples: int
    loss: float
    score: float


@dataclass
class History:
    """What a training saw, and all of its state that is in no model, optimizer, generator or loader.

    Attributes:
        losses: of each step.
        scores: the metric of each epoch, on its training samples.
        validation: what was to become small, after each epoch; empty where nothing is watched.
        seconds: spent, in all runs together.
        gained, seen: the running epoch's sum of scores, and its samples.
    """

    losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: float = 0.0
    gained: float = 0.0
    seen: int = 0

    @property
    def final_loss(self) -> float:
        """The mean loss of the last epoch."""
        steps = len(self.losses) // len(self.scores)
        return sum(self.losses[-steps:]) / steps

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 1: the last, or that of the smallest validation."""
        if not self.validation:
            return len(self.scores)
        return self.validation.index(min(self.validation)) + 1


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a running training is kept.

    Attributes:
        path: a file; if it is there, `fit` goes on from it, and it stays when the training has ended.
        facts: what else distinguishes this training from others (application, seed, device): those of the file
            must be the same.
        every: seconds from one save to the next within an epoch; each epoch's end is saved as well.
    """

    path: Path
    facts: dict[str, Any]
    every: float = 30.0


Step = Callable[[Any], tuple[Tensor, Any]]
"""A batch to its loss, and to the sum of the metric over its samples, a number or a tensor of one."""


class _Watched(TypedDict, total=False):
    generator: Generator | None
    on_step: Callable[[Progress], None]
    checkpoint: Checkpoint | None
    ranks: Options


class Settings(_Watched, total=False):
    """What a caller of an application's `train` may choose; see `fit`."""

    epochs: int
    batch_size: int
    lr: float


class Plan(_Watched):
    """The same, with what `fit` must be told."""

    epochs: int
    batch_size: int
    lr: float


def usual(settings: Settings, epochs: int, batch_size: int, lr: float) -> Plan:
    """What was chosen, and an application's own numbers where none were."""
    return {"epochs": epochs, "batch_size": batch_size, "lr": lr, **settings}


def fit(
    model: nn.Module,
    dataset: Any,
    step: Step,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    generator: Generator | None = None,
    optimizer: Callable[[Iterable[Any], float], Optimizer] = Adam,
    validate: Callable[[], float] | None = None,
    patience: int | None = None,
    begin: Callable[[History], None] | None = None,
    on_step: Callable[[Progress], None] = lambda progress: None,
    checkpoint: Checkpoint | None = None,
    ranks: Options = Options(),  # noqa: B008 - frozen
    compiled: bool = False,
) -> tuple[History, Optimizer]:
    """Train ``model`` with a learning rate that falls to 0 as half a cosine; of several ranks each takes a part.

    Args:
        epochs, batch_size: at least 1; samples that fill no batch are left out of an epoch. With several ranks the
            batch is that of all together.
        lr: learning rate at the start.
        generator: order of the samples, `pyneural.random.default_generator` unless given.
        validate: a number that should become small, asked for after each epoch; the weights of its best epoch are
            those that the model has at the end.
        patience: epochs without a better number after which the training ends.
        begin: called before each epoch, and where a training goes on within one, with what it has seen; it may change
            the samples of ``dataset``, not their number.
        on_step: called after each step.
        compiled: ``step`` reads no value and depends on nothing that changes in Python: its kernels are repeated by
            `pyneural.compile`, forward, backward and update, with the same results.

    Raises:
        Refused: a number out of range; a checkpoint that is none, or that of another training.
    """
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value < 1:
            raise Refused(f"train: {name} (={value}) must be at least 1")
    if not 0.0 <= lr < math.inf:
        raise Refused(f"train: lr (={lr}) must be at least 0 and finite")
    if batch_size > len(dataset):
        raise Refused(f"train: batch_size (={batch_size}) must be at most the {len(dataset)} training samples")
    generator = generator or default_generator
    try:
        team = Ranks(model, batch_size, generator, ranks)
    except ValueError as error:
        raise Refused(str(error)) from None
    loader = DataLoader(team.share(dataset), batch_size, shuffle=True, drop_last=True, generator=generator)
    run = _Run(model, team.optimizer(optimizer(model.parameters(), lr)), loader, generator, validate is not None, team)
    settings = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    if checkpoint is not None:
        checkpoint = Checkpoint(checkpoint.path, team.same({**checkpoint.facts, **settings}), checkpoint.every)
        run.resume(checkpoint)
    history, steps = run.history, epochs * len(loader)
    learn = team.learner(step, run.optimizer, compiled=compiled)
    model.train()
    clock = saved = time.perf_counter()
    while len(history.scores) < epochs and not _stale(history, patience):
        if begin is not None:
            team.in_turn(begin, history)
        for batch in loader:
            for group in run.optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1.0 + math.cos(math.pi * len(history.losses) / steps))
            due = checkpoint is not None and time.perf_counter() - saved >= checkpoint.every
            loss, gained, due = team.step(learn, batch, due)
            history.losses.append(loss)
            history.seen += batch_size
            history.gained += gained
            now = time.perf_counter()
            history.seconds, clock = history.seconds + now - clock, now
            made = len(history.losses)
            score = history.gained / history.seen
            on_step(Progress(made, steps, len(history.scores) + 1, epochs, batch_size, loss, score))
            team.made(made)
            # The last step of an epoch belongs to the state at its end.
            if checkpoint is not None and due and made % len(loader):
                run.save(checkpoint)
                saved = time.perf_counter()
        history.scores.append(history.gained / history.seen)
        history.gained, history.seen = 0.0, 0
        if validate is not None and run.best is not None:
            history.validation.append(team.validated(validate))
            if history.best_epoch == len(history.scores):
                run.best.load_state_dict(model.state_dict())
        if checkpoint is not None:
            run.save(checkpoint)
            saved = time.perf_counter()
    if run.best is not None:
        model.load_state_dict(run.best.state_dict())
    team.close()
    return history, run.optimizer


def _stale(history: History, patience: int | None) -> bool:
    """Whether the last ``patience`` epochs have brought nothing better."""
    return patience is not None and len(history.validation) - history.best_epoch >= patience > 0


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """The network's answer in evaluation, without gradients; the module's mode is restored."""
    training = model.training
    model.eval()
    try:
        with no_grad():
            return model(inputs)  # type: ignore[no-any-return]
    finally:
        model.train(training)


class _Run:
    """A training's whole state."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loader: DataLoader,
        generator: Generator,
        keep_best: bool,
        team: Ranks,
    ) -> None:
        self.optimizer, self.loader, self.team = optimizer, loader, team
        self.best = copy.deepcopy(model) if keep_best else None
        self.models = nn.ModuleDict({"model": model, **({} if self.best is None else {"best": self.best})})
        # Order and augmentation draw from one, dropout from the other; often they are the same.
        self.generators = {"given": generator, "default": default_generator}
        self.history = History()

    def save(self, checkpoint: Checkpoint) -> None:
        if not self.team.writes(self.optimizer):
            return
        save_checkpoint(
            checkpoint.path,
            model=self.models,
            optimizer=self.optimizer,
            generator=self.generators,
            loader=self.loader,
            training=checkpoint.facts,
            history=asdict(self.history),
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take the state of the file, if it is there."""
        content = self.team.content(checkpoint.path)
        if content is None:
            return
        # What it says is compared before anything is restored.
        try:
            found = load_checkpoint(checkpoint.path, content=content)
        except ValueError as error:
            raise Refused(f"train: {error}") from None
        before = found.get("training")
        if not isinstance(before, dict):
            raise Refused(f"train: {checkpoint.path} is the state of no training")
        others = [
            f"{name} {before.get(name)} instead of {value}"
            for name, value in checkpoint.facts.items()
            if before.get(name) != value
        ]
        if others:
            raise Refused(f"train: {checkpoint.path} is the state of another training: {', '.join(others)}")
        self.team.writes(self.optimizer)
        try:
            load_checkpoint(
                checkpoint.path,
                content=content,
                model=self.models,
                optimizer=self.optimizer,
                generator=self.generators,
                loader=self.loader,
            )
            self.history = History(**found["history"])
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"train: {checkpoint.path} does not fit: {error}") from None
