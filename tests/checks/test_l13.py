"""Every exercise of lesson 13: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import swa_utils

from course_utils import batches, evaluate, fit, load, networks
from course_utils.exercises import check
from course_utils.history import Epoch, History, Score
from course_utils.shapes import count_macs
from tests.checks.checkers import Checkers

SHAPE = (1, 3, 32, 32)


def accuracy_of(model):
    return evaluate(model, batches(load("cifar10").valid, 300)).accuracy


def history_of(accuracy, epochs=1, lr=0.01):
    """A history that ends at this validation accuracy; lr is one rate, or the first and all others."""
    rates = lr if isinstance(lr, list) else [lr, lr]
    score = Score(1.0, accuracy)
    return History(Epoch(k + 1, score, score, rates[min(k, 1)], 1.0) for k in range(epochs))


def seeds(gain, spread, factor=2.5, least=2, of=2, times=1, rounded=math.ceil):
    return max(least, rounded(times * of * (factor * spread / gain) ** 2))


def seeds_one_by_one(gain, spread):
    n = 2
    while gain < 2.5 * spread * (2 / n) ** 0.5:
        n += 1
    return np.int64(n)


def triangle(step, steps, peak, rising):
    top = rising * steps
    return peak * step / top if step <= top else peak * (steps - step) / (steps - top)


def triangle_as_a_minimum(step, steps, peak, rising):
    top = rising * steps
    return torch.tensor(peak * min(step / top, (steps - step) / (steps - top)), dtype=torch.float64)


def as_steep(step, steps, peak, rising):
    return peak * max(0, min(1, step / (rising * steps), 2 - step / (rising * steps)))


def falling_as_a_cosine(step, steps, peak, rising):
    top = rising * steps
    return peak * step / top if step <= top else peak * (1 + math.cos(math.pi * (step - top) / (steps - top))) / 2


def average(values, keep):
    mean = values[0]
    for value in values[1:]:
        mean = keep * mean + (1 - keep) * value
    return mean


def average_by_weights(values, keep):
    n = len(values)
    shares = [keep ** (n - 1), *((1 - keep) * keep ** (n - 1 - k) for k in range(1, n))]
    return sum(share * value for share, value in zip(shares, values, strict=True))


def average_in_place(values, keep):
    mean = values[0]
    for value in values[1:]:
        mean.lerp_(value, 1 - keep)
    return mean


def whole_epochs(own, seconds):
    each, scores = own
    return min(int(seconds // each), len(scores))


def best(runs, seconds):
    reached = {}
    for name, (_, scores) in runs.items():
        epochs = whole_epochs(runs[name], seconds)
        if epochs > 0:
            reached[name] = scores[epochs - 1]
    return max(reached, key=reached.get)


def best_by_hand(runs, seconds):
    found, score = "", -1.0
    for name, (each, scores) in runs.items():
        for k, value in enumerate(scores, 1):
            if k * each <= seconds:
                last = value
        if each <= seconds and last > score:
            found, score = name, last
    return found


def best_at_its_end(runs, seconds):
    return max(runs, key=lambda name: runs[name][1][-1])


def best_before(runs, seconds):
    started = [name for name in runs if whole_epochs(runs[name], seconds)]
    return max(started, key=lambda name: max(runs[name][1][: whole_epochs(runs[name], seconds)]))


def best_at_equal_epochs(runs, seconds):
    fewest = min(whole_epochs(own, seconds) or 99 for own in runs.values())
    return max(runs, key=lambda name: runs[name][1][fewest - 1])


def best_begun(runs, seconds):
    return max(runs, key=lambda name: runs[name][1][max(1, whole_epochs(runs[name], seconds)) - 1])


RIGHT = {
    "13.1": (0.84, 0.661),
    "13.2": seeds,
    "13.3": triangle,
    "13.4": average,
    "13.5": best,
}
WRONG = [
    ("13.1", 0.84, "two numbers"),
    ("13.1", (0.661, 0.84), "probability first"),
    ("13.1", (0.8, 0.661), "among them"),
    ("13.1", (0.04, 0.661), "each wrong class"),
    ("13.1", (1, 0.661), "without smoothing"),
    ("13.1", (0.96, 0.661), "not to one of them"),
    ("13.1", (0.82, 0.661), "five classes"),
    ("13.1", (0.92, 0.661), "Here s is"),
    ("13.1", (0.5, 0.661), "What is the target"),
    ("13.1", (0.84, 0), "right class alone"),
    ("13.1", (0.84, 0.174), "right class alone"),
    ("13.1", (0.84, 0.146), "missing"),
    ("13.1", (0.84, 0.954), "in bits"),
    ("13.1", (0.84, 0.287), "base 10"),
    ("13.1", (0.84, 0.132), "not a mean"),
    ("13.1", (0.84, 0.667), "another probability"),
    ("13.1", (0.84, -0.661), "wants a minus"),
    ("13.1", (0.84, 0.275), "counted one"),
    ("13.1", (0.84, 0.66), "three decimal"),
    ("13.1", (0.84, 5), "all five classes"),
    ("13.2", partial(seeds, least=1), "At least two"),
    ("13.2", partial(seeds, rounded=math.floor), "Round up"),
    ("13.2", partial(seeds, rounded=round), "Round up"),
    ("13.2", partial(seeds, of=1), "under the root"),
    ("13.2", partial(seeds, times=2), "of each recipe"),
    ("13.2", partial(seeds, factor=1), "2.5 times the spread"),
    ("13.2", partial(seeds, factor=2.5**0.5), "the 2.5 is squared"),
    ("13.2", lambda gain, spread: max(2, math.ceil(2**0.5 * 2.5 * spread / gain)), "square both sides"),
    ("13.2", lambda gain, spread: seeds(gain, spread) + 1, "One fewer"),
    ("13.2", lambda gain, spread: 3, "Try it"),
    ("13.2", lambda gain, spread: 2 * (2.5 * spread / gain) ** 2, "whole number"),
    ("13.3", lambda step, steps, peak, rising: triangle(step, steps, 1, rising), "not 1"),
    ("13.3", lambda step, steps, peak, rising: peak * step / steps, "rises all the way"),
    ("13.3", lambda step, steps, peak, rising: peak * step / (rising * steps), "goes on rising"),
    ("13.3", lambda step, steps, peak, rising: peak * (steps - step) / steps, "should rise first"),
    ("13.3", as_steep, "as steeply"),
    ("13.3", falling_as_a_cosine, "cosine"),
    ("13.3", lambda step, steps, peak, rising: triangle(step, steps, peak, 1 - rising), "Draw it"),
    ("13.3", lambda step, steps, peak, rising: peak, "Straight lines lead"),
    ("13.3", lambda step, steps, peak, rising: 0, "0 already"),
    ("13.3", lambda step, steps, peak, rising: triangle(step, steps - 1, peak, rising), "Draw it"),
    ("13.3", lambda step, steps, peak, rising: peak - 2 * peak * step / steps, "Draw it"),
    ("13.3", lambda step, steps, peak, rising: triangle(step, steps, peak, rising) or -1, "never negative"),
    ("13.4", lambda values, keep: torch.stack(values).mean(0), "plain mean"),
    ("13.4", lambda values, keep: values[-1], "last value"),
    ("13.4", lambda values, keep: values[0], "first value"),
    ("13.4", lambda values, keep: average(values, 1 - keep), "share of the old"),
    ("13.4", lambda values, keep: average([torch.zeros_like(values[0]), *values], keep), "not at 0"),
    ("13.4", lambda values, keep: average(values[:-1] or values, keep), "last value is missing"),
    ("13.4", lambda values, keep: average(values[::-1], keep), "backwards"),
    ("13.4", average_in_place, "changed numbers of values"),
    ("13.4", lambda values, keep: torch.stack(values), "One average"),
    ("13.4", lambda values, keep: average(values, keep) + 1, "two values"),
    ("13.5", best_at_its_end, "its end comes later"),
    ("13.5", best_before, "earlier epoch"),
    ("13.5", best_at_equal_epochs, "equally many seconds"),
    ("13.5", best_begun, "not finished one epoch"),
    ("13.5", lambda runs, seconds: min(runs, key=lambda name: runs[name][0]), "how many whole epochs"),
    ("13.5", lambda runs, seconds: max(own[1][-1] for own in runs.values()), "name of a run"),
    ("13.5", lambda runs, seconds: best(runs, seconds).title(), "one of the keys"),
    ("13.6", networks.fast_cifar_net(), "Give both"),
    ("13.6", (networks.fast_cifar_net(), [0.8]), "what `fit` returned"),
    ("13.6", (networks.fast_cifar_net(), history_of(0.8)), "this network's last training"),
    ("13.6", (networks.fast_cifar_net(), History()), "history ends at nothing"),
    ("13.6", (networks.cifar_net(), history_of(0.1)), "fewer than 900,000"),
    ("13.6", (networks.cifar_net().requires_grad_(False), history_of(0.1)), "fewer than 900,000"),
    ("13.6", ("a network", history_of(0.1)), "network itself"),
    ("13.6", (networks.fast_cifar_net, history_of(0.1)), "a function or a class"),
    ("13.6", (networks.fast_cifar_net()[:-1], history_of(0.1)), "Ten scores"),
    ("13.6", (networks.lenet(), history_of(0.1)), "your network raised RuntimeError"),
]


@pytest.fixture(scope="module")
def trained():
    """A small network that has learnt the sample, and the history of its training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", "sample")
        torch.manual_seed(0)
        data, model = load("cifar10"), networks.fast_cifar_net((8, 16, 32, 64))
        train = batches(data.train, 32, shuffle=True)
        optimizer = torch.optim.AdamW(model.parameters())
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=2 * len(train))
        loss = partial(F.cross_entropy, label_smoothing=0.1)
        history = fit(
            model,
            train,
            batches(data.valid, 300),
            optimizer,
            epochs=2,
            scheduler=cycle,
            scheduler_step="batch",
            loss_fn=loss,
        )
    return model, history


@pytest.fixture
def beaten(trained):
    return trained[0]


@pytest.fixture
def history(trained):
    return trained[1]


class TestLesson13(Checkers):
    RIGHT, WRONG = RIGHT, WRONG
    ASKED = [*RIGHT, "13.6"]  # 13.6 wants a trained network: see below


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("13.1", np.array([0.84, 0.66148])),
        ("13.2", seeds_one_by_one),
        ("13.3", triangle_as_a_minimum),
        ("13.4", average_by_weights),
        ("13.5", best_by_hand),
    ],
)
def test_a_right_answer_of_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out


def test_a_trained_network_is_right(beaten, history, capsys):
    assert check("13.6", (beaten, history)), capsys.readouterr().out
    assert check("13.6", [beaten, history])


def test_a_training_is_priced_by_its_arithmetic(beaten, history):
    most = int(5 * count_macs(networks.fast_cifar_net(), SHAPE) / count_macs(beaten, SHAPE))
    assert check("13.6", (beaten, History((most - 2) * history[:1] + history)))
    verdict = check("13.6", (beaten, History((most - 1) * history[:1] + history)))
    assert verdict.status == "wrong" and f"{most} epochs fit" in verdict.message, verdict.message


class Hidden(nn.Module):
    """Asks a network that is no part of it."""

    def __init__(self, inner, head=False):
        super().__init__()
        self.inner, self.head = [inner], nn.Linear(10, 10)
        nn.init.eye_(self.head.weight), nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.inner[0].eval()(x))


class HiddenNumbers(nn.Module):
    """Keeps the numbers of a network as lists or arrays."""

    def __init__(self, inner, as_list):
        super().__init__()
        self.inner, self.gate = [inner], nn.Parameter(torch.ones(()))
        self.numbers = {
            name: value.tolist() if as_list else value.numpy() for name, value in inner.state_dict().items()
        }

    def forward(self, x):
        numbers = {name: torch.as_tensor(value) for name, value in self.numbers.items()}
        return self.gate * torch.func.functional_call(self.inner[0].eval(), numbers, x)


class ByHeart(nn.Module):
    """Knows the validation images: as a buffer, as a plain tensor, or as a dictionary."""

    def __init__(self, how):
        super().__init__()
        valid = load("cifar10").valid
        images, y = next(iter(batches(valid, len(valid))))
        self.how, self.y = how, y
        if how == "buffer":
            self.register_buffer("images", images)
        elif how == "tensor":
            self.images = images
        else:
            self.labels = {image.numpy().tobytes(): label for image, label in zip(images, y.tolist(), strict=True)}
        self.gate = nn.Parameter(torch.ones(()))

    def forward(self, x):
        if self.how == "dictionary":
            labels = torch.tensor([self.labels.get(image.numpy().tobytes(), 0) for image in x])
        else:
            labels = self.y[torch.cdist(x.flatten(1), self.images.flatten(1)).argmin(1)]
        return self.gate * F.one_hot(labels, 10)


@pytest.mark.parametrize(
    ("cheat", "hint"),
    [
        (lambda beaten: Hidden(beaten), "plain list"),
        (lambda beaten: Hidden(nn.Sequential(beaten, nn.Linear(10, 40_000), nn.Linear(40_000, 10))), "plain list"),
        (lambda beaten: HiddenNumbers(beaten, as_list=True), "neither its parameters"),
        (lambda beaten: HiddenNumbers(beaten, as_list=False), "neither its parameters"),
        (lambda beaten: ByHeart("buffer"), "fewer than 900,000"),
        (lambda beaten: ByHeart("tensor"), "images are not to be kept"),
        (lambda beaten: ByHeart("dictionary"), "by heart"),
    ],
)
def test_a_network_that_cheats_is_wrong(beaten, history, cheat, hint):
    verdict = check("13.6", (cheat(beaten), history))
    assert verdict.status == "wrong" and hint in verdict.message, verdict.message


def test_an_average_of_weights_is_right(beaten, history, capsys):
    average = swa_utils.AveragedModel(beaten)
    assert check("13.6", (average.train(), history)), capsys.readouterr().out
    assert average.training and average.module.training


def test_a_network_in_double_precision_is_right(beaten, history, capsys):
    assert check("13.6", (copy.deepcopy(beaten).double(), history)), capsys.readouterr().out


class Wrapped(nn.Module):
    """As right: a few constants in a plain attribute, a mirrored second answer, no gradients."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.offset = inner.requires_grad_(False), torch.tensor([0.01, 0.0, -0.01]).view(3, 1, 1)

    def forward(self, x):
        return (self.inner(x + self.offset).softmax(1) + self.inner(x.flip(3)).softmax(1)) / 2


def test_a_network_around_a_network_is_right(beaten, capsys):
    wrapped = Wrapped(copy.deepcopy(beaten))
    assert check("13.6", (wrapped, history_of(accuracy_of(wrapped)))), capsys.readouterr().out


def test_a_network_is_as_before(beaten, history):
    before = copy.deepcopy(beaten.train().state_dict())
    check("13.6", (beaten, history))
    assert beaten.training and all(torch.equal(value, before[name]) for name, value in beaten.state_dict().items())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in beaten.modules())


@pytest.mark.parametrize(
    ("epochs", "lr", "hint"),
    [(1, 0.01, "time left"), (40, 0.01, "rate fall to 0"), (40, [0.01, 0.001], "two or three peaks")],
)
def test_a_network_that_has_learnt_too_little_is_wrong(beaten, epochs, lr, hint):
    model = copy.deepcopy(beaten)
    with torch.no_grad():
        model[-1].weight[4:] = 0
        model[-1].bias[4:] = -9
    verdict = check("13.6", (model, history_of(accuracy_of(model), epochs, lr)))
    assert verdict.status == "wrong" and hint in verdict.message, verdict.message


def test_a_network_at_chance_is_told_so():
    model = networks.fast_cifar_net()
    verdict = check("13.6", (model, history_of(accuracy_of(model))))
    assert verdict.status == "wrong" and "Chance" in verdict.message, verdict.message


@pytest.mark.parametrize("stub", [None, ...])
def test_no_network_is_unattempted(stub):
    assert check("13.6", stub).status == "unattempted"
