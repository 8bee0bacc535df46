"""Checkers of lesson 7, Controlling training."""

import copy
import math
from types import SimpleNamespace

import torch
from torch import nn
from torch.optim import lr_scheduler

from course_utils.checkpoint import EarlyStopping
from course_utils.exercises import Unattempted, checker, right, wrong
from course_utils.history import Epoch, History, Score


def _close(a, b):
    return abs(a - b) <= 0.005 * abs(b)


def _two_numbers(answer):
    """Two numbers from a tuple, a list, a tensor or an array; None if it is anything else."""
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return None
    values = [value.item() if hasattr(value, "item") else value for value in answer]
    return values if all(isinstance(value, int | float) for value in values) else None


@checker("7.1")
def two_rates(answer):
    """two numbers: the cosine's rate in epoch 58 and StepLR's in epoch 14."""
    if (numbers := _two_numbers(answer)) is None:
        return wrong(f"your answer is {answer!r}", hint="Give two numbers: (cosine, step).")
    cosine, step = numbers

    def rate(t):
        return 0.005 / 2 * (1 + math.cos(math.pi * t / 70))

    if _close(cosine, 0.7**13):
        return wrong("the two are swapped", hint="First the cosine, then PyTorch's example.")
    if _close(cosine, rate(58)):
        return wrong(f"{cosine:.6f} is the rate in epoch 59", hint="In epoch 1 no step has been taken yet.")
    if _close(cosine, 2 * rate(57)):
        return wrong(f"{cosine:.6f} is twice as much", hint="The wave goes from 2 to 0 before it is halved.")
    if _close(cosine, 0.005 / 2 * (1 + math.cos(57 / 70))):
        return wrong(f"{cosine:.6f}: half a wave is missing", hint="The cosine's argument runs from 0 to π.")
    if _close(cosine, rate(57) / 0.005):
        return wrong(f"{cosine:.4f} is the share that is left", hint="Of which first rate?")
    if cosine in (0.0004, 0.00041):
        return wrong(f"{cosine:g} is rounded too far", hint="Give three digits behind the zeros.")
    if not _close(cosine, rate(57)):
        return wrong(f"your cosine is {cosine:g}", hint="Put t, the steps done before epoch 58, into the formula.")
    if _close(step, 0.7**14):
        return wrong(f"{step:.5f} is the rate in epoch 15", hint="In epoch 1 the rate is still 1.0.")
    if not _close(step, 0.7**13):
        return wrong(f"your second rate is {step:g}", hint="Multiply 1.0 by 0.7, once for each step done.")
    return right("The tutorial's log prints 0.0004 there: it is rounded to four places, and hides the rest.")


@checker("7.2")
def patience(answer):
    """two whole numbers, (best, stop)."""
    if isinstance(answer, tuple | list) and len(answer) == 2 and answer[1] in (None, ...):
        answer = (answer[0], 0)  # "it never stops"
    if (numbers := _two_numbers(answer)) is None:
        return wrong(f"your answer is {answer!r}", hint="Give two epochs: (best, stop).")
    best, stop = numbers
    if (best, stop) == (12, 6):
        return wrong("the two are swapped", hint="First the best epoch, then the last one.")
    if best == 14:
        return wrong("epoch 14 is never reached", hint="Go epoch by epoch, and count those without a better one.")
    if best in (9, 13):
        return wrong(f"epoch {best} equals epoch 6", hint="A tie is no progress.")
    if best == 5:
        return wrong("you count epochs from 0", hint="The first epoch is epoch 1.")
    if 0 < best < 1:
        return wrong(f"{best} is an accuracy", hint="Give the number of its epoch, counted from 1.")
    if best != 6:
        return wrong(f"your best epoch is {best}", hint="The highest value before the stop, the first of equals.")
    if stop in (11, 13):
        return wrong(
            f"epoch {stop} is one too {'early' if stop == 11 else 'late'}",
            hint="After the best epoch, six more may pass; the sixth is the last.",
        )
    if stop != 12:
        finding = f"you stop after epoch {stop}" if stop else "you never stop"
        return wrong(finding, hint="Count six epochs from the best one on, ties included.")
    return right("Epoch 14 would have been better still. No patience is ever proved long enough.")


@checker("7.3")
def warm_cosine(answer):
    """a function of (t, steps, warm, peak) that returns the rate."""
    for steps, warm, peak in ((40, 10, 0.1), (12, 3, 2.0)):
        expected = [peak * t / warm for t in range(warm)] + _cosine_by_torch(peak, steps - warm)
        for t, rate in enumerate(expected):
            call = f"warm_cosine({t}, {steps}, {warm}, {peak})"
            try:
                mine = float(answer(t, steps, warm, peak))
            except Unattempted:
                if t == 0:
                    raise
                return wrong(f"{call} returns nothing", hint="Return a rate in the rise and in the fall.")

            def close(guess, mine=mine, peak=peak):
                return abs(mine - guess) <= 1e-6 * peak

            if close(rate):
                continue
            case = f"{call} is {mine:.4g}, should be {rate:.4g}"
            if t < warm and close(peak * (t + 1) / warm):
                return wrong(case, hint="At t = 0 the rate is 0: no step of the rise is done yet.")
            if t < warm:
                return wrong(case, hint="While t is below warm, a straight line: the share t / warm of the peak.")
            if close(peak / 2 * (1 + math.cos(math.pi * t / steps))):
                return wrong(case, hint="The cosine begins at t = warm: count its steps from there.")
            if close(peak / 2 * (1 + math.cos(math.pi * (t - warm) / steps))):
                return wrong(case, hint="The cosine has fewer than `steps` steps: some went into the rise.")
            return wrong(case, hint="After the rise, the lesson's formula with the steps since then, of those left.")
    return right("A rise of a few per cent of the steps is usual: Adam's averages are poor while they are young.")


def _cosine_by_torch(peak, steps):
    """The rates after 0 to `steps` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    rates = [peak]
    for _ in range(steps):
        optimizer.step()
        cosine.step()
        rates.append(cosine.get_last_lr()[0])
    return rates


@checker("7.4")
def keep_best(answer):
    """a function of (state, best) that returns {"loss": …, "weights": …}."""
    network, history, best, kept = nn.Linear(2, 1), History(), None, None
    state = SimpleNamespace(model=network, history=history)
    for epoch, loss in enumerate((2.0, 1.0, 3.0, 1.0), 1):
        nn.init.constant_(network.weight, float(epoch))
        # another measure and split rank the epochs otherwise
        history.append(Epoch(epoch, Score(1 / epoch, 0.5), Score(loss, epoch / 10), 0.1, 0.0))
        try:
            best = answer(state, best)
        except Unattempted:
            if epoch == 1:
                raise
            return wrong(f"after epoch {epoch} you return nothing", hint="If it is no better, return best as it is.")
        if not isinstance(best, dict) or not {"loss", "weights"} <= best.keys():
            return wrong(f"you return {type(best).__name__}", hint='Return {"loss": …, "weights": …}, each time.')
        if loss == 1.0 and kept is None:
            kept = copy.deepcopy(network.state_dict())
    weights = best["weights"]
    if isinstance(weights, nn.Module):
        return wrong("you keep a whole network", hint="Its state dict is enough, and safe to load.")
    number = weights["weight"][0, 0].item() if isinstance(weights, dict) and weights.keys() == kept.keys() else None
    if number not in (1, 2, 3, 4):
        return wrong(
            "the weights are not those of state.model",
            hint="Which network do you ask for its state dict? Take the one that you were handed.",
        )
    if number == 4 and best["loss"] == 1.0 and weights["weight"].data_ptr() == network.weight.data_ptr():
        return wrong(
            "your best weights went on learning", hint="A state dict refers to the living weights: make a deep copy."
        )
    if number == 4 and best["loss"] == 1.0:
        return wrong("you keep epoch 4, as good as epoch 2", hint="The first of equals: a tie is no progress.")
    if number == 1:
        return wrong("you keep the first epoch for ever", hint="Compare each loss with that of the best so far.")
    if number != 2 or best["loss"] != 1.0:
        return wrong(
            f"of the losses 2, 1, 3, 1 you keep {best['loss']:g}, with the weights of epoch {number:g}",
            hint="Replace both, loss and weights, when the validation loss is lower than the best; else return best.",
        )
    return right("Handed in, copied, and compared: the three things that the published class lacked or lost.")


@checker("7.5")
def resume(answer):
    """a function of (saved, model, optimizer, scheduler) that returns the first epoch to run."""
    state = torch.get_rng_state()
    try:
        return _judge_resume(answer)
    finally:
        torch.set_rng_state(state)


def _parts():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    return model, optimizer, lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def _judge_resume(answer):
    before, epochs = _parts(), 7
    for _ in range(epochs):
        before[0](torch.ones(1, 3)).sum().backward()
        before[1].step()
        before[2].step()
    names = ("model", "optimizer", "scheduler")
    saved = {name: copy.deepcopy(part.state_dict()) for name, part in zip(names, before, strict=True)}
    saved |= {"random": torch.get_rng_state(), "epoch": epochs}
    torch.rand(5)
    after = _parts()
    try:
        first = answer(saved, *after)
    except Unattempted:
        if not torch.equal(after[0].weight, before[0].weight):
            raise
        return wrong("you return nothing", hint="Say which epoch is the first to run.")
    if not torch.equal(after[0].weight, before[0].weight):
        return wrong("the weights are not back", hint="Each part has a load_state_dict.")
    if not after[1].state_dict()["state"]:
        return wrong("Adam has lost its averages", hint="The optimizer has a state dict too.")
    if after[2].last_epoch != epochs:
        return wrong("the schedule begins anew", hint="The scheduler has a state dict too.")
    if after[1].param_groups[0]["lr"] != before[1].param_groups[0]["lr"]:
        return wrong("the learning rate is not back", hint="It is kept in the optimizer's state dict.")
    if not torch.equal(torch.get_rng_state(), saved["random"]):
        return wrong(
            "the generator is not where it was",
            hint="`torch.set_rng_state` puts it back; draw nothing afterwards.",
        )
    if first == epochs:
        return wrong(f"epoch {first} would be run twice", hint="`saved['epoch']` is done already.")
    if first != epochs + 1:
        given = first if isinstance(first, int | float) else f"a {type(first).__name__}"
        return wrong(f"you return {given} for a file of epoch {epochs}", hint="The number of the first epoch to run.")
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
    ]
    for losses, patience, min_delta in cases:
        expected = _course_stop(losses, patience, min_delta)
        try:
            mine = answer(losses, patience, min_delta)
        except Unattempted:
            if expected:
                raise
            return wrong(f"for {losses} you return nothing", hint="Return 0 if no epoch stops it.")
        if mine == expected:
            continue
        case = f"stop_epoch({losses}, {patience}, {min_delta}) is {mine!r}, should be {expected}"
        if expected == 0 and (not 1 <= mine <= len(losses) or not min_delta):
            return wrong(case, hint="Return 0 if no epoch stops it.")
        if expected and mine == expected - patience:
            return wrong(case, hint="That is the best epoch. Return the one after which training stops.")
        if not min_delta and mine == _stop(losses, patience, lambda loss, _, before: loss < before):
            return wrong(case, hint="Compare with the best epoch so far, not with the epoch before.")
        if min_delta and mine == _course_stop(losses, patience, 0.0):
            return wrong(case, hint="Being lower is not enough: lower than the best by more than min_delta.")
        if mine == expected + 1:
            return wrong(case, hint="After the best epoch, `patience` more may pass; stop after the last of them.")
        if mine == expected - 1:
            return wrong(case, hint="One epoch too early. Count epochs from 1, and wait anew after each best one.")
        if mine == _stop(losses, patience, lambda loss, best, _, share=1 - min_delta: loss < share * best):
            return wrong(case, hint="min_delta is subtracted from the best loss: it is no share of it.")
        if min_delta:
            return wrong(
                case, hint="Measure from the last epoch that counted as best; lower by exactly min_delta is too little."
            )
        return wrong(case, hint="Note the best loss and its epoch; stop when it lies `patience` epochs back.")
    return right("With a min_delta of 0 it is the course's rule, and skorch's with a threshold of 0.")


def _course_stop(losses, patience, min_delta):
    history, rule = History(), EarlyStopping(patience, min_delta=min_delta)
    for epoch, loss in enumerate(losses, 1):
        history.append(Epoch(epoch, Score(0.0, 0.0), Score(loss, 0.0), 0.1, 0.0))
        if epoch - history.best(min_delta=rule.min_delta).epoch >= rule.patience:
            return epoch
    return 0


def _stop(losses, patience, better):
    """When a rule stops that calls an epoch a new best one by better(loss, best loss, loss before)."""
    best, before, best_epoch = math.inf, math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        if better(loss, best, before):
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= patience:
            return epoch
        before = loss
    return 0
