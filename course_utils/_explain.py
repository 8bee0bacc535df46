"""Says in words what is wrong with an argument, a batch, a label, a layer or a loss of a training, and how to mend it.

A cause is named only after a test for it. What trains all the same, but hardly as it was meant, gets a printed note.
A step pays next to nothing for all this: looked at are the arguments, the first batch, the one at which an exception
arises, and whether the losses are finite.
"""

import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager
from functools import cache
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ._arguments import kind, one_of, shown
from ._files import resource
from .history import Diverged, Score

TEXTS: dict[str, str] = tomllib.loads(resource("explain.toml").read_text(encoding="utf-8"))
TOGETHER = 50  # losses that are read at once from a device that Python would have to wait for


def text(problem: str, **facts: object) -> str:
    """What is said about a problem, with the facts of the case."""
    return TEXTS[problem].format(**facts)


def _first(causes: dict[str, bool], **facts: object) -> str:
    """What is said about the first cause that holds; nothing where none does."""
    return next((text(cause, **facts) for cause, holds in causes.items() if holds), "")


@cache  # so that each is printed once, until the next `fit` clears it
def note(cause: str, holds: bool) -> None:
    """Print what is said about a cause, if it holds."""
    if holds:
        print("Note:", text(cause))


class Watch(AbstractContextManager):
    """One pass through batches: sums up how the model does, and explains what does not fit.

    To be used as `with watch: for x, y in watch: …`, with `watch.loss` for the loss and `watch.score` at the end. With
    the optimizer of a training, a loss that is not finite raises: on a CPU before its step, since reading a loss costs
    nothing there; on another device up to 50 steps later, because Python would have to wait for each.

    Raises, inside the `with`:
        TypeError: the batches are no pairs of tensors, or the model does not answer with one.
        ValueError: devices, shapes or labels that do not fit, or a layer that cannot take what reaches it.
        Diverged: a loss that is not finite; it names the first one.
    """

    def __init__(self, model: nn.Module, batches: Iterable, loss_fn: Callable, optimizer: Optimizer | None) -> None:
        self.model, self.batches, self.loss_fn = model, batches, loss_fn
        self.groups: list[dict] = [] if optimizer is None else optimizer.param_groups
        self.batch: tuple[Tensor, ...] = ()
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.sizes: list[int] = []
        self.read = 0  # how many losses have been looked at

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.batches:
            if not self.batch:
                _look_at_batch(self.model, batch)
            self.batch = tuple(batch)
            yield batch
        if not self.batch:
            raise ValueError(text("no batch", name="batches"))
        if self.groups:
            self._read_losses()

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of a batch, which counts with its right answers; the first time, a look at them comes with it."""
        loss = self.loss_fn(logits, y) if self.losses else self._first_loss(logits, y)
        self.losses.append(loss.detach())
        self.correct.append((logits.detach().argmax(1) == y).sum())
        self.sizes.append(len(y))
        if self.groups and (loss.device.type == "cpu" or len(self.losses) - self.read == TOGETHER):
            self._read_losses()
        return loss

    def score(self) -> Score:
        """The score over all images: a short last batch weighs what it holds, no more.

        Losses and counts stay on their device until now, so that a GPU never has to wait for Python.
        """
        losses, correct = torch.stack(self.losses).tolist(), torch.stack(self.correct).tolist()
        loss = sum(loss * size for loss, size in zip(losses, self.sizes, strict=True))
        return Score(loss / sum(self.sizes), sum(correct) / sum(self.sizes))

    def _first_loss(self, logits: Tensor, y: Tensor) -> Tensor:
        _look_at_answer(self.batch[0], logits, y)
        ours = getattr(self.batches, "iterable", self.batches)  # behind a progress bar
        _look_at_labels(logits, getattr(ours, "y", y))  # all labels of the split, if the batches know them
        loss = self.loss_fn(logits, y)
        if not isinstance(loss, Tensor) or loss.ndim:
            raise ValueError(text("loss is no number", got=shown(loss)))
        if self.groups and not loss.requires_grad:
            raise ValueError(text("loss without a gradient" if torch.is_grad_enabled() else "gradients are off"))
        entropy = isinstance(self.loss_fn, nn.CrossEntropyLoss) or self.loss_fn is nn.functional.cross_entropy
        if self.groups and entropy:
            note("softmax before the loss", bool(logits.min() >= 0 and (logits.sum(1) - 1).abs().max() < 1e-4))
        return loss

    def _read_losses(self) -> None:
        unread = self.losses[self.read :]
        for step, loss in enumerate(torch.stack(unread).tolist() if unread else [], self.read + 1):
            if not math.isfinite(loss):
                raise Diverged(loss, step, self._advice(at_once=len(unread) == 1))
        self.read = len(self.losses)

    def _advice(self, at_once: bool) -> str:
        x, y = self.batch
        causes = {
            "weights are spoiled": not at_once,
            "pixels are not finite": not x.isfinite().all(),
            "pixels are bytes": x.min() >= 0 and 100 < x.max() <= 255,
            "step was not taken": True,
        }
        return _first(causes, lr=float(self.groups[0]["lr"]), darkest=x.min(), brightest=x.max())

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if not isinstance(error, Exception) or not self.batch:
            return
        if isinstance(error, IndexError) and str(error).startswith("Target "):  # cross-entropy's words, on a CPU
            raise ValueError(text("label without a class", labels=self.batch[1].aminmax(), error=error)) from error
        _explain_layer(self.model, self.batch[0], error, traceback)


def _look_at_batch(model: nn.Module, batch: object) -> None:
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise TypeError(text("batch is no pair", got=shown(batch)))
    x, y = batch
    devices = {parameter.device for parameter in model.parameters()}
    if len(devices) == 1 and (x.device not in devices or y.device not in devices):
        raise ValueError(text("another device", model=devices.pop(), x=x.device, y=y.device))


def _look_at_answer(x: Tensor, logits: Tensor, y: Tensor) -> None:
    if not isinstance(logits, Tensor):
        raise TypeError(text("no return" if logits is None else "answer is no tensor", got=shown(logits)))
    if y.ndim != 1 or y.dtype not in (torch.int64, torch.uint8):
        causes = {"one image alone": y.ndim == 0, "one-hot labels": y.shape == logits.shape, "other labels": True}
        raise ValueError(_first(causes, shape=tuple(y.shape), dtype=y.dtype))
    if logits.ndim != 2 or len(logits) != len(y):
        causes = {"few labels": len(x) != len(y), "maps": logits.ndim > 2, "one axis": logits.ndim < 2, "mixed": True}
        raise ValueError(_first(causes, images=len(x), labels=len(y), shape=tuple(logits.shape)))


def _look_at_labels(logits: Tensor, y: Tensor) -> None:
    classes, low, high = logits.shape[1], int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        causes = {"labels from 1": low == 1 and high == classes, "labels below 0": low < 0, "few logits": True}
        raise ValueError(_first(causes, last=classes - 1, classes=classes, low=low, high=high, needed=high + 1))


def _explain_layer(model: nn.Module, x: Tensor, error: Exception, traceback: TracebackType | None) -> None:
    """Name the layer in which the error arose: as a ValueError where torch refused the batch, else as a note."""
    names, layer, reached = {module: name for name, module in model.named_modules()}, None, x
    while traceback is not None:
        here = traceback.tb_frame.f_locals
        if isinstance(owner := here.get("self"), nn.Module) and owner in names:
            layer, reached = owner, here.get("input", x)  # the innermost is the last; torch's layers say "input"
        traceback = traceback.tb_next
    if layer is None:
        return
    seen = f"a batch x of shape {tuple(x.shape)}, {x.dtype}"
    if type(error) not in (RuntimeError, ValueError) or not type(layer).__module__.startswith("torch.nn."):
        error.add_note(f"It arose in layer {names[layer]!r}, {type(layer).__name__}, with {seen}.")
        return
    channels, linear = getattr(layer, "in_channels", None), isinstance(layer, nn.Linear)
    causes = {
        "pixels are whole numbers": not x.is_floating_point(),
        "pixels of another dtype": x.dtype != getattr(layer, "weight", x).dtype and "type" in str(error),
        "one image has no spread": x.shape[:1] == (1,) and "BatchNorm" in type(layer).__name__,
        "three axes": x.ndim == 3 and any(isinstance(module, nn.Conv2d) for module in names),
        "channels come last": reached is x and x.shape[-1:] == (channels,) != x.shape[1:2],
        "grey images": reached is x and x.shape[1:2] == (1,) and channels == 3,
        "images in rows": linear and reached.ndim != 3 and reached.shape[:-1] != x.shape[:1],
        "images of another size": linear and reached.ndim == 2,
        "compare the layer with x": True,
    }
    facts = {"name": names[layer], "layer": layer, "seen": seen, "words": str(error).splitlines()[0].rstrip(".")}
    raise ValueError(text("layer", remedy=_first(causes, x=x, layer=layer, reached=reached), **facts)) from error


def expect_network(model: nn.Module, batches: Iterable, name: str = "batches") -> None:
    """Refuse what is no network, or nothing to loop over. Raises: TypeError."""
    kind("model", model, nn.Module, "a network (nn.Module), such as lenet()")
    _expect_loop(name, batches, "batches to loop over, such as batches(images, 64)")


def _expect_loop(name: str, value: object, such_as: str) -> None:
    """Refuse what can't be looped over, and what can but should not: texts, dicts, tensors, arrays."""
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | dict) or hasattr(value, "dtype"):
        raise TypeError(f"{name} must be {such_as}; got {shown(value)}.")


def expect_loss_fn(loss_fn: Callable) -> None:
    """Refuse what can't be called, and a class, whose objects can. Raises: TypeError."""
    if isinstance(loss_fn, type) or not callable(loss_fn):
        raise TypeError(text("a class as loss_fn" if isinstance(loss_fn, type) else "no loss_fn", got=shown(loss_fn)))


def expect_optimizer(optimizer: Optimizer, model: nn.Module) -> None:
    """Refuse an optimizer that cannot change this model. Raises: TypeError, ValueError."""
    kind("optimizer", optimizer, Optimizer, "an optimizer, such as torch.optim.Adam(model.parameters())")
    held = {id(value) for group in optimizer.param_groups for value in group["params"] if value.requires_grad}
    if not any(id(value) in held for value in model.parameters()):
        raise ValueError(text("optimizer of another model" if held else "frozen parameters"))


def expect_again_and_again(name: str, batches: Iterable) -> None:
    """Refuse what is empty, at once or after one epoch. Raises: TypeError, ValueError."""
    if isinstance(batches, Sized) and len(batches) == 0:
        raise ValueError(text("no batch", name=name))
    if isinstance(batches, Iterator):
        raise TypeError(text("batches for one epoch", name=name, got=type(batches).__name__))


def expect_scheduler(scheduler: LRScheduler | None, scheduler_step: str, optimizer: Optimizer) -> None:
    """Refuse a scheduler of another optimizer, or one that cannot step so. Raises: TypeError, ValueError."""
    one_of("scheduler_step", scheduler_step, ("epoch", "batch"))
    kind("scheduler", scheduler, LRScheduler | None, "a scheduler of torch.optim.lr_scheduler, or None")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError(text("scheduler of another optimizer"))
    if scheduler_step == "batch" and isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(text("plateau of batches"))


def expect_callbacks(callbacks: Iterable) -> list:
    """The callbacks as a list. Raises: TypeError."""
    _expect_loop("callbacks", callbacks, "a list of callbacks")
    callbacks = list(callbacks)
    for callback in callbacks:
        if isinstance(callback, type) or not callable(getattr(callback, "on_epoch_end", None)):
            raise TypeError(text("no callback", got=shown(callback)))
    return callbacks
