"""Every exercise of lesson 7: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from course_utils.exercises import check
from tests.checks.checkers import Checkers

GLOBAL = nn.Linear(2, 1)  # left over in the notebook, and never trained


def warm_cosine(t, steps, warm, peak, length=None, since=None, early=0):
    if t < warm:
        return peak * (t + early) / warm
    since, length = t - warm if since is None else since, steps - warm if length is None else length
    return peak / 2 * (1 + math.cos(math.pi * since / length))


def linear_fall(t, steps, warm, peak):
    return peak * t / warm if t < warm else peak * (steps - t) / (steps - warm)


def as_a_loop(t, steps, warm, peak):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    rise = lr_scheduler.LambdaLR(
        optimizer, lambda k: k / warm if k < warm else 0.5 + 0.5 * cos_of(k - warm, steps - warm)
    )
    for _ in range(t):
        optimizer.step()
        rise.step()
    return optimizer.param_groups[0]["lr"]


def cos_of(t, steps):
    return math.cos(math.pi * t / steps)


def all_but_batch_norm(state_dict):
    return {name: value.clone() for name, value in state_dict.items() if name.endswith(("weight", "bias"))}


def keep_in_place(state, best):
    loss = state.history[-1].valid.loss
    if best is None:
        return {"loss": loss, "weights": copy.deepcopy(state.model.state_dict()), "epoch": 1}
    if loss < best["loss"]:
        best["loss"], best["epoch"] = loss, len(state.history)
        best["weights"] = copy.deepcopy(state.model.state_dict())
    return best


def keep_by_history(state, best):
    if state.history.best() is state.history[-1]:
        weights = {name: value.detach().clone() for name, value in state.model.state_dict().items()}
        return {"loss": torch.tensor(state.history[-1].valid.loss), "weights": weights}
    return best


def keep_through_a_file(state, best):
    loss, file = state.history[-1].valid.loss, io.BytesIO()
    if best is not None and loss >= best["loss"]:
        return best
    torch.save(state.model.state_dict(), file)
    file.seek(0)
    return {"loss": loss, "weights": torch.load(file)}


class Remembers:
    """Keeps the lowest loss for itself, and so never begins anew."""

    def __init__(self):
        self.best = None

    def __call__(self, state, best):
        self.best = keep_best(state, self.best)
        return self.best


def keep_lower_than_before(state, best):
    losses = state.history.column("valid", "loss")
    return keep_best(state, None) if best is None or losses[-1] < losses[-2] else best


def keep_new_loss_only(state, best):
    loss = state.history[-1].valid.loss
    return keep_best(state, best) if best is None else {**best, "loss": min(loss, best["loss"])}


def keep_new_weights_only(state, best):
    kept = keep_best(state, best)
    return {**kept, "weights": copy.deepcopy(state.model.state_dict())}


def goes_back(state, best):
    best = keep_best(state, best)
    state.model.load_state_dict(best["weights"])
    return best


def in_evaluation_mode(state, best):
    state.model.eval()
    return keep_best(state, best)


def from_zero(state, best):
    return keep_best(state, best or {"loss": 0, "weights": copy.deepcopy(state.model.state_dict())})


def stop_from_100(losses, patience, min_delta):
    """Right while no loss is above 100."""
    best, best_epoch = 100, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best - min_delta:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch
    return 0


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


def resume_by_copies(saved, model, optimizer, scheduler):
    with torch.no_grad():
        for name, value in model.state_dict().items():
            value.copy_(saved["model"][name])
    scheduler.load_state_dict(saved["scheduler"])
    optimizer.load_state_dict(saved["optimizer"])
    torch.random.set_rng_state(saved["random"])
    return torch.tensor(1 + saved["epoch"])


def rate_only(saved, model, optimizer, scheduler):
    optimizer.param_groups[0]["lr"] = saved["optimizer"]["param_groups"][0]["lr"]
    return resume(saved, model, optimizer, scheduler, without=["optimizer"])


def averages_only(saved, model, optimizer, scheduler):
    rate = optimizer.param_groups[0]["lr"]
    epoch = resume(saved, model, optimizer, scheduler)
    optimizer.param_groups[0]["lr"] = rate
    return epoch


def parameters_only(saved, model, optimizer, scheduler):
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    epoch = resume(saved, model, optimizer, scheduler)
    model.load_state_dict(buffers, strict=False)
    return epoch


def draws_afterwards(*args):
    epoch = resume(*args)
    torch.rand(1)
    return epoch


def seeds_anew(*args):
    epoch = resume(*args)
    torch.manual_seed(0)
    return epoch


def new_parts(saved, model, optimizer, scheduler):
    model = copy.deepcopy(model)
    return resume(saved, model, optimizer, scheduler)


def stop_by_window(losses, patience, min_delta):
    """Follows a list of the epochs that counted as best."""
    counted = []
    for epoch, loss in enumerate(losses):
        if not counted or losses[counted[-1]] - loss > min_delta:
            counted.append(epoch)
        if epoch - counted[-1] == patience:
            return epoch + 1
    return 0


def stop_and_leave_nothing(losses, patience, min_delta):
    stop = stop_epoch(losses, patience, min_delta)
    losses.clear()
    return stop


def stop_sorted(losses, patience, min_delta):
    losses.sort(reverse=True)
    return stop_epoch(losses, patience, min_delta)


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
    ("7.1", np.array([4.14e-4, 9.69e-3])),
    ("7.2", torch.tensor([6, 12])),
    ("7.2", [6.0, np.int64(12)]),
    ("7.3", lambda *args: torch.tensor(warm_cosine(*args))),
    ("7.3", lambda *args: np.float64(warm_cosine(*args))),
    ("7.3", as_a_loop),
    ("7.3", lambda t, steps, warm, peak: peak * min(t / warm, (1 + cos_of(max(t - warm, 0), steps - warm)) / 2)),
    ("7.4", keep_in_place),
    ("7.4", keep_by_history),
    ("7.4", keep_through_a_file),
    ("7.5", lambda *args: torch.tensor(resume(*args))),
    ("7.5", resume_by_copies),
    ("7.6", stop_by_window),
    ("7.6", lambda *args: torch.tensor(stop_epoch(*args))),
    ("7.6", lambda losses, *rest: stop_epoch(torch.tensor(losses, dtype=torch.float64), *rest)),
]
WRONG = [
    ("7.1", 0.000414, "two numbers"),
    ("7.1", (cosine(58), 0.7**13), "no step has been taken"),
    ("7.1", (cosine(56), 0.7**13), "no step has been taken"),
    ("7.1", (2 * cosine(57), 0.7**13), "before it is halved"),
    ("7.1", (0.0025 * (1 + math.cos(57 / 70)), 0.7**13), "from 0 to π"),
    ("7.1", (0.7**13, cosine(57)), "First the cosine"),
    ("7.1", (0.0004, 0.7**13), "three digits"),
    ("7.1", (0.00041, 0.7**13), "three digits"),
    ("7.1", (0.000415, 0.7**13), "three digits"),
    ("7.1", (0.000413, 0.7**13), "three digits"),  # cut off
    ("7.1", (cosine(57) / 0.005, 0.7**13), "Of which first rate"),
    ("7.1", (cosine(50), 0.7**13), "steps are done before"),
    ("7.1", (cosine(13), 0.7**13), "no step has been taken"),  # in the wrong one of the two epochs
    ("7.1", (0.0025 * (1 + math.sin(math.pi * 57 / 70)), 0.7**13), "steps are done before"),  # a rate, by chance
    ("7.1", (0.005 * 0.7**57, 0.7**13), "steps are done before"),
    ("7.1", (0.001, 0.7**13), "steps are done before"),
    ("7.1", (cosine(57), ...), "two numbers"),
    ("7.1", (cosine(57), 0.7**14), "still 1.0"),
    ("7.1", (cosine(57), 0.7**12), "still 1.0"),
    ("7.1", (cosine(57), 0.7 * 13), "How often"),
    ("7.1", (cosine(57), 0.0097), "three digits"),
    ("7.1", (cosine(57), 0.00968), "three digits"),
    ("7.1", (cosine(57), 0.01), "three digits"),
    ("7.1", (cosine(57), 1.01 * 0.7**13), "How often"),
    ("7.2", 12, "two numbers"),
    ("7.2", (14, None), "Go epoch by epoch"),
    ("7.2", (9, 15), "A tie is no progress"),
    ("7.2", (5, 11), "first epoch is epoch 1"),
    ("7.2", (5, 12), "highest value"),
    ("7.2", (9, None), "A tie is no progress"),
    ("7.2", (12, 6), "First the best"),
    ("7.2", (0.96, 12), "number of its epoch"),
    ("7.2", (6, None), "you never stop"),
    ("7.2", (3, 9), "highest value"),
    ("7.2", (6, 13), "one too late"),
    ("7.2", (6, 11), "one too early"),
    ("7.2", (6, 14), "equals it"),
    ("7.2", (6, 12.5), "equals it"),
    ("7.3", lambda *args: warm_cosine(*args, early=1), "no step of the rise"),
    ("7.3", lambda t, steps, warm, peak: peak, "equal steps"),
    ("7.3", lambda t, *args: warm_cosine(t, *args, since=t, length=args[0]), "begins at t = warm"),
    ("7.3", lambda t, steps, *args: warm_cosine(t, steps, *args, length=steps), "How many steps are left"),
    ("7.3", lambda t, steps, warm, peak: peak * min(t / warm, 1), "the rate falls"),
    ("7.3", lambda t, steps, warm, peak: peak * t / warm if t < warm else None, "every way through it"),
    ("7.3", lambda t, *args: warm_cosine(t, 40, 10, 0.1), "equal steps"),
    ("7.3", linear_fall, "straight line. Half a wave"),
    ("7.3", lambda t, steps, warm, peak: peak / 2 * (1 + cos_of(t, steps)), "rise is missing"),
    ("7.3", lambda t, steps, warm, peak: (1 + (t >= warm)) * warm_cosine(t, steps, warm, peak), "before it is halved"),
    ("7.3", lambda t, steps, warm, peak: peak * t / warm if t <= 5 else warm_cosine(t, steps, warm, peak), "t = steps"),
    ("7.3", lambda t, *args: warm_cosine(t, *args) / args[2], "equal steps"),
    ("7.3", lambda *args: (warm_cosine(*args), 0), "one number"),
    ("7.4", lambda *args: keep_best(*args, model=nn.Sequential(GLOBAL, nn.BatchNorm1d(1))), "Take the one"),
    ("7.4", lambda *args: keep_best(*args, model=GLOBAL), "Take the one"),
    ("7.4", lambda *args: keep_best(*args, keep=dict), "living weights"),
    ("7.4", lambda *args: keep_best(*args, keep=copy.copy), "living weights"),
    ("7.4", lambda *args: keep_best(*args, keep=all_but_batch_norm), "all that is to be restored"),
    ("7.4", lambda *args: keep_best(*args, tie=True), "The first of equals"),
    ("7.4", keep_last, "when it is no better"),
    ("7.4", keep_lower_than_before, "With which loss"),
    ("7.4", forgets_to_return, "every way through it"),
    ("7.4", keep_by_train_loss, "loss of validation"),
    ("7.4", lambda state, best: best or keep_best(state, None), "best so far"),
    ("7.4", lambda state, best: state.model.state_dict(), "each time"),
    ("7.4", lambda state, best: {"loss": 1.0, "weights": copy.deepcopy(state.model)}, "Its state dict is enough"),
    ("7.4", lambda state, best: {"loss": 1.0, "weights": [1.0]}, "a state dict"),
    ("7.4", Remembers(), "a new training begins"),
    ("7.4", keep_new_loss_only, "of the same epoch"),
    ("7.4", keep_new_weights_only, "of the same epoch"),
    ("7.4", goes_back, "only read them"),
    ("7.4", in_evaluation_mode, "only read them"),
    ("7.4", from_zero, "loss of its first epoch"),
    ("7.5", lambda *args: resume(*args, without=["model"]), "load_state_dict"),
    ("7.5", lambda *args: resume(*args, without=["optimizer"]), "optimizer has a state dict"),
    ("7.5", lambda *args: resume(*args, without=["scheduler"]), "scheduler has a state dict"),
    ("7.5", lambda *args: resume(*args, without=["random"]), "draw nothing afterwards"),
    ("7.5", draws_afterwards, "draw nothing afterwards"),
    ("7.5", seeds_anew, "draw nothing afterwards"),
    ("7.5", lambda *args: resume(*args, step=0), "is done already"),
    ("7.5", lambda *args: resume(*args, step=2), "has not seen"),
    ("7.5", lambda *args: resume(*args) and 8, "has not seen"),
    ("7.5", lambda *args: (resume(*args), None)[1], "every way through it"),
    ("7.5", lambda *args: (resume(*args), args[1]), "first epoch to run"),
    ("7.5", rate_only, "optimizer has a state dict"),
    ("7.5", averages_only, "learning rate is not back"),
    ("7.5", parameters_only, "load_state_dict"),
    ("7.5", new_parts, "load_state_dict"),
    ("7.6", stop_from_100, "how long ago"),
    ("7.6", lambda *args: stop_epoch(*args, late=1), "with the last of them it stops"),
    ("7.6", lambda *args: stop_epoch(*args, late=-1), "too early"),
    ("7.6", against_the_epoch_before, "not with the epoch before"),
    ("7.6", lambda losses, patience, min_delta: stop_epoch(losses, patience, 0), "more than min_delta"),
    ("7.6", lambda *args: stop_epoch(*args, never=-1), "return 0"),
    ("7.6", lambda *args: stop_epoch(*args, never=None), "every way through it"),
    ("7.6", lambda losses, patience, min_delta: stop_epoch(losses, patience, min_delta) - patience, "long ago"),
    ("7.6", lambda losses, *rest: (stop := stop_epoch(losses, *rest)) and stop - rest[0], "This is the best epoch"),
    ("7.6", lambda losses, *rest: stop_epoch(losses, *rest) or len(losses), "Return 0"),
    ("7.6", lambda losses, *rest: (stop := stop_epoch(losses, *rest)) and stop - 1, "from 1"),
    ("7.6", lambda *args: stop_epoch(*args, never=4), "long ago"),
    ("7.6", without_a_new_start, "begin anew"),
    ("7.6", by_shares, "no share"),
    ("7.6", best_of_all, "long ago"),
    ("7.6", against_what_did_not_count, "did not count"),
    ("7.6", exactly_is_enough, "more than it"),
    ("7.6", stop_and_leave_nothing, "leave those alone"),
    ("7.6", stop_sorted, "leave those alone"),
    ("7.6", lambda *args: (6, stop_epoch(*args)), "one epoch, or 0"),
]


class TestLesson07(Checkers):
    RIGHT, WRONG = RIGHT, WRONG

    @pytest.mark.parametrize(("number", "same"), OTHER_FORMS)
    def test_a_right_answer_may_have_another_form(self, number, same, capsys):
        assert check(number, same), capsys.readouterr().out
