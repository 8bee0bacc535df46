"""The training loop of lesson 6, once: train an epoch, evaluate, fit, predict."""

import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from tqdm import tqdm

from . import _explain
from ._arguments import function, kind, whole
from ._explain import Watch
from .history import Diverged, Epoch, History, Score


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
            raise ValueError(_explain.NO_BATCH.format("batches"))
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
    scaler: torch.amp.GradScaler | None = None,
) -> Score:
    """Go once through the batches: forward, loss, backward, step.

    Args:
        model: maps a batch x to logits, N×classes. Left in training mode.
        batches: yields (x, y), y of shape N with values from 0 to classes − 1; all on the model's device.
        optimizer: holds parameters of the model.
        loss_fn: takes (logits, y) and returns the batch's mean loss.
        after_step: called without arguments after each step, for example `scheduler.step`.
        scaler: with one, forward and loss run in mixed precision, with float16 where it is safe, and the scaler keeps
            small gradients from becoming 0 (P. Micikevicius et al., Mixed precision training, 2018).

    Returns:
        The score over all images, taken on the way.

    Raises:
        TypeError: an argument of the wrong kind, or batches that are no pairs of tensors.
        ValueError: there is no batch; or model, batches, labels and optimizer do not fit each other.
        Diverged: a FloatingPointError: the loss is not finite. On a CPU the weights are those before that step.

    Source: H. Robbins and S. Monro, A stochastic approximation method, 1951; the loop is the one of lesson 6.
    """
    _explain.check(model, batches)
    _explain.check_loss_fn(loss_fn)
    _explain.check_optimizer(optimizer, model)
    if after_step is not None:
        function("after_step", after_step, "a function without arguments, such as scheduler.step")
    model.train()
    sums = _Sums()
    with Watch(model, batches, loss_fn, optimizer) as watch:
        for x, y in watch:
            with _precision(x, scaler is not None):
                logits = model(x)
                loss = watch.loss(logits, y)
            optimizer.zero_grad()
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            if after_step is not None:
                after_step()
            sums.add(loss, logits, y)
    return sums.score()


@torch.inference_mode()
def evaluate(
    model: nn.Module, batches: Iterable, *, loss_fn: Callable = F.cross_entropy, mixed_precision: bool = False
) -> Score:
    """Score a model in evaluation mode, without gradients; afterwards each layer is in the mode it was in.

    Arguments and errors as in `train_epoch`; but a loss that is not finite is returned. `mixed_precision` is that of
    `fit`.
    """
    _explain.check(model, batches)
    _explain.check_loss_fn(loss_fn)
    sums = _Sums()
    with _evaluation_mode(model), Watch(model, batches, loss_fn) as watch:
        for x, y in watch:
            with _precision(x, mixed_precision and x.device.type == "cuda"):
                logits = model(x)
                loss = watch.loss(logits, y)
            sums.add(loss, logits, y)
    return sums.score()


@torch.inference_mode()
def predict(model: nn.Module, batches: Iterable) -> torch.Tensor:
    """The logits of all images in the order of the batches, N×classes, in evaluation mode.

    Raises:
        TypeError, ValueError: as in `train_epoch`.
    """
    _explain.check(model, batches)
    with _evaluation_mode(model), Watch(model, batches) as watch:
        logits = [model(x) for x, _ in watch]
    if not logits:
        raise ValueError(_explain.NO_BATCH.format("batches"))
    return torch.cat(logits)


def _precision(x, mixed):
    return torch.autocast(x.device.type, torch.float16) if mixed else nullcontext()


@contextmanager
def _evaluation_mode(model):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def fit(
    model: nn.Module,
    train_batches: Iterable,
    valid_batches: Iterable,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    loss_fn: Callable = F.cross_entropy,
    scheduler: LRScheduler | None = None,
    scheduler_step: str = "epoch",
    callbacks: Iterable = (),
    mixed_precision: bool = False,
) -> History:
    """Train for some epochs and look at the validation split after each. There is no place here for a test split.

    Prints one row per epoch. Ctrl-C, or a notebook's stop button, ends the training: the weights stay as the last step
    left them, and the history so far is returned, with `interrupted` set. The memory format of the model and the number
    of threads are left alone.

    Args:
        model, train_batches, valid_batches, optimizer, loss_fn: as in `train_epoch`. The batches can be gone through
            again and again.
        epochs: how many times to go through `train_batches`, at least 1.
        scheduler: changes the optimizer's learning rate, `scheduler_step` says when: after each "epoch" or each
            "batch". ReduceLROnPlateau, which goes by "epoch", is shown the validation loss; in mode "max" the accuracy.
        callbacks: objects with `on_epoch_end(state)`; one that returns "stop" ends the training after this epoch. Those
            that have `on_fit_start(state)` are called there too. A `Checkpoint` is the first at the start and the last
            at an end. state has model, optimizer, scheduler, train_batches, valid_batches, history, epoch, step (of
            all epochs) and stopped.
        mixed_precision: on CUDA, compute in float16 where it is safe. Elsewhere this changes nothing: most CPUs are
            slower with it.

    Returns:
        The history, one row per epoch.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or out of its range; and as in `train_epoch`.
        Diverged: the loss is not finite. The error holds the history so far; a checkpoint stays as it was.
    """
    epochs = whole("epochs", epochs, least=1)
    kind("mixed_precision", mixed_precision, bool, "True or False")
    for name, batches in (("train_batches", train_batches), ("valid_batches", valid_batches)):
        _explain.check(model, batches, name)
        _explain.check_again_and_again(name, batches)
    _explain.check_loss_fn(loss_fn)
    _explain.check_optimizer(optimizer, model)
    _explain.check_scheduler(scheduler, scheduler_step, optimizer)
    callbacks = _explain.check_callbacks(callbacks)
    checkpoints = [callback for callback in callbacks if getattr(callback, "keeps_all", False)]
    others = [callback for callback in callbacks if callback not in checkpoints]
    on_cuda = any(parameter.is_cuda for parameter in model.parameters())
    scaler = torch.amp.GradScaler("cuda", init_scale=1024.0) if mixed_precision and on_cuda else None
    history = History()
    state = SimpleNamespace(
        model=model,
        optimizer=optimizer,
        scheduler=scheduler,
        scheduler_step=scheduler_step,
        scaler=scaler,
        train_batches=train_batches,
        valid_batches=valid_batches,
        history=history,
        epoch=0,
        step=0,
        stopped=False,
    )

    def after_step():
        state.step += 1
        if scheduler is not None and scheduler_step == "batch":
            scheduler.step()

    _tell(checkpoints + others, "on_fit_start", state)
    print("epoch   train loss  accuracy   valid loss  accuracy   seconds")
    try:
        while len(history) < epochs and not state.stopped:
            state.epoch = len(history) + 1
            start, lr = time.perf_counter(), float(optimizer.param_groups[0]["lr"])
            shown = tqdm(train_batches, f"epoch {state.epoch}", leave=False, disable=None)  # a bar on terminals only
            train = train_epoch(model, shown, optimizer, loss_fn=loss_fn, after_step=after_step, scaler=scaler)
            seconds = time.perf_counter() - start
            valid = evaluate(model, valid_batches, loss_fn=loss_fn, mixed_precision=mixed_precision)
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(valid.loss if scheduler.mode == "min" else valid.accuracy)
            elif scheduler is not None and scheduler_step == "epoch":
                scheduler.step()
            history.append(Epoch(state.epoch, train, valid, lr, seconds))
            print(
                f"{state.epoch:5} {train.loss:12.4f} {train.accuracy:9.2%} {valid.loss:12.4f} {valid.accuracy:9.2%} "
                f"{seconds:9.1f}"
            )
            _tell(others + checkpoints, "on_epoch_end", state)
    except KeyboardInterrupt:
        history.interrupted = True
        if history and len(history) == state.epoch:  # it came when the epoch was done and not yet written
            _tell(checkpoints, "on_epoch_end", state)
        print(f"Interrupted: {len(history)} of {epochs} epochs are done.")
    except Diverged as problem:
        problem.epoch, problem.history = state.epoch, history
        raise
    return history


def _tell(callbacks, event, state):
    """Call each callback that has this event; also after one of them has answered "stop"."""
    for callback in callbacks:
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
