"""The training loop of lesson 6, once: train an epoch, evaluate, fit, predict."""

import time
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from . import _explain, _precision
from ._arguments import kind, whole
from ._loop import HEAD, Callback, State, evaluation_mode, keeps_all, line, tell
from .history import Diverged, Epoch, History, Score


def train_epoch(
    model: nn.Module,
    batches: Iterable,
    optimizer: Optimizer,
    *,
    loss_fn: Callable = F.cross_entropy,
    after_step: Callable | None = None,
) -> Score:
    """Go once through the batches: forward, loss, backward, step.

    Args:
        model: maps a batch x to logits, N×classes. Left in training mode.
        batches: yields (x, y), y of shape N with values from 0 to classes − 1; all on the model's device.
        optimizer: holds parameters of the model.
        loss_fn: takes (logits, y) and returns the batch's mean loss.
        after_step: called without arguments after each step, for example `scheduler.step`.

    Returns:
        The score over all images, taken on the way.

    Raises:
        TypeError: an argument of the wrong kind, or batches that are no pairs of tensors.
        ValueError: there is no batch; or model, batches, labels and optimizer do not fit each other.
        Diverged: a FloatingPointError: the loss is not finite. On a CPU the weights are those before that step.

    Source: H. Robbins and S. Monro, A stochastic approximation method, 1951; the loop is the one of lesson 6.

    Example:
        >>> from course_utils import batches, load
        >>> from course_utils.networks import lenet
        >>> model, data = lenet(), load("mnist")
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> score = train_epoch(model, batches(data.train, 64, shuffle=True), optimizer)
        >>> score.loss > 0, 0 <= score.accuracy <= 1
        (True, True)
    """
    _explain.expect_network(model, batches)
    _explain.expect_loss_fn(loss_fn)
    _explain.expect_optimizer(optimizer, model)
    kind("after_step", after_step, Callable | None, "a function without arguments, such as scheduler.step")
    model.train()
    with _explain.Watch(model, batches, loss_fn, optimizer) as watch:
        for x, y in watch:
            loss = watch.loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if after_step is not None:
                after_step()
    return watch.score()


@torch.inference_mode()
def evaluate(model: nn.Module, batches: Iterable, *, loss_fn: Callable = F.cross_entropy) -> Score:
    """Score a model in evaluation mode, without gradients; afterwards each layer is in the mode it was in.

    Arguments and errors as in `train_epoch`; but a loss that is not finite is returned.

    Example:
        >>> from course_utils import batches, load
        >>> from course_utils.networks import lenet
        >>> model, data = lenet(), load("mnist")
        >>> evaluate(model, batches(data.valid, 300)).accuracy < 0.5  # it has not learnt anything yet
        True
    """
    _explain.expect_network(model, batches)
    _explain.expect_loss_fn(loss_fn)
    with evaluation_mode(model), _explain.Watch(model, batches, loss_fn, None) as watch:
        for x, y in watch:
            watch.loss(model(x), y)
    return watch.score()


@torch.inference_mode()
def predict(model: nn.Module, batches: Iterable) -> torch.Tensor:
    """The logits of all images in the order of the batches, N×classes, in evaluation mode.

    Raises:
        TypeError, ValueError: as in `train_epoch`.

    Example:
        >>> from course_utils import batches, load
        >>> from course_utils.networks import lenet
        >>> model, data = lenet(), load("mnist")
        >>> predict(model, batches(data.valid, 100)).shape
        torch.Size([300, 10])
    """
    _explain.expect_network(model, batches)
    with evaluation_mode(model), _explain.Watch(model, batches, F.cross_entropy, None) as watch:
        return torch.cat([model(x) for x, _ in watch])


def fit(
    model: nn.Module,
    train_batches: Iterable,
    valid_batches: Iterable,
    optimizer: Optimizer,
    *,
    epochs: int,
    loss_fn: Callable = F.cross_entropy,
    scheduler: LRScheduler | None = None,
    scheduler_step: str = "epoch",
    callbacks: Iterable[Callback] = (),
    mixed_precision: bool = False,
) -> History:
    """Train for some epochs and look at the validation split after each. There is no place here for a test split.

    Prints one row per epoch, and a note on what trains but is hardly meant so: probabilities where cross-entropy wants
    logits, the same images in both splits, augmented validation images, a scheduler that steps twice. Ctrl-C, or a
    notebook's stop button, ends the training: the weights stay as the last step left them, and the history so far is
    returned, with `interrupted` set. The memory format of the model and the number of threads are left alone.

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
        mixed_precision: train in bfloat16 on a CPU that computes in it, if a few steps on copies of the model turn out
            faster so; a line says which it was, and why. Weights, losses and all evaluation stay in float32, and
            elsewhere nothing changes. A checkpoint keeps the choice.

    Returns:
        The history, one row per epoch.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or out of its range; and as in `train_epoch`.
        Diverged: the loss is not finite. The error holds the history so far; a checkpoint stays as it was.

    Source of mixed precision: P. Micikevicius et al., arXiv 1710.03740; of bfloat16: D. Kalamkar et al., 1905.12322.

    Example:
        >>> from course_utils import batches, load
        >>> from course_utils.networks import lenet
        >>> model, data = lenet(), load("mnist")
        >>> train, valid = batches(data.train, 64, shuffle=True), batches(data.valid, 300)
        >>> history = fit(model, train, valid, torch.optim.Adam(model.parameters()), epochs=2)
        epoch   train loss  accuracy   valid loss  accuracy   seconds
            1 ...
            2 ...
        >>> len(history.column("valid", "accuracy"))
        2
    """
    epochs = whole("epochs", epochs, least=1)
    for name, batches in (("train_batches", train_batches), ("valid_batches", valid_batches)):
        _explain.expect_network(model, batches, name)
        _explain.expect_again_and_again(name, batches)
    _explain.expect_loss_fn(loss_fn)
    _explain.expect_optimizer(optimizer, model)
    _explain.expect_scheduler(scheduler, scheduler_step, optimizer)
    callbacks = _explain.expect_callbacks(callbacks)
    kind("mixed_precision", mixed_precision, bool, "True or False")
    state = State(model, optimizer, scheduler, scheduler_step, train_batches, valid_batches, mixed_precision)
    history = state.history
    tell(callbacks, "on_fit_start", state)
    _explain.note.cache_clear()
    images, asked = (getattr(batches, "x", batches) for batches in (train_batches, valid_batches))
    _explain.note("validated on training images", images is asked)
    _explain.note("augmented validation", getattr(valid_batches, "augment", None) is not None)
    if mixed_precision:
        state.bfloat16 = _precision.choose(state, loss_fn)
    print(HEAD)
    try:
        while len(history) < epochs and not state.stopped:
            state.epoch = len(history) + 1
            start, lr = time.perf_counter(), float(optimizer.param_groups[0]["lr"])
            shown = tqdm(train_batches, f"epoch {state.epoch}", leave=False, disable=None)  # a bar on terminals only
            with _precision.bfloat16(model, state.bfloat16):
                train = train_epoch(model, shown, optimizer, loss_fn=loss_fn, after_step=state.after_step)
            seconds = time.perf_counter() - start
            valid = evaluate(model, valid_batches, loss_fn=loss_fn)
            state.after_epoch(valid)
            history.append(Epoch(state.epoch, train, valid, lr, seconds))
            print(line(history[-1]))
            steps = getattr(scheduler, "last_epoch", 0)
            tell(callbacks, "on_epoch_end", state)
            _explain.note("scheduler steps twice", getattr(scheduler, "last_epoch", 0) > steps)
    except KeyboardInterrupt:
        history.interrupted = True
        if history and len(history) == state.epoch:  # it came when the epoch was done and not yet written
            tell(filter(keeps_all, callbacks), "on_epoch_end", state)
        print(f"Interrupted: {len(history)} of {epochs} epochs are done.")
    except Diverged as problem:
        problem.epoch, problem.history = state.epoch, history
        raise
    return history


if __name__ == "__main__":
    from ._program import main

    main(fit, evaluate)
