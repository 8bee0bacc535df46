"""A small training with everything that draws random numbers, to be run in a child process and killed there."""

import os
import random
import signal
import threading
import time

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from course_utils import Checkpoint, _files, batches, fit, load
from course_utils.data import Images

EPOCHS, STEPS = 4, 8  # an epoch has STEPS training steps, and one more look at the loss for validation


def shifted_and_noisy(x, generator):
    moved = torch.roll(x, int(torch.randint(-2, 3, (), generator=generator)), dims=3)
    noise = torch.rand(x.shape, generator=generator) * random.random()  # Python's own generator must come back too
    return (moved + 0.2 * noise).clamp(0, 1)


def parts(seed=0):
    """Model, batches, optimizer and scheduler, as one cell of a lesson makes them."""
    torch.manual_seed(seed)
    random.seed(seed)
    data = load("mnist")
    train = Images(data.train.x[:250], data.train.y[:250], data.train.mean, data.train.std)
    draws = torch.Generator().manual_seed(seed)
    train = batches(train, 32, shuffle=True, augment=shifted_and_noisy, generator=draws)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, 10)
    )
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=EPOCHS * STEPS)
    return model, train, batches(data.valid, 300), optimizer, scheduler


def train(folder, kill=None, started=None, seed=0):
    """Train from the checkpoint in the folder on, and leave all that the training ended with in end.pt.

    Args:
        kill: where the process ends itself with SIGKILL, as (place, number): "loss", the n-th time that a loss is
            computed; "write" (in the middle of the bytes), "fsync", "replace" or "replaced", in the n-th writing.
        started: the end of a pipe that is told just before `fit` begins.
    """
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own: one shared with other children stays locked when its holder is killed
    model, train_batches, valid_batches, optimizer, scheduler = parts(seed)
    place, number = kill or ("nowhere", 0)
    loss_fn = killing(F.cross_entropy, number) if place == "loss" else F.cross_entropy
    if place in ("write", "fsync", "replace", "replaced"):
        kill_in_writing(place, number)
    if started is not None:
        started.send(True)
    start = time.perf_counter()
    history = fit(
        model,
        train_batches,
        valid_batches,
        optimizer,
        epochs=EPOCHS,
        loss_fn=loss_fn,
        scheduler=scheduler,
        scheduler_step="batch",
        callbacks=[Checkpoint(folder / "run.pt", resume=True)],
    )
    seconds = time.perf_counter() - start
    best = torch.load(folder / "run.pt", weights_only=True)["best"]
    end = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "history": [row[:-1] for row in history.to_lists()],  # all but the seconds
        "best": best["model"],
        "next draws": [torch.rand(3), torch.rand(3, generator=train_batches.generator)],
        "seconds": seconds,
    }
    torch.save(end, folder / "end.pt")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killing(function, number, before=True):
    """The function, but its n-th call is the last thing that this process does."""
    calls = iter(range(1, number))

    def call(*arguments, **options):
        last = next(calls, None) is None
        if last and before:
            die()
        result = function(*arguments, **options)
        if last:
            die()
        return result

    return call


class HalfWritten:
    """A file whose write stops, and the process with it, when half of the bytes are on the disk."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.stream.close()

    def write(self, data):
        self.stream.write(bytes(data)[: len(data) // 2])
        self.stream.flush()
        die()


def kill_in_writing(place, number):
    if place == "write":
        files = iter(range(1, number))

        def half_written(*arguments):
            stream = open(*arguments)  # noqa: SIM115
            return stream if next(files, None) is not None else HalfWritten(stream)

        _files.open = half_written
    elif place == "fsync":
        os.fsync = killing(os.fsync, number)
    else:
        os.replace = killing(os.replace, number, before=place == "replace")
