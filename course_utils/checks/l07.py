"""Checkers of lesson 7, Controlling training."""

import copy
import math
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong
from course_utils.history import Epoch, History, Score

from ._answers import RETURNED, Refused, near, number, numbers, whole


@checker("7.1")
def two_rates(answer):
    """two numbers: the cosine's rate in epoch 58 and StepLR's in epoch 14."""
    cosine, step = numbers(answer, 2, "(cosine, step)")

    def rate(t):
        return 0.005 / 2 * (1 + math.cos(math.pi * t / 70))

    def is_cosine(value):  # three significant digits of 0.000414
        return near(cosine, value, places=6)

    if not is_cosine(rate(57)):
        if near(cosine, 0.7**13, places=5) and near(step, rate(57), places=6):
            return wrong("the two are swapped", hint="First the cosine, then PyTorch's example.")
        for t in (13, 56, 58):
            if is_cosine(rate(t)):
                hint = "In epoch 1 no step has been taken yet."
                return wrong(f"{cosine:.6f} is the rate in epoch {t + 1}", hint=hint)
        if is_cosine(2 * rate(57)):
            return wrong(f"{cosine:.6f} is twice as much", hint="The wave goes from 2 to 0 before it is halved.")
        if is_cosine(0.005 / 2 * (1 + math.cos(57 / 70))):
            return wrong(f"{cosine:.6f}: half a wave is missing", hint="The cosine's argument runs from 0 to π.")
        if near(cosine, rate(57) / 0.005, places=4):
            return wrong(f"{cosine:.4f} is the share that is left", hint="Of which first rate?")
        if near(cosine, rate(57), places=5) or cosine == round(rate(57), 4):
            return wrong(f"{cosine:g} is close", hint="Give three digits behind the zeros, rounded.")
        hint = "How many steps are done before epoch 58? Put them into the formula, with the tutorial's first rate."
        return wrong(f"your cosine is {cosine:g}", hint=hint)
    if near(step, 0.7**13, places=5):
        return right("The tutorial's log prints 0.0004 there: it is rounded to four places, and hides the rest.")
    for k in (12, 14):
        if near(step, 0.7**k, places=5):
            return wrong(f"{step:.5f} is the rate in epoch {k + 1}", hint="In epoch 1 the rate is still 1.0.")
    if near(step, 0.7**13, places=4) or step == round(0.7**13, 3):
        return wrong(f"{step:g} is close", hint="Give three digits behind the zeros, rounded.")
    hint = "Write down the rates of epochs 1, 2 and 3. How often is each multiplied by 0.7?"
    return wrong(f"your second rate is {step:g}", hint=hint)


@checker("7.2")
def patience(answer):
    """two whole numbers, (best, stop)."""
    if isinstance(answer, tuple | list) and len(answer) == 2 and answer[0] is not None and answer[1] is None:
        answer = (answer[0], 0)  # "it never stops"
    best, stop = numbers(answer, 2, "(best, stop)")
    if (best, stop) == (12, 6):
        return wrong("the two are swapped", hint="First the best epoch, then the last one.")
    if (best, stop) == (5, 11):
        return wrong("you count epochs from 0", hint="The first epoch is epoch 1.")
    if best == 14:
        hint = "Does the training come so far? Go epoch by epoch, and count those without a better one."
        return wrong("your best epoch is 14", hint=hint)
    if best in (9, 13):
        hint = "An earlier epoch has the same accuracy. A tie is no progress."
        return wrong(f"your best epoch is {best:g}", hint=hint)
    if 0 < best < 1:
        return wrong(f"{best:g} is an accuracy", hint="Give the number of its epoch, counted from 1.")
    if best != 6:
        finding = f"your best epoch is {best:g}"
        return wrong(finding, hint="The highest value before the stop, the first of equals, counted from 1.")
    if stop in (11, 13):
        return wrong(
            f"epoch {stop:g} is one too {'early' if stop == 11 else 'late'}",
            hint="Count the epochs that bring nothing better: 1, 2, 3. With the last that is allowed it stops.",
        )
    if stop != 12:
        finding = f"you stop after epoch {stop:g}" if stop else "you never stop"
        hint = "Count from the best epoch on. An epoch that equals it brings nothing better."
        return wrong(finding, hint=hint)
    return right("Epoch 14 would have been better still. No patience is ever proved long enough.")


@checker("7.3")
def warm_cosine(answer):
    """a function of (t, steps, warm, peak) that returns the rate."""
    mistakes = {
        "At t = 0 the rate is 0: no step of the rise is done yet.": lambda t, steps, warm, peak: (
            peak * (t + 1) / warm if t < warm else _fall(t - warm, steps - warm, peak)
        ),
        "The cosine begins at t = warm.": lambda t, steps, warm, peak: (
            peak * t / warm if t < warm else _fall(t, steps, peak)
        ),
        "How many steps are left for the cosine, after the rise?": lambda t, steps, warm, peak: (
            peak * t / warm if t < warm else _fall(t - warm, steps, peak)
        ),
        "The fall is a straight line. Half a wave is asked.": lambda t, steps, warm, peak: (
            peak * t / warm if t < warm else peak * (steps - t) / (steps - warm)
        ),
        "The wave goes from 2 to 0 before it is halved.": lambda t, steps, warm, peak: (
            peak * t / warm if t < warm else 2 * _fall(t - warm, steps - warm, peak)
        ),
        "The rise is missing.": lambda t, steps, warm, peak: _fall(t, steps, peak),
        "After the rise the rate falls.": lambda t, steps, warm, peak: peak * min(t / warm, 1),
        "The rise is a wave. A straight line is asked.": lambda t, steps, warm, peak: (
            peak - _fall(t, warm, peak) if t < warm else _fall(t - warm, steps - warm, peak)
        ),
    }
    settings = [
        (t, steps, warm, peak)
        for steps, warm, peak in ((40, 10, 0.1), (12, 3, 2.0), (5, 1, 0.5), (9, 8, 3e-4))
        for t in range(steps + 1)
    ]
    rates = [number(answer(*setting), "a rate, one number", what=RETURNED) for setting in settings]

    def is_at(rule, setting, rate):
        return abs(rate - rule(*setting)) <= 1e-6 * setting[3]

    for setting, mine in zip(settings, rates, strict=True):
        t, steps, warm, peak = setting
        if is_at(_warm_cosine, setting, mine):
            continue
        hint = (
            "From 0 to the peak in `warm` equal steps: by how much does each raise the rate?"
            if t < warm
            else "Try t = warm, t = steps, and the middle between. Which rates should come out, and which do?"
        )
        for cause, rule in mistakes.items():
            if all(is_at(rule, *pair) for pair in zip(settings, rates, strict=True)):
                hint = cause
        return wrong(f"warm_cosine({t}, {steps}, {warm}, {peak}) is {mine:.4g}", hint=hint)
    return right("A rise of a few per cent of the steps is usual: Adam's averages are poor while they are young.")


def _fall(t, steps, peak):
    """The rate after t of so many steps of a cosine."""
    return peak / 2 * (1 + math.cos(math.pi * t / steps))


def _warm_cosine(t, steps, warm, peak):
    return peak * t / warm if t < warm else _fall(t - warm, steps - warm, peak)


FORM = 'Return {"loss": …, "weights": …}, each time.'


def _kept(best, model):
    """The loss and the weights that an answer keeps."""
    if not isinstance(best, dict) or not {"loss", "weights"} <= best.keys():
        raise Refused(f"you return {shown(best)}", hint=FORM)
    loss, weights = number(best["loss"], "the loss as one number", what="your loss"), best["weights"]
    if isinstance(weights, nn.Module):
        raise Refused("you keep a whole network", hint="Its state dict is enough, and safe to load.")
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise Refused(f"your weights are {shown(weights)}", hint="Keep a state dict: it names each tensor.")
    names = model.state_dict().keys()
    if weights.keys() == dict(model.named_parameters()).keys() != names:
        raise Refused("your weights lack the network's buffers", hint="The state dict has all that is to be restored.")
    if weights.keys() != names or any(weights[name].shape != value.shape for name, value in model.state_dict().items()):
        hint = "Which network do you ask for its state dict? Take the one that you were handed."
        raise Refused(
            f"your weights are named {shown(list(weights))}, those of state.model {shown(list(names))}", hint=hint
        )
    return loss, weights


@checker("7.4", changes=True)
def keep_best(answer):
    """a function of (state, best) that returns {"loss": …, "weights": …}."""
    seen = []
    for losses in (
        (2.0, 1.0, 3.0, 1.5),
        (2.0, 1.0, 3.0, 1.0),
        (0.5, 0.75, 0.5),
        (3.0, 2.0, 1.5),
        (4.0, 4.0, 5.0, 3.5, 3.75),
    ):
        model, history, best = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)), History(), None
        state = SimpleNamespace(model=model, history=history, epoch=0)
        for epoch, loss in enumerate(losses, 1):
            _fill(model, epoch)
            # another measure and split rank the epochs otherwise
            history.append(Epoch(epoch, Score(1 / epoch, 0.5), Score(loss, epoch / 10), 0.1, 0.0))
            state.epoch = epoch
            best = answer(state, best)
            _kept(best, model)
            if not model.training or any((value != epoch).any() for value in model.state_dict().values()):
                hint = "Training goes on with it, and from its weights: only read them."
                return wrong("your function changes the network itself", hint=hint)
        last = len(losses)
        loss, weights = _kept(best, model)
        before = weights["0.weight"][0, 0].item()
        _fill(model, 99)  # training goes on
        if any((value == 99).any() for value in weights.values()):
            return wrong("your best weights go on learning", hint="A state dict refers to the living weights.")
        epochs = {value.item() for tensor in weights.values() for value in tensor.flatten()}
        first = losses.index(min(losses)) + 1
        if epochs == {first} and loss == min(losses):
            seen.append(loss)
            continue
        case = f"of the losses {', '.join(f'{one:g}' for one in losses)} you keep {loss:g}"
        if len(epochs) > 1 or before not in range(1, last + 1):
            hint = "Which network do you ask for its state dict? Take the one that you were handed."
            return wrong(f"{case}, and weights that are not those of state.model after one epoch", hint=hint)
        case += f", with the weights of epoch {before:g}"
        if loss not in losses:
            others = {value for k in range(1, last + 1) for value in (1 / k, 0.5, k / 10)}
            if loss in others and loss not in seen:
                return wrong(case, hint="The loss of validation is asked.")
            return wrong(
                case, hint="At first, `best` is None: a new training begins, with the loss of its first epoch."
            )
        if losses[int(before) - 1] == min(losses) == loss:
            return wrong(case, hint="The first of equals: a tie is no progress.")
        if losses[int(before) - 1] != loss:
            return wrong(case, hint="Loss and weights must be of the same epoch.")
        if before == 1:
            return wrong(case, hint="Is each loss compared with that of the best so far?")
        return wrong(case, hint="With which loss is each compared, and what is returned when it is no better?")
    return right("Handed in, copied, and compared: the three things that the published class lacked or lost.")


def _fill(model, number):
    """Make every number of a network the same."""
    with torch.no_grad():
        for value in model.state_dict().values():
            value.fill_(number)


def _parts(kind, schedule):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = kind(model.parameters(), lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
    return model, optimizer, schedule(optimizer)


def _equal(a, b):
    """Whether two state dicts hold the same."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


@checker("7.5", changes=True)
def resume(answer):
    """a function of (saved, model, optimizer, scheduler) that returns the first epoch to run."""
    for kind, schedule, epochs in (
        (torch.optim.Adam, lambda optimizer: lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5), 7),
        (torch.optim.SGD, lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=9), 4),
    ):
        before = _parts(kind, schedule)
        for _ in range(epochs):
            before[0](torch.randn(4, 3)).square().sum().backward()
            before[1].step()
            before[2].step()
        names = ("model", "optimizer", "scheduler")
        saved = {name: copy.deepcopy(part.state_dict()) for name, part in zip(names, before, strict=True)}
        saved |= {"random": torch.get_rng_state(), "epoch": epochs}
        expected = copy.deepcopy(saved)
        torch.rand(5)
        model, optimizer, scheduler = after = _parts(kind, schedule)
        result = answer(saved, *after)
        generator = torch.get_rng_state()
        if not _equal(model.state_dict(), expected["model"]):
            return wrong("the network is not as it was", hint="Each part has a load_state_dict.")
        if not _equal(scheduler.state_dict(), expected["scheduler"]):
            return wrong("the schedule is not where it was", hint="The scheduler has a state dict too.")
        if not _equal(optimizer.state_dict()["state"], expected["optimizer"]["state"]):
            return wrong("the optimizer's averages are not back", hint="The optimizer has a state dict too.")
        if not _equal(optimizer.state_dict(), expected["optimizer"]):
            return wrong(
                "the learning rate is not back",
                hint="The optimizer's state dict holds it. Does anything change it afterwards?",
            )
        if not torch.equal(generator, expected["random"]):
            hint = "`torch.set_rng_state` puts it back; draw nothing afterwards."
            return wrong("the generator is not where it was", hint=hint)
        first = whole(result, "the number of the first epoch to run", what=RETURNED)
        if first == epochs:
            return wrong(f"epoch {first} would be run twice", hint="`saved['epoch']` is done already.")
        if first != epochs + 1:
            finding = f"you return {first} for a file of epoch {epochs}"
            return wrong(finding, hint="Which epoch is the first that the file has not seen?")
    return right("`Checkpoint` does this, and first compares what the file says with the training that asks for it.")


@checker("7.6")
def stop_epoch(answer):
    """a function of (losses, patience, min_delta) that returns an epoch, or 0."""
    cases = [
        ([3, 2, 1, 1.5, 2, 3], 2, 0.0),
        ([1, 2, 0.5, 0.75, 0.625, 0.625], 3, 0.0),
        ([4, 3, 2, 1], 2, 0.0),
        ([1, 0.9, 0.8, 0.7, 0.6], 2, 0.25),
        ([1, 0.75, 0.7, 0.6], 2, 0.25),
        ([4, 3.5, 3.25, 3], 2, 0.25),
        ([1, 1, 1, 1], 3, 0.0),
        ([2, 3, 1], 1, 0.0),
        ([2, 3, 1, 1.5, 0.5, 0.75, 0.625, 0.5], 2, 0.0),
        ([5, 4, 3, 4, 4, 1, 2, 2, 2, 0], 3, 0.5),
        ([-1, -2, -1.5, -1.75], 2, 0.125),
        ([2], 1, 0.0),
        ([3e9, 2e9, 2.5e9, 2.5e9, 1], 2, 0.0),
    ]
    mine = [whole(answer(list(losses), *rest), "one epoch, or 0", what=RETURNED) for losses, *rest in cases]
    mistakes = {
        "This is the best epoch. The one after which training stops is asked.": _changed(
            lambda stop, patience, epochs: stop and stop - patience
        ),
        "Return 0 where no epoch stops it.": _changed(lambda stop, patience, epochs: stop or epochs),
        "Count epochs from 1.": _changed(lambda stop, patience, epochs: stop and stop - 1),
        "Compare with the best epoch so far, not with the epoch before.": _rule(
            lambda loss, best, lowest, before, delta: loss < before - delta
        ),
        "Being lower is not enough: lower by more than min_delta.": _rule(
            lambda loss, best, lowest, before, delta: loss < best
        ),
        "Lower by exactly min_delta is not lower by more than it.": _rule(
            lambda loss, best, lowest, before, delta: loss <= best - delta
        ),
        "An epoch that did not count is no best one: compare with the last that did.": _rule(
            lambda loss, best, lowest, before, delta: loss < lowest - delta
        ),
        "min_delta is subtracted from the best loss: it is no share of it.": _rule(
            lambda loss, best, lowest, before, delta: loss < best * (1 - delta)
        ),
        "After the best epoch, `patience` more may pass; with the last of them it stops.": _rule(_lower, late=1),
        "It stops too early: `patience` epochs after the best one may pass.": _rule(_lower, late=-1),
        "A new best epoch lets the wait begin anew.": _rule(_lower, anew=False),
    }
    for case, stop in zip(cases, mine, strict=True):
        if stop == _rule(_lower)(*case):
            continue
        hint = "Note the best loss and its epoch, and go epoch by epoch on paper: how long ago was the best one?"
        for cause, rule in mistakes.items():
            if mine == [rule(*each) for each in cases]:
                hint = cause
        if stop not in range(len(case[0]) + 1):
            hint = "Epochs are counted from 1; return 0 where no epoch stops it."
        losses, patience, min_delta = case
        return wrong(f"stop_epoch({losses}, {patience}, {min_delta}) is {stop}", hint=hint)
    return right("With a min_delta of 0 it is the course's rule, and skorch's with a threshold of 0.")


def _lower(loss, best, lowest, before, delta):
    """The rule that the exercise states."""
    return loss < best - delta


def _rule(better, late=0, anew=True):
    """When training stops, where an epoch is a new best one by better(loss, best, lowest, before, min_delta)."""

    def stop(losses, patience, min_delta):
        best = lowest = before = math.inf
        waited = 0
        for epoch, loss in enumerate(losses, 1):
            if better(loss, best, lowest, before, min_delta):
                best, waited = loss, 0 if anew else waited
            else:
                waited += 1
                if waited >= patience + late:
                    return epoch
            lowest, before = min(lowest, loss), loss
        return 0

    return stop


def _changed(change):
    """The right epoch, changed by change(epoch, patience, number of epochs); the epoch is 0 where nothing stops it."""
    return lambda losses, *rest: change(_rule(_lower)(losses, *rest), rest[0], len(losses))
