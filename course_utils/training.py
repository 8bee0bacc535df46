"""The training loop of lesson 6, once: train an epoch, evaluate, fit, predict."""

import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm


class Score(NamedTuple):
    """Mean loss per image, and the share of images that were classified correctly (0 to 1)."""

    loss: float
    accuracy: float


class Epoch(NamedTuple):
    """One row of a history. The training score is taken on the way, in training mode, while the weights change."""

    epoch: int
    train: Score
    valid: Score
    lr: float
    seconds: float


class History(list):
    """The rows of a training, one `Epoch` each; `column("valid", "accuracy")` gives one of its curves."""

    def column(self, split: str, measure: str) -> list[float]:
        """The values of one curve; split is "train" or "valid", measure is "loss" or "accuracy"."""
        return [getattr(getattr(row, split), measure) for row in self]


class _Sums:
    """Sums over images, divided once at the end: a short last batch weighs what it holds, no more.

    The batches' losses and counts stay on their device until then, so that a GPU never has to wait for Python.
    """

    def __init__(self):
        self.losses, self.correct, self.sizes = [], [], []

    def add(self, loss, logits, y):
        self.losses.append(loss.detach())
        self.correct.append((logits.detach().argmax(1) == y).sum())
        self.sizes.append(len(y))

    def score(self):
        if not self.sizes:
            raise ValueError(
                "There is not one batch in `batches`: is the split empty, or drop_last set on a small one?"
            )
        losses, correct = torch.stack(self.losses).tolist(), torch.stack(self.correct).tolist()
        loss = sum(loss * size for loss, size in zip(losses, self.sizes, strict=True))
        return Score(loss / sum(self.sizes), sum(correct) / sum(self.sizes))


def train_epoch(
    model: nn.Module,
    batches: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    loss_fn: Callable = F.cross_entropy,
    after_step: Callable | None = None,
) -> Score:
    """Go once through the batches: forward, loss, backward, step.

    Args:
        model: maps a batch x to logits, N×classes. Left in training mode.
        batches: yields (x, y), y of shape N with values from 0 to classes − 1; all on the model's device.
        loss_fn: takes (logits, y) and returns the batch's mean loss.
        after_step: called without arguments after each step, for example `scheduler.step`.

    Returns:
        The score over all images, taken on the way.

    Raises:
        ValueError: there is no batch.

    Source: H. Robbins and S. Monro, A stochastic approximation method, 1951; the loop is the one of lesson 6.
    """
    model.train()
    sums = _Sums()
    for x, y in batches:
        logits = model(x)
        loss = loss_fn(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if after_step:
            after_step()
        sums.add(loss, logits, y)
    return sums.score()


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable, *, loss_fn: Callable = F.cross_entropy) -> Score:
    """Score a model in evaluation mode, without gradients; the mode it was in comes back afterwards.

    Arguments and errors as in `train_epoch`.
    """
    sums = _Sums()
    for logits, y in _forward(model, batches):
        sums.add(loss_fn(logits, y), logits, y)
    return sums.score()


@torch.inference_mode()
def predict(model: nn.Module, batches: Iterable) -> torch.Tensor:
    """The logits of all images in the order of the batches, N×classes, in evaluation mode.

    Raises:
        ValueError: there is no batch.
    """
    logits = [logits for logits, _ in _forward(model, batches)]
    if not logits:
        raise ValueError("There is not one batch in `batches`: is the split empty?")
    return torch.cat(logits)


def _forward(model, batches):
    was_training = model.training
    model.eval()
    try:
        for x, y in batches:
            yield model(x), y
    finally:
        model.train(was_training)


def fit(
    model: nn.Module,
    train_batches: Iterable,
    valid_batches: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    loss_fn: Callable = F.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    scheduler_step: str = "epoch",
    callbacks: Iterable = (),
) -> History:
    """Train for some epochs and look at the validation split after each. There is no place here for a test split.

    Prints one row per epoch.

    Args:
        epochs: how many times to go through `train_batches`, at least 1.
        scheduler: changes the learning rate, `scheduler_step` says when: after each "epoch" or each "batch".
        callbacks: objects with `on_epoch_end(state)`, where state has model, optimizer, history; a callback that
            returns "stop" ends the training after this epoch.

    Returns:
        The history, one row per epoch.

    Raises:
        ValueError: epochs below 1, an unknown scheduler_step, or no batches.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1; got {epochs}.")
    if scheduler_step not in ("epoch", "batch"):
        raise ValueError(f'scheduler_step must be "epoch" or "batch"; got {scheduler_step!r}.')
    history = History()
    state = SimpleNamespace(model=model, optimizer=optimizer, history=history)
    by_batch = scheduler.step if scheduler and scheduler_step == "batch" else None
    print("epoch   train loss  accuracy   valid loss  accuracy   seconds")
    for epoch in range(1, epochs + 1):
        start, lr = time.perf_counter(), optimizer.param_groups[0]["lr"]
        shown = tqdm(train_batches, desc=f"epoch {epoch}", leave=False, disable=None)  # a bar on terminals only
        train = train_epoch(model, shown, optimizer, loss_fn=loss_fn, after_step=by_batch)
        seconds = time.perf_counter() - start
        valid = evaluate(model, valid_batches, loss_fn=loss_fn)
        if scheduler and scheduler_step == "epoch":
            scheduler.step()
        history.append(Epoch(epoch, train, valid, lr, seconds))
        print(
            f"{epoch:5} {train.loss:12.4f} {train.accuracy:9.2%} {valid.loss:12.4f} {valid.accuracy:9.2%} "
            f"{seconds:9.1f}"
        )
        replies = [callback.on_epoch_end(state) for callback in callbacks]  # each is asked, also after a "stop"
        if "stop" in replies:
            break
    return history
