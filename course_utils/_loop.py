"""What `fit` is made of beside its epochs: the state that callbacks are shown, their order, and the printed table."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from .history import Epoch, History, Score

HEAD = "epoch   train loss  accuracy   valid loss  accuracy   seconds"


@dataclass
class State:
    """A training as it stands: its parts, its history, and how far it has come."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    scheduler_step: str
    train_batches: Iterable
    valid_batches: Iterable
    mixed_precision: bool = False
    history: History = field(default_factory=History)
    epoch: int = 0
    step: int = 0  # of all epochs
    stopped: bool = False
    bfloat16: bool | None = None  # what mixed precision came to; None before that is decided

    def after_step(self) -> None:
        """Count a step of the optimizer, and move a scheduler that goes by batches."""
        self.step += 1
        if self.scheduler is not None and self.scheduler_step == "batch":
            self.scheduler.step()

    def after_epoch(self, valid: Score) -> None:
        """Move a scheduler that goes by epochs; one that waits for a plateau is shown the validation score."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(valid.loss if self.scheduler.mode == "min" else valid.accuracy)
        elif self.scheduler is not None and self.scheduler_step == "epoch":
            self.scheduler.step()


class Callback(Protocol):
    """What `fit` calls after each epoch, and at the start of those that have `on_fit_start(state)`."""

    def on_epoch_end(self, state: State) -> str | None: ...


def keeps_all(callback: Callback) -> bool:
    """Whether it is a checkpoint."""
    return getattr(callback, "keeps_all", False)


def tell(callbacks: Iterable[Callback], event: str, state: State) -> None:
    """Call each callback that has this event; also after one of them has answered "stop".

    A checkpoint is the first at the start, to put everything back, and the last at the end of an epoch.
    """
    for callback in sorted(callbacks, key=keeps_all, reverse=event == "on_fit_start"):
        if not hasattr(callback, event):
            continue
        try:
            reply = getattr(callback, event)(state)
        except Exception as problem:
            problem.add_note(f"It arose in {type(callback).__name__}.{event}, after {len(state.history)} epochs.")
            raise
        if reply is not None and not (isinstance(reply, str) and reply == "stop"):
            raise TypeError(f'{type(callback).__name__}.{event} must return "stop" or None; got {reply!r}.')
        state.stopped = state.stopped or reply == "stop"


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """The model answers in evaluation mode; afterwards each layer is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def line(row: Epoch) -> str:
    """One line of the table that `fit` prints, under `HEAD`."""
    scores = " ".join(f"{score.loss:12.4f} {score.accuracy:9.2%}" for score in (row.train, row.valid))
    return f"{row.epoch:5} {scores} {row.seconds:9.1f}"
