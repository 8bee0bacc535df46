"""Every exercise of lesson 7: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import copy
import math

import pytest
import torch
from torch import nn

from course_utils.exercises import check
from tests.checks.checkers import Checkers

GLOBAL = nn.Linear(2, 1)  # left over in the notebook, and never trained


def warm_cosine(t, steps, warm, peak, length=None, since=None, early=0):
    if t < warm:
        return peak * (t + early) / warm
    since, length = t - warm if since is None else since, steps - warm if length is None else length
    return peak / 2 * (1 + math.cos(math.pi * since / length))


def keep_best(state, best, keep=copy.deepcopy, model=None, tie=False):
    loss = state.history[-1].valid.loss
    if best is None or loss < best["loss"] or tie and loss == best["loss"]:
        return {"loss": loss, "weights": keep((model or state.model).state_dict())}
    return best


def keep_last(state, best):
    return {"loss": state.history[-1].valid.loss, "weights": copy.deepcopy(state.model.state_dict())}


def keep_by_train_loss(state, best):
    loss = state.history[-1].train.loss
    if best is None or loss < best["loss"]:
        return {"loss": loss, "weights": copy.deepcopy(state.model.state_dict())}
    return best


def forgets_to_return(state, best):
    if best is None or state.history[-1].valid.loss < best["loss"]:
        return keep_best(state, None)


def resume(saved, model, optimizer, scheduler, without=(), step=1):
    for name, part in {"model": model, "optimizer": optimizer, "scheduler": scheduler}.items():
        if name not in without:
            part.load_state_dict(saved[name])
    if "random" not in without:
        torch.set_rng_state(saved["random"])
    return saved["epoch"] + step


def stop_epoch(losses, patience, min_delta, late=0, never=0, first=1):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(losses, first):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience + late:
            return epoch
    return never


def against_the_epoch_before(losses, patience, min_delta):
    waited, before = 0, math.inf
    for epoch, loss in enumerate(losses, 1):
        waited = 0 if loss < before - min_delta else waited + 1
        before = loss
        if waited == patience:
            return epoch
    return 0


def best_of_all(losses, patience, min_delta):
    best = losses.index(min(losses)) + 1
    return best + patience if best + patience <= len(losses) else 0


def against_what_did_not_count(losses, patience, min_delta):
    best, waited = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        waited = 0 if loss < best - min_delta else waited + 1
        best = min(best, loss)
        if waited == patience:
            return epoch
    return 0


def without_a_new_start(losses, patience, min_delta):
    best, waited = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        best, waited = (loss, waited) if loss < best - min_delta else (best, waited + 1)
        if waited == patience:
            return epoch
    return 0


def by_shares(losses, patience, min_delta):
    best, best_epoch = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best * (1 - min_delta):
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch
    return 0


def exactly_is_enough(losses, patience, min_delta):
    best, waited = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        best, waited = (loss, 0) if loss <= best - min_delta else (best, waited + 1)
        if waited == patience:
            return epoch
    return 0


def cosine(t):
    return 0.0025 * (1 + math.cos(math.pi * t / 70))


RIGHT = {
    "7.1": (cosine(57), 0.7**13),
    "7.2": (6, 12),
    "7.3": lambda *args: warm_cosine(*args),
    "7.4": lambda *args: keep_best(*args),
    "7.5": lambda *args: resume(*args),
    "7.6": lambda *args: stop_epoch(*args),
}
OTHER_FORMS = [
    ("7.1", torch.tensor(RIGHT["7.1"])),
    ("7.1", [0.000414, 0.00969]),
    ("7.2", torch.tensor([6, 12])),
    ("7.3", lambda *args: torch.tensor(warm_cosine(*args))),
    ("7.5", lambda *args: torch.tensor(resume(*args))),
]
WRONG = [
    ("7.1", 0.000414, "two numbers"),
    ("7.1", (cosine(58), 0.7**13), "no step has been taken"),
    ("7.1", (2 * cosine(57), 0.7**13), "before it is halved"),
    ("7.1", (0.0025 * (1 + math.cos(57 / 70)), 0.7**13), "from 0 to π"),
    ("7.1", (0.7**13, cosine(57)), "First the cosine"),
    ("7.1", (0.0004, 0.7**13), "three digits"),
    ("7.1", (cosine(57) / 0.005, 0.7**13), "Of which first rate"),
    ("7.1", (cosine(50), 0.7**13), "steps done before"),
    ("7.1", (cosine(57), ...), "two numbers"),
    ("7.1", (cosine(57), 0.7**14), "still 1.0"),
    ("7.1", (cosine(57), 0.7 * 13), "once for each step"),
    ("7.2", 12, "two epochs"),
    ("7.2", (14, None), "Go epoch by epoch"),
    ("7.2", (9, 15), "A tie is no progress"),
    ("7.2", (5, 11), "first epoch is epoch 1"),
    ("7.2", (9, None), "A tie is no progress"),
    ("7.2", (12, 6), "First the best"),
    ("7.2", (0.96, 12), "number of its epoch"),
    ("7.2", (6, None), "you never stop"),
    ("7.2", (3, 9), "highest value"),
    ("7.2", (6, 13), "one too late"),
    ("7.2", (6, 11), "one too early"),
    ("7.2", (6, 14), "ties included"),
    ("7.3", lambda *args: warm_cosine(*args, early=1), "no step of the rise"),
    ("7.3", lambda t, steps, warm, peak: peak, "straight line"),
    ("7.3", lambda t, *args: warm_cosine(t, *args, since=t, length=args[0]), "begins at t = warm"),
    ("7.3", lambda t, steps, *args: warm_cosine(t, steps, *args, length=steps), "fewer than `steps`"),
    ("7.3", lambda t, steps, warm, peak: peak * min(t / warm, 1), "After the rise"),
    ("7.3", lambda t, steps, warm, peak: peak * t / warm if t < warm else None, "in the fall"),
    ("7.3", lambda t, *args: warm_cosine(t, 40, 10, 0.1), "straight line"),
    ("7.4", lambda *args: keep_best(*args, model=nn.Sequential(GLOBAL)), "Take the one"),
    ("7.4", lambda *args: keep_best(*args, model=GLOBAL), "Take the one"),
    ("7.4", lambda *args: keep_best(*args, keep=dict), "deep copy"),
    ("7.4", lambda *args: keep_best(*args, tie=True), "The first of equals"),
    ("7.4", keep_last, "The first of equals"),
    ("7.4", forgets_to_return, "return best as it is"),
    ("7.4", keep_by_train_loss, "Replace both"),
    ("7.4", lambda state, best: best or keep_best(state, None), "best so far"),
    ("7.4", lambda state, best: state.model.state_dict(), "each time"),
    ("7.4", lambda state, best: {"loss": 1.0, "weights": copy.deepcopy(state.model)}, "Its state dict is enough"),
    ("7.5", lambda *args: resume(*args, without=["model"]), "load_state_dict"),
    ("7.5", lambda *args: resume(*args, without=["optimizer"]), "optimizer has a state dict"),
    ("7.5", lambda *args: resume(*args, without=["scheduler"]), "scheduler has a state dict"),
    ("7.5", lambda *args: resume(*args, without=["random"]), "draw nothing afterwards"),
    ("7.5", lambda *args: resume(*args, step=0), "is done already"),
    ("7.5", lambda *args: resume(*args, step=2), "first epoch to run"),
    ("7.5", lambda *args: (resume(*args), None)[1], "Say which epoch"),
    ("7.5", lambda *args: (resume(*args), args[1]), "a tuple"),
    ("7.6", lambda *args: stop_epoch(*args, late=1), "stop after the last of them"),
    ("7.6", lambda *args: stop_epoch(*args, late=-1), "One epoch too early"),
    ("7.6", against_the_epoch_before, "not with the epoch before"),
    ("7.6", lambda losses, patience, min_delta: stop_epoch(losses, patience, 0), "more than min_delta"),
    ("7.6", lambda *args: stop_epoch(*args, never=-1), "Return 0"),
    ("7.6", lambda *args: stop_epoch(*args, never=None), "Return 0"),
    ("7.6", lambda losses, patience, min_delta: stop_epoch(losses, patience, min_delta) - patience, "the best epoch"),
    ("7.6", lambda *args: stop_epoch(*args, never=4), "Return 0"),
    ("7.6", without_a_new_start, "wait anew"),
    ("7.6", by_shares, "no share"),
    ("7.6", best_of_all, "more than min_delta"),
    ("7.6", against_what_did_not_count, "counted as best"),
    ("7.6", exactly_is_enough, "counted as best"),
]


class TestLesson07(Checkers):
    RIGHT, WRONG = RIGHT, WRONG

    @pytest.mark.parametrize(("number", "same"), OTHER_FORMS)
    def test_a_right_answer_may_have_another_form(self, number, same):
        assert check(number, same)
