"""Who decides when a training is done, and what it needs to survive an interruption: two callbacks for `fit`."""

import copy
import os
from pathlib import Path

from torch import nn

from . import _generators, _snapshot
from ._arguments import kind, number, one_of, whole
from ._explain import text
from ._files import replace
from ._loop import State
from .history import MONITORS, Epoch, History


class EarlyStopping:
    """A callback for `fit`: stop when nothing has become better for some epochs.

    It looks at the history alone and keeps nothing itself, so a training that was resumed stops where it would have.

    Args:
        patience: how many epochs in a row may pass without a new best one, at least 1.
        monitor: what is to become better, as in `History.best`: "valid loss", "valid accuracy", "train loss" or
            "train accuracy".
        min_delta: a new best one must be better by more than this, at least 0.

    Raises:
        TypeError, ValueError: an argument of the wrong kind or out of its range.

    Source: L. Prechelt, Early stopping – but when?, 1998.

    Example:
        >>> stop = EarlyStopping(3, monitor="valid accuracy")
        >>> stop.patience, stop.min_delta
        (3, 0.0)
    """

    def __init__(self, patience: int, *, monitor: str = "valid loss", min_delta: float = 0.0) -> None:
        self.patience = whole("patience", patience, least=1)
        self.monitor = one_of("monitor", monitor, MONITORS)
        self.min_delta = number("min_delta", min_delta, least=0)

    def on_epoch_end(self, state: State) -> str | None:
        """Answer "stop" when the last `patience` epochs brought no new best one.

        Example:
            >>> from types import SimpleNamespace
            >>> rows = [[1, [0.9, 0.6], [0.8, 0.7], 0.1, 2.0], [2, [0.7, 0.7], [0.9, 0.6], 0.1, 2.0]]
            >>> EarlyStopping(1).on_epoch_end(SimpleNamespace(history=History.from_lists(rows)))
            Stopped: 1 epochs without a better valid loss than in epoch 1.
            'stop'
        """
        best = state.history.best(self.monitor, min_delta=self.min_delta)
        best_epoch = best.epoch if best else 0
        if state.history[-1].epoch - best_epoch < self.patience:
            return None
        print(f"Stopped: {self.patience} epochs without a better {self.monitor} than in epoch {best_epoch}.")
        return "stop"


class Checkpoint:
    """A callback for `fit`: keep in one file all that the training needs to go on, and the weights of the best epoch.

    The file is written when the training begins and after each epoch: model, optimizer, scheduler, history, and the
    random generators of torch, NumPy, Python and the batches. It is written beside its place, and then takes the place
    in one step: whenever a training is killed, a whole file is left. It holds tensors and plain values only, so that
    reading it runs no code (`weights_only=True`).

    A training goes on after its last whole epoch. On a CPU, with as many threads as before, it then ends with the same
    bits as one that was never killed. There is one exception: transforms that draw random numbers in a DataLoader with
    `persistent_workers=True`. Such workers go on drawing from one epoch to the next, each from generators of its own,
    and no file holds their states. Without `persistent_workers`, each epoch starts new workers, and the bits are the
    same. Use one file for one training.

    Args:
        file: where to write, such as "lenet.pt". A missing folder is made.
        monitor: which epoch is the best one, as in `History.best`.
        resume: go on where the file stopped; without a file, begin. When all epochs are done, or a callback had stopped
            the training, `fit` returns the history at once. False begins anew and replaces the file.

    Raises:
        TypeError, ValueError: an argument of the wrong kind. Out of `fit`: a file to resume that is cut short, or no
            checkpoint, or that of another training (the message says what differs; nothing has been changed); a model,
            optimizer or scheduler that keeps more than tensors and plain values.
        OSError: out of `fit`: the file could not be written. The one before it is still there.

    Example:
        >>> import torch
        >>> from course_utils import batches, fit, load
        >>> from course_utils.networks import lenet
        >>> model, data = lenet(), load("mnist")
        >>> train, valid = batches(data.train, 300), batches(data.valid, 300)
        >>> optimizer = torch.optim.Adam(model.parameters())
        >>> history = fit(model, train, valid, optimizer, epochs=1, callbacks=[Checkpoint("lenet.pt")])
        epoch   train loss  accuracy   valid loss  accuracy   seconds
            1 ...
        >>> history = fit(model, train, valid, optimizer, epochs=2, callbacks=[Checkpoint("lenet.pt", resume=True)])
        lenet.pt: resumed after epoch 1.
        epoch   train loss  accuracy   valid loss  accuracy   seconds
            2 ...
    """

    keeps_all = True  # `fit` calls it first at the start, and last at the end of an epoch

    def __init__(self, file: str | os.PathLike, *, monitor: str = "valid loss", resume: bool = False) -> None:
        self.file = Path(kind("file", file, str | os.PathLike, 'the name of a file, such as "lenet.pt"'))
        self.monitor = one_of("monitor", monitor, MONITORS)
        self.resume = kind("resume", resume, bool, "True or False")
        self._best: dict | None = None
        self._proved = False

    def on_fit_start(self, state: State) -> None:
        """Put everything back as the file has it, if there is one to resume; else write the first.

        Example:
            >>> import torch
            >>> from course_utils import batches, fit, load
            >>> from course_utils.networks import lenet
            >>> model, data = lenet(), load("mnist")
            >>> train, valid = batches(data.train, 300), batches(data.valid, 300)
            >>> optimizer = torch.optim.Adam(model.parameters())
            >>> checkpoint = Checkpoint("lenet.pt")  # `fit` calls it
            >>> history = fit(model, train, valid, optimizer, epochs=1, callbacks=[checkpoint])
            epoch ...
            >>> checkpoint.file.exists()
            True
        """
        self._best, self._proved = None, False
        if self.resume and self.file.exists():
            content = _snapshot.read(self.file)
            differences = _snapshot.differences(content["training"], self._describe(state))
            if not differences:
                self._restore(state, content)
                return
            if content["history"]:  # before the first epoch has ended there is nothing to lose
                raise ValueError(text("checkpoint of another training", file=self.file, differences=differences))
        self._write(state)

    def on_epoch_end(self, state: State) -> None:
        """Keep the weights if this epoch is the best one so far, and write the file.

        Example:
            >>> import torch
            >>> from course_utils import batches, fit, load
            >>> from course_utils.networks import lenet
            >>> model, data = lenet(), load("mnist")
            >>> train, valid = batches(data.train, 300), batches(data.valid, 300)
            >>> optimizer = torch.optim.Adam(model.parameters())
            >>> checkpoint = Checkpoint("lenet.pt")  # `fit` calls it
            >>> history = fit(model, train, valid, optimizer, epochs=1, callbacks=[checkpoint])
            epoch ...
            >>> checkpoint.load_best(model) == history.best()
            True
        """
        best = state.history.best(self.monitor)
        if best is state.history[-1]:
            self._best = {"row": History([best]).to_lists()[0], "model": copy.deepcopy(state.model.state_dict())}
        self._write(state)

    def load_best(self, model: nn.Module) -> Epoch:
        """Give the model the weights of the best epoch, and return the row of the history that they belong to.

        `evaluate` on the validation batches must find that row's score again.

        Raises:
            FileNotFoundError: there is no file yet.
            ValueError: the file is no whole checkpoint, or that of another network or monitor, or no epoch in it has a
                finite value. The model has not been changed then.

        Example:
            >>> import torch
            >>> from course_utils import batches, fit, load
            >>> from course_utils.networks import lenet
            >>> model, data = lenet(), load("mnist")
            >>> train, valid = batches(data.train, 300), batches(data.valid, 300)
            >>> optimizer = torch.optim.Adam(model.parameters())
            >>> history = fit(model, train, valid, optimizer, epochs=2, callbacks=[Checkpoint("lenet.pt")])
            epoch ...
            >>> Checkpoint("lenet.pt").load_best(model) == history.best()
            True
        """
        kind("model", model, nn.Module, "a network (nn.Module)")
        content = _snapshot.read(self.file)
        here = {"model": _snapshot.describe_model(model), "checkpoint": {"monitor": self.monitor}}
        if differences := _snapshot.differences(content["training"], here):
            raise ValueError(f"{self.file} holds the best weights of another network or monitor. {differences}.")
        if content["best"] is None:
            raise ValueError(text("no best epoch", file=self.file, seen=len(content["history"]), monitor=self.monitor))
        model.load_state_dict(content["best"]["model"])
        return History.from_lists([content["best"]["row"]])[0]

    def _describe(self, state: State) -> dict[str, dict[str, str]]:
        return _snapshot.describe(state) | {"checkpoint": {"monitor": self.monitor}}

    def _write(self, state: State) -> None:
        content = {
            "format": _snapshot.FORMAT,
            "training": self._describe(state),
            "epoch": state.epoch,
            "step": state.step,
            "stopped": state.stopped,
            "bfloat16": state.bfloat16,
            "history": state.history.to_lists(),
            "best": self._best,
            "random": _generators.random_state(state.model),
            "generators": {name: draws.get_state() for name, draws in _generators.generators(state).items()},
        }
        content |= {name: part.state_dict() for name, part in _snapshot.parts(state).items()}
        replace(self.file, _snapshot.pack(content, prove=not self._proved))
        self._proved = True

    def _restore(self, state: State, content: dict) -> None:
        for name, part in _snapshot.parts(state).items():
            part.load_state_dict(content[name])
        for name, generator in _generators.generators(state).items():
            generator.set_state(content["generators"][name])
        _generators.set_random_state(content["random"], state.model)
        state.history[:] = History.from_lists(content["history"])
        state.epoch, state.step, state.stopped = content["epoch"], content["step"], content["stopped"]
        state.bfloat16 = content.get("bfloat16")  # older files were all of float32
        self._best = content["best"]
        print(f"{self.file.name}: {'stopped by a callback' if state.stopped else 'resumed'} after epoch {state.epoch}.")
