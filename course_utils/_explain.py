"""Says in words what is wrong with an argument, a batch, a label, a layer or a loss of a training.

A step pays next to nothing for it: looked at are the arguments, the first batch, the one at which an exception arises,
and whether the losses are finite.
"""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ._arguments import function, kind, one_of, shown
from .history import Diverged

NO_BATCH = "{} must hold at least one batch; got none. Is the split empty, or drop_last set on a small one?"
TOGETHER = 50  # losses that are read at once from a device that Python would have to wait for


class Watch:
    """The batches of an epoch and the loss, which explain what does not fit.

    To be used as `with Watch(model, batches, loss_fn) as watch: for x, y in watch: …`, with `watch.loss` for the loss.
    With the optimizer of a training, a loss that is not finite raises: on a CPU before its step, since reading a loss
    costs nothing there; on another device up to 50 steps later, because Python would have to wait for each.

    Raises, inside the `with`:
        TypeError: the batches are no pairs of tensors, or the model does not answer with one.
        ValueError: devices, shapes or labels that do not fit, or a layer that cannot take what reaches it.
        Diverged: a loss that is not finite; it names the first one.
    """

    def __init__(self, model, batches, loss_fn=None, optimizer=None):
        self.model, self.batches, self.loss_fn, self.optimizer = model, batches, loss_fn, optimizer
        self.batch, self.looked, self.unread, self.read = None, False, [], 0

    def __iter__(self):
        for batch in self.batches:
            if self.batch is None:
                _look_at_batch(self.model, batch)
            self.batch = batch
            yield batch
        self._read_losses()

    def loss(self, logits, y):
        """The loss of a batch; the first time, a look at logits, labels and loss comes with it."""
        if self.looked:
            loss = self.loss_fn(logits, y)
        else:
            loss = self._first_loss(logits, y)
        if self.optimizer is not None:
            self.unread.append(loss.detach())
            if loss.device.type == "cpu" or len(self.unread) == TOGETHER:
                self._read_losses()
        return loss

    def _first_loss(self, logits, y):
        _look_at_answer(logits, y)
        ours = getattr(self.batches, "iterable", self.batches)  # behind a progress bar
        _look_at_labels(logits, getattr(ours, "y", y))  # all labels of the split, if the batches know them
        loss = self.loss_fn(logits, y)
        if not isinstance(loss, Tensor) or loss.ndim:
            raise ValueError(f"loss_fn must return one number, the mean loss of its batch; got {shown(loss)}.")
        self.looked = True
        return loss

    def _read_losses(self):
        losses = torch.stack(self.unread).tolist() if self.unread else []
        for step, loss in enumerate(losses, self.read + 1):
            if not math.isfinite(loss):
                raise Diverged(loss, step, self._advice(at_once=len(losses) == 1))
        self.unread, self.read = [], self.read + len(losses)

    def _advice(self, at_once):
        lr = float(self.optimizer.param_groups[0]["lr"])
        if not at_once:
            return (
                f"Look at the learning rate ({lr:g}), at the normalisation of the images, and at the labels. The "
                "weights are spoiled: begin anew, or from a checkpoint."
            )
        x, y = self.batch
        return (
            f"Its step was not taken. Look at the learning rate ({lr:g}), at the normalisation (x lies from "
            f"{x.min():.3g} to {x.max():.3g}), and at the labels (they lie from {y.min()} to {y.max()})."
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if not isinstance(error, Exception) or self.batch is None:
            return
        if isinstance(error, IndexError) and str(error).startswith("Target "):  # cross-entropy's words, on a CPU
            y = self.batch[1]
            raise ValueError(
                f"Each label must have its class; the labels of this batch lie from {y.min()} to {y.max()}: {error}"
            ) from error
        _explain_layer(self.model, self.batch[0], error, traceback)


def _look_at_batch(model, batch):
    pair = isinstance(batch, tuple | list) and len(batch) == 2
    if not pair or not all(isinstance(part, Tensor) for part in batch):
        raise TypeError(f"Each batch must be a pair of tensors (x, y), as `batches` yields them; got {shown(batch)}.")
    x, y = batch
    devices = {parameter.device for parameter in model.parameters()}
    if len(devices) == 1 and (x.device not in devices or y.device not in devices):
        raise ValueError(
            f"The model must be on the device of its batches; it is on {devices.pop()}, x on {x.device}, "
            f"y on {y.device}. Move the model, model.to(...), before you make the optimizer; make the "
            "batches there, batches(..., device=...)."
        )


def _look_at_answer(logits, y):
    if not isinstance(logits, Tensor):
        raise TypeError(f"The model must return its logits, a tensor N×classes; got {shown(logits)}.")
    if y.ndim != 1 or y.is_floating_point():
        raise ValueError(
            f"Labels must be whole numbers, one for each image: y of shape N, int64; got shape "
            f"{tuple(y.shape)}, {y.dtype}. Do not one-hot them; y.long() makes whole numbers."
        )
    if logits.ndim != 2 or len(logits) != len(y):
        raise ValueError(
            f"The model must answer {len(y)} images with logits of shape ({len(y)}, classes); got shape "
            f"{tuple(logits.shape)}. To flatten each image by itself, write x.flatten(1)."
        )


def _look_at_labels(logits, y):
    classes, low, high = logits.shape[1], int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"Labels must lie from 0 to {classes - 1}, as the model gives {classes} logits; they lie from "
            f"{low} to {high}. Let the last layer have one output for each class."
        )


def _explain_layer(model, x, error, traceback):
    """Name the layer in which the error arose: as a ValueError where torch refused the batch, else as a note."""
    names, layer = {module: name for name, module in model.named_modules()}, None
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and owner in names:
            layer = owner  # the innermost is the last
        traceback = traceback.tb_next
    if layer is None:
        return
    seen = f"a batch x of shape {tuple(x.shape)}, {x.dtype}"
    if type(error) not in (RuntimeError, ValueError) or not type(layer).__module__.startswith("torch.nn."):
        error.add_note(f"It arose in layer {names[layer]!r}, {type(layer).__name__}, with {seen}.")
        return
    remedy = "Compare the layer with x: channels are axis 1, height and width axes 2 and 3."
    if not x.is_floating_point():
        remedy = "Pixels must be floating-point numbers: `batches` normalises them, x.float() / 255 scales them."
    elif len(x) == 1 and "BatchNorm" in type(layer).__name__:
        remedy = "One image has no spread to normalise by: leave a last batch of one image out with drop_last=True."
    words = str(error).splitlines()[0].rstrip(".")
    raise ValueError(
        f"Layer {names[layer]!r}, {layer}, cannot take what reaches it from {seen}: {words}. {remedy}"
    ) from error


def check(model, batches, name="batches"):
    """Refuse what is no network, or nothing to loop over. Raises: TypeError."""
    kind("model", model, nn.Module, "a network (nn.Module)")
    _check_loop(name, batches, "batches to loop over, such as batches(images, 64)")


def _check_loop(name, value, such_as):
    """Refuse what can't be looped over, and what can but should not: texts, dicts, tensors, arrays."""
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | dict) or hasattr(value, "dtype"):
        raise TypeError(f"{name} must be {such_as}; got {shown(value)}.")


def check_loss_fn(loss_fn):
    """Refuse what can't be called. Raises: TypeError."""
    function("loss_fn", loss_fn, "a function of (logits, y), such as F.cross_entropy")


def check_optimizer(optimizer, model):
    """Refuse an optimizer of another model. Raises: TypeError, ValueError."""
    kind("optimizer", optimizer, torch.optim.Optimizer, "an optimizer, such as torch.optim.Adam")
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in model.parameters()):
        raise ValueError(
            "optimizer must hold parameters of this model; it holds those of another. Make it anew "
            "whenever you make the model anew."
        )


def check_again_and_again(name, batches):
    """Refuse what is empty, at once or after one epoch. Raises: TypeError, ValueError."""
    if hasattr(batches, "__len__") and len(batches) == 0:
        raise ValueError(NO_BATCH.format(name))
    if isinstance(batches, Iterator):
        raise TypeError(
            f"{name} must start anew in each epoch; got a {type(batches).__name__}, which is empty after "
            "one. Pass what it came from, or a list of it."
        )


def check_scheduler(scheduler, scheduler_step, optimizer):
    """Refuse a scheduler of another optimizer, or one that cannot step so. Raises: TypeError, ValueError."""
    one_of("scheduler_step", scheduler_step, ("epoch", "batch"))
    if scheduler is None:
        return
    kind("scheduler", scheduler, LRScheduler, "a scheduler of torch.optim.lr_scheduler, or None")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError(
            "scheduler must change the learning rate of this optimizer; it was made with another. Make it "
            "anew whenever you make the optimizer anew."
        )
    if scheduler_step == "batch" and isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(
            'scheduler_step must be "epoch" for ReduceLROnPlateau, which is shown the validation loss; got "batch".'
        )


def check_callbacks(callbacks) -> list:
    """The callbacks as a list. Raises: TypeError."""
    _check_loop("callbacks", callbacks, "a list of callbacks")
    callbacks = list(callbacks)
    for callback in callbacks:
        if isinstance(callback, type) or not callable(getattr(callback, "on_epoch_end", None)):
            raise TypeError(
                "callbacks must be objects with a method on_epoch_end(state), such as EarlyStopping(3); "
                f"got {shown(callback)}."
            )
    return callbacks
