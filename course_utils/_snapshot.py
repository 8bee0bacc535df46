"""What a checkpoint is made of: its file, and a description to tell trainings apart."""

import copy
import inspect
import io
import zipfile
from operator import length_hint
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from . import _generators
from ._arguments import shown
from ._explain import text
from ._loop import State

FORMAT = "course_utils checkpoint 1"


def plain(value: object) -> object:
    """value, with Python's numbers in the place of NumPy's, however deep they are in it.

    With `weights_only=True` torch reads no NumPy number back, such as a learning rate out of `np.logspace`. Those with
    which Python computes the same results are replaced: float64, whole numbers and truth values.
    """
    if isinstance(value, dict):
        value = copy.copy(value)  # of its class: an OrderedDict, a Counter
        for key in list(value):
            value[plain(key)] = plain(value.pop(key))
    elif isinstance(value, list | tuple):
        value = type(value)(map(plain, value))
    return value.item() if isinstance(value, np.float64 | np.integer | np.bool_) else value


def pack(content: object, *, prove: bool, place: str = "") -> memoryview:
    """The bytes of a checkpoint file; with `prove` they are read back, since what cannot be read must not replace what
    can. That is done once in a training: which kinds of values its states hold does not change.

    Raises:
        TypeError: the content holds more than tensors and plain values; the message names the place.
    """
    stream = io.BytesIO()
    try:
        torch.save(plain(content), stream)
        if prove:
            stream.seek(0)
            torch.load(stream, map_location="cpu", weights_only=True)
    except Exception:
        parts = dict(enumerate(content)) if isinstance(content, list) else content
        for name, part in parts.items() if isinstance(parts, dict) else ():
            pack(part, prove=True, place=f"{place}, {name}".removeprefix(", "))
        raise TypeError(text("no plain value", place=place, got=shown(content))) from None
    return stream.getbuffer()


def read(file: Path) -> dict:
    """The content of a checkpoint file, on the CPU.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is cut short, changed, or not a checkpoint of this version.
    """
    if not file.exists():
        raise FileNotFoundError(f"There is no {file}. `fit` writes it when this Checkpoint is one of its callbacks.")
    expected = f"{file} must be a file that Checkpoint wrote ({FORMAT})"
    try:
        with zipfile.ZipFile(file) as archive:  # torch.save writes a zip file; torch.load skips its checksums
            damaged = archive.testzip()
        content = None if damaged else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:
        first_line, *_ = str(problem).splitlines() or [type(problem).__name__]
        raise ValueError(f"{expected}; it is another file, or damaged: {first_line}") from problem
    if damaged:
        raise ValueError(f"{expected}; it is damaged: {damaged} does not fit its checksum.")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format", sorted(map(str, content))) if isinstance(content, dict) else content
        raise ValueError(f"{expected}; got {shown(found)}.")
    return content


def parts(state: State) -> dict:
    """The parts of a training that have a state_dict, by name."""
    found = {name: getattr(state, name) for name in ("model", "optimizer", "scheduler")}
    return {name: part for name, part in found.items() if part is not None}


def describe(state: State) -> dict[str, dict[str, str]]:
    """What must be equal for a training to go on, as {part: {name: text}}."""
    optimizer = state.optimizer
    groups = [[tuple(value.shape) for value in group["params"]] for group in optimizer.param_groups]
    defaults = {name: str(value) for name, value in optimizer.defaults.items()}
    loop = {"batches in an epoch": str(length_hint(state.train_batches) or "unknown")}
    if state.mixed_precision:
        loop["mixed_precision"] = "True"
    return {
        "model": describe_model(state.model),
        "optimizer": {"class": type(optimizer).__name__, "parameters": str(groups)} | defaults,
        "scheduler": describe_scheduler(state.scheduler),
        "generators": {name: str(generator.device) for name, generator in _generators.generators(state).items()},
        "fit": loop | {"scheduler_step": state.scheduler_step},
    }


def describe_model(model: nn.Module) -> dict[str, str]:
    """Shape and dtype of each of its weights and buffers, by name."""
    tensors = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    return {name: f"{tuple(value.shape)} {value.dtype}" for name, value in tensors.items()}


def describe_scheduler(scheduler: LRScheduler | None) -> dict[str, str]:
    """Its class, and those of its arguments that it keeps under their names; what it counts is left out."""
    if scheduler is None:
        return {"class": "none"}
    arguments = inspect.signature(type(scheduler)).parameters.keys() - {"last_epoch"} | {"base_lrs"}
    text = {name: str(value) for name, value in scheduler.state_dict().items() if name in arguments}
    for k, inner in enumerate(getattr(scheduler, "_schedulers", ())):
        text |= {f"{k}: {name}": value for name, value in describe_scheduler(inner).items()}
    return {"class": type(scheduler).__name__} | text


def differences(was: dict, now: dict) -> str:
    """The first differences between two descriptions, in words; empty if there are none.

    Optimizers and schedulers of another torch version may have more arguments or fewer: only common ones count.
    """
    found = []
    for part, texts in now.items():
        before = was.get(part, {})
        names = before.keys() & texts.keys() if part in ("optimizer", "scheduler") else before.keys() | texts.keys()
        for name in sorted(names):
            ours, theirs = texts.get(name, "missing"), before.get(name, "missing")
            if ours != theirs:
                found.append(f"{part}, {name}: {theirs} in the file, {ours} here")
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more
