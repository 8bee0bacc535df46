"""Early stopping and checkpoints: killed anywhere, a training ends with the bits of one that was left alone."""

import copy
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from course_utils import Checkpoint, EarlyStopping, _snapshot, batches, evaluate, fit, load
from course_utils.history import Epoch, History, Score
from tests.unit import resumable

forkserver = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="this system cannot kill a process so"
)


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")  # a fork of this process would hang in torch's threads
    context.set_forkserver_preload(["torch._dynamo", "sklearn.datasets", "tests.unit.resumable"])  # seconds a child
    return context


def train_in_child(children, folder, kill=None, seconds=None):
    """Run `resumable.train`; with seconds, kill it that long after `fit` began. Returns the exit code."""
    started, starting = children.Pipe(duplex=False)
    child = children.Process(target=resumable.train, args=(folder, kill, starting))
    child.start()
    assert started.poll(60)
    if seconds is not None:
        time.sleep(seconds)
        child.kill()
    child.join(60)
    return child.exitcode


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def end_of(children, folder):
    assert train_in_child(children, folder) == 0
    return torch.load(folder / "end.pt", weights_only=True)


@pytest.fixture(scope="module")
def unkilled(children, tmp_path_factory):
    """What the training ends with when nothing happens to it, and the seconds that `fit` took."""
    end = end_of(children, tmp_path_factory.mktemp("unkilled"))
    return end, end.pop("seconds")


def ends_as_if_unkilled(children, folder, unkilled):
    end = end_of(children, folder)
    end.pop("seconds")
    return equal(end, unkilled[0])


LOSSES = resumable.EPOCHS * (resumable.STEPS + 1)  # so often a loss is computed, the looks at the validation included
WRITINGS = resumable.EPOCHS + 1  # the first is written before any training
POINTS = [
    *(("loss", number) for number in random.Random(1).sample(range(1, LOSSES + 1), 10)),
    *((place, number) for place in ("write", "fsync", "replace", "replaced") for number in range(1, WRITINGS + 1)),
]


@forkserver
@pytest.mark.parametrize("point", [("loss", 13), ("write", 3), ("replaced", 2)], ids=str)
def test_a_killed_training_resumes_with_the_same_bits(children, unkilled, tmp_path, point):
    assert train_in_child(children, tmp_path, point) == -signal.SIGKILL
    assert not (tmp_path / "end.pt").exists()
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_killed_at_any_step_or_in_writing(children, unkilled, tmp_path, point):
    assert train_in_child(children, tmp_path, point) == -signal.SIGKILL
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_again_and_again_at_random_times(children, unkilled, tmp_path, seed):
    draws, killed = random.Random(seed), 0
    for _ in range(20):
        killed += train_in_child(children, tmp_path, seconds=draws.uniform(0, unkilled[1])) == -signal.SIGKILL
        if killed == 2:
            break
        (tmp_path / "end.pt").unlink(missing_ok=True)  # this one was done before its time came
    assert killed == 2
    assert ends_as_if_unkilled(children, tmp_path, unkilled)


@forkserver
def test_the_comparison_sees_another_seed(children, unkilled, tmp_path):
    """That equal bits mean something: a training of another seed ends with others in all that is compared."""
    child = children.Process(target=resumable.train, args=(tmp_path,), kwargs={"seed": 1})
    child.start()
    child.join(60)
    other = torch.load(tmp_path / "end.pt", weights_only=True)
    assert not any(equal(other[name], unkilled[0][name]) for name in unkilled[0].keys() - {"scheduler"})
