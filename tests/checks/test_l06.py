"""Every exercise of lesson 6: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import batches, load, networks
from course_utils.exercises import check
from tests.checks.checkers import Checkers


def accuracy(model, batches, keep_mode=True, evaluate=True):
    was_training = model.training
    model.train(not evaluate)
    right = torch.cat([model(x).argmax(1) == y for x, y in batches])
    if keep_mode:
        model.train(was_training)
    return right.float().mean().item()


def train_step(model, x, y, optimizer, zero=True, step_first=False, training=True, reduction="mean"):
    model.train(training)
    loss = F.cross_entropy(model(x), y, reduction=reduction)
    if zero:
        optimizer.zero_grad()
    if step_first:
        optimizer.step()
    loss.backward()
    if not step_first:
        optimizer.step()
    return loss.item()


def zeroed_too_late(model, x, y, optimizer):
    model.train()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def own_descent(model, x, y, optimizer):
    """Steps as gradient descent does, whichever optimizer it is given."""
    model.train()
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= optimizer.param_groups[0]["lr"] * parameter.grad
    return loss.item()


def outer_mode_only(model, x, y, optimizer):
    model.training = True
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def loss_afterwards(model, x, y, optimizer):
    train_step(model, x, y, optimizer)
    return F.cross_entropy(model(x), y).item()


def loss_after_the_step(model, x, y, optimizer):
    train_step(model, x, y, optimizer)
    with torch.no_grad():
        h = torch.tanh(F.linear(x, model[0].weight, model[0].bias))
        return F.cross_entropy(model[2](h), y).item()


def restores_the_mode(model, x, y, optimizer):
    mode = model.training
    loss = train_step(model, x, y, optimizer)
    model.train(mode)
    return loss


def zeroes_at_the_end(model, x, y, optimizer):
    model.train()
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def by_closure(model, x, y, optimizer):
    model.train()

    def closure():
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(model(x), 1), y)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


def mean_of_means(model, batches):
    mode = model.training
    model.eval()
    answer = sum((model(x).argmax(1) == y).float().mean().item() for x, y in batches) / len(batches)
    model.train(mode)
    return answer


def always_training_afterwards(model, batches):
    answer = accuracy(model, batches)
    model.train()
    return answer


@torch.no_grad()
def in_whichever_mode(model, batches):
    return torch.cat([model(x).argmax(1) == y for x, y in batches]).float().mean().item()


def outer_evaluation_only(model, batches):
    mode, model.training = model.training, False
    answer = in_whichever_mode(model, batches)
    model.training = mode
    return answer


def of_one_batch(index):
    return lambda model, batches: accuracy(model, [list(batches)[index]])


def number_right(model, batches):
    return round(accuracy(model, batches) * sum(len(y) for _, y in batches))


@torch.inference_mode()
def by_counting(model, loader):
    mode = model.training
    model.eval()
    correct = count = 0
    for x, y in loader:
        correct += (model(x).softmax(1).max(1).indices == y).sum()
        count += y.numel()
    model.train(mode)
    return correct / count


def on_a_copy(model, loader):
    copied = copy.deepcopy(model).eval()
    pairs = [
        (answer.item(), label.item()) for x, y in loader for answer, label in zip(copied(x).argmax(1), y, strict=True)
    ]
    return sum(answer == label for answer, label in pairs) / len(pairs)


RIGHT = {
    "6.1": math.log(1000),
    "6.2": (1516, 2416),
    "6.3": lambda n: (n // 2 - 4) // 2,
    "6.4": [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840],
    "6.5": train_step,
    "6.6": accuracy,
}
OTHER_FORMS = [
    ("6.1", 6.91),
    ("6.1", 6.908),
    ("6.1", torch.tensor([[6.9078]])),
    ("6.1", -torch.log(torch.tensor(1 / 1000))),
    ("6.1", F.cross_entropy(torch.zeros(1, 1000), torch.tensor([3]))),
    ("6.2", [1516.0, 2416.0]),
    ("6.2", np.array([[1516, 2416]])),
    ("6.3", lambda n: networks.lenet()[:6](torch.zeros(1, 1, n, n)).shape[-1]),
    ("6.3", lambda n: float(math.floor((math.floor(n / 2) - 4) / 2))),
    ("6.3", lambda n: torch.tensor(n).div(2, rounding_mode="floor").sub(4).div(2, rounding_mode="floor")),
    ("6.3", lambda n: n // 4 - 2),
    ("6.4", (6 * 784 * 26, 6 * 196 * 5, 1516 * 100, 16 * 25 * 5, 120 * 401, 84 * 121, 10 * 84)),
    ("6.5", restores_the_mode),
    ("6.5", zeroes_at_the_end),
    ("6.5", by_closure),
    ("6.6", by_counting),
    ("6.6", on_a_copy),
    ("6.6", lambda model, loader: np.float32(accuracy(model, loader))),
]
WRONG = [
    ("6.1", 3.0, "natural logarithm"),
    ("6.1", 9.966, "natural logarithm"),
    ("6.1", 2.303, "probability of each class"),
    ("6.1", -6.908, "minus the logarithm"),
    ("6.1", 1000, "each class get"),
    ("6.1", 0.001, "belongs to it"),
    ("6.1", 6.9, "two decimal places"),
    ("6.1", 7, "two decimal places"),
    ("6.1", 6.92, "each class get"),
    ("6.1", 6.90, "two decimal places"),
    ("6.1", "ln 1000", "one number"),
    ("6.1", (6.91, 6.91), "one number"),
    ("6.2", (1500, 2416), "has a bias too"),
    ("6.2", (1560, 2416), "reads three maps"),
    ("6.2", (416, 2416), "for each map that it reads"),
    ("6.2", (2416, 1516), "(with_table, without)"),
    ("6.2", (1490, 2416), "reading one map"),
    ("6.2", (1516, 2400), "has a bias too"),
    ("6.2", (1516, 2496), "reads six maps"),
    ("6.2", (1516, 416), "for each map that it reads"),
    ("6.2", (1516, 2417), "all maps before it"),
    ("6.2", (1516.5, 2416), "whole numbers"),
    ("6.2", 1516, "two numbers"),
    ("6.3", lambda n: n // 4 - 4, "before the second pooling"),
    ("6.3", lambda n: (n / 2 - 4) / 2, "round down"),
    ("6.3", lambda n: (n // 2 - 2) // 2, "layer by layer"),
    ("6.3", lambda n: ((n + 1) // 2 - 4) // 2, "first pooling too"),
    ("6.3", lambda n: math.ceil((n // 2 - 4) / 2), "second pooling too"),
    ("6.3", lambda n: math.ceil((math.ceil(n / 2) - 4) / 2), "both poolings"),
    ("6.3", lambda n: round((n / 2 - 4) / 2), "layer by layer"),
    ("6.3", lambda n: ((n - 4) // 2 - 4) // 2, "padding"),
    ("6.3", lambda n: n // 4, "no padding"),
    ("6.3", lambda n: n // 2 - 4, "second pooling follows"),
    ("6.3", lambda n: 5, "layer by layer"),
    ("6.3", lambda n: 16 * RIGHT["6.3"](n) ** 2, "layer by layer"),
    ("6.3", lambda n: (RIGHT["6.3"](n),) * 2, "one whole number"),
    ("6.3", lambda n: RIGHT["6.3"](n) if n >= 28 else 5, "torch.zeros(1, 1, 12, 12)"),
    ("6.4", [122_304, 5_880, 241_600, 2_000, 48_120, 10_164, 840], "with the table"),
    ("6.4", [122_304, 5_880, 150_000, 2_000, 48_120, 10_164, 840], "bias as well"),
    ("6.4", [122_304, 5_880, 151_601, 2_000, 48_120, 10_164, 840], "how many places"),
    ("6.4", [117_600, 5_880, 151_600, 2_000, 48_120, 10_164, 840], "bias as well"),
    ("6.4", [122_304, 4_704, 151_600, 2_000, 48_120, 10_164, 840], "bias as well"),
    ("6.4", [156, 12, 1_516, 32, 48_120, 10_164, 840], "at every place"),
    ("6.4", [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 850], "no bias"),
    ("6.4", [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 10], "how many numbers go into"),
    ("6.4", 340_908, "seven numbers"),
    ("6.5", lambda *args: torch.tensor(train_step(*args)).detach(), "you return a tensor. Hint"),
    ("6.5", lambda *args: train_step(*args, zero=False), "add up until"),
    ("6.5", lambda *args: train_step(*args, step_first=True), "empty them"),
    ("6.5", zeroed_too_late, "empty them"),
    ("6.5", lambda *args: torch.tensor(train_step(*args)), "plain number"),
    ("6.5", lambda *args: train_step(*args, training=False), "switches dropout"),
    ("6.5", lambda model, *args: train_step(model, *args, training=model.training), "in all layers"),
    ("6.5", outer_mode_only, "in all layers"),
    ("6.5", lambda *args: train_step(*args) / 8, "not rounded"),
    ("6.5", lambda *args: train_step(*args, reduction="sum"), "line by line"),
    ("6.5", lambda *args: train_step(*args) and train_step(*args), "line by line"),
    ("6.5", own_descent, "line by line"),
    ("6.5", loss_afterwards, "One forward pass"),
    ("6.5", loss_after_the_step, "after the step"),
    ("6.5", lambda model, x, y, optimizer: train_step(model, x.sub_(x.mean()), y, optimizer), "leave those alone"),
    ("6.5", lambda *args: (train_step(*args), 1.0), "one plain number"),
    ("6.6", lambda model, loader: round(accuracy(model, loader), 2), "This is rounded"),
    ("6.6", mean_of_means, "must not weigh as much"),
    ("6.6", lambda *args: accuracy(*args, evaluate=False), "training mode"),
    ("6.6", outer_evaluation_only, "mode in which it came"),
    ("6.6", in_whichever_mode, "mode in which it came"),
    ("6.6", lambda *args: accuracy(*args, keep_mode=False), "give it back"),
    ("6.6", always_training_afterwards, "that it came in"),
    ("6.6", lambda model, batches: accuracy(model, batches) / 3, "Count right answers"),
    ("6.6", of_one_batch(-1), "last batch"),
    ("6.6", of_one_batch(0), "first batch"),
    ("6.6", number_right, "share of them"),
    ("6.6", lambda *args: 100 * accuracy(*args), "from 0 to 1"),
    ("6.6", lambda *args: 1 - accuracy(*args), "share of errors"),
    ("6.6", lambda model, batches: number_right(model, batches) / len(batches), "not of batches"),
    ("6.6", lambda model, batches: number_right(model, batches) / len(batches.dataset), "Count what comes out"),
    ("6.6", lambda model, batches: accuracy(model, [batches[k] for k in range(len(batches))]), "not subscriptable"),
    ("6.6", lambda model, batches: number_right(model, batches) / 5, "Count right answers"),
    ("6.7", "a model", "network itself"),
    ("6.7", nn.Flatten, "network itself"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.Linear(784, 20)), "Where do most of them sit"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.Linear(784, 20)).requires_grad_(False), "parameters and buffers"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.BatchNorm1d(10_000)), "what it keeps"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.Linear(784, 12)), "N×10"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), "was this model trained"),
]  # fmt: skip


def block(in_channels, out_channels):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.MaxPool2d(2), nn.ReLU())


def trained(steps):
    """A small network after some steps on the sample."""
    torch.manual_seed(0)
    model = nn.Sequential(block(1, 8), block(8, 16), block(16, 32), nn.Flatten(), nn.Linear(288, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _, (x, y) in zip(range(steps), itertools.cycle(batches(load("mnist").train, 64, shuffle=True)), strict=False):
        train_step(model, x, y, optimizer)
    return model


class TestLesson06(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, [*RIGHT, "6.7"]


@pytest.mark.parametrize(("exercise", "answer"), OTHER_FORMS)
def test_a_right_answer_in_another_form_is_right(exercise, answer, capsys):
    assert check(exercise, answer), capsys.readouterr().out


@pytest.mark.parametrize(("steps", "status", "words"), [(14, "wrong", "falls to 0"), (0, "wrong", "was this model")])
def test_a_trained_model_is_judged_by_its_validation_accuracy(steps, status, words):
    verdict = check("6.7", trained(steps))
    assert (verdict.status, words in verdict.message) == (status, True), verdict.message


class Hidden(nn.Module):
    """Asks a network that is not among its parts."""

    def __init__(self, model, numbers=0):
        super().__init__()
        self.hidden = [model]
        self.few = nn.Parameter(torch.ones(numbers))

    def forward(self, x):
        return self.hidden[0](x)


class Half(nn.Module):
    """Adds a hidden network's scores to those of a small one of its own."""

    def __init__(self, model):
        super().__init__()
        self.hidden, self.own = [model], nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    def forward(self, x):
        return self.hidden[0](x) + 0.01 * self.own(x)


class Uncounted(nn.Sequential):
    """Lists none of its parameters."""

    def parameters(self, recurse=True):
        return iter([])


class Tall(nn.Module):
    """Memorised images in a buffer."""

    def __init__(self, images):
        super().__init__()
        self.register_buffer("x", images.x.flatten(1).float())
        self.register_buffer("y", images.y)

    def forward(self, x):
        return F.one_hot(self.y[torch.cdist(x.flatten(1), self.x).argmin(1)], 10).float()


class WithoutReturn(nn.Sequential):
    def forward(self, x):
        super().forward(x)


class Paired(nn.Sequential):
    def forward(self, x):
        return super().forward(x), x


@pytest.fixture(scope="module")
def good():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA", "sample")
        return trained(120)


class TestTrained:
    def test_a_good_one_is_right_and_stays_as_it_was(self, good):
        before = {name: value.clone() for name, value in good.state_dict().items()}
        for mode in (True, False):
            good.train(mode)
            with torch.inference_mode():
                assert check("6.7", good)
            assert check("6.7", good) and all(each.training is mode for each in good.modules())
        assert all(torch.equal(value, before[name]) for name, value in good.state_dict().items())
        assert all(parameter.grad_fn is None and parameter.requires_grad for parameter in good.parameters())

    def test_it_may_be_frozen_or_in_another_form(self, good):
        assert check("6.7", copy.deepcopy(good).requires_grad_(False))
        assert check("6.7", copy.deepcopy(good).to(memory_format=torch.channels_last))
        assert check("6.7", nn.Sequential(copy.deepcopy(good), nn.LogSoftmax(1)))
        assert check("6.7", nn.DataParallel(copy.deepcopy(good)))
        normed = copy.deepcopy(good)
        normed[-1] = nn.utils.parametrizations.weight_norm(normed[-1])
        assert check("6.7", normed)

    @pytest.mark.parametrize("numbers", [0, 5])
    def test_a_hidden_network_is_found(self, good, numbers):
        assert "plain list" in check("6.7", Hidden(good, numbers)).message
        assert "plain list" in check("6.7", Half(good)).message

    def test_a_network_is_counted_whatever_it_lists(self):
        large = Uncounted(nn.Flatten(), nn.Linear(784, 20))
        assert "15,700 numbers" in check("6.7", large).message

    def test_memorised_images_are_counted(self):
        assert "fewer than 10,001 are asked" in check("6.7", Tall(load("mnist").train)).message

    def test_a_network_must_return_its_scores(self, good):
        assert "gives nothing back" in check("6.7", WithoutReturn(*copy.deepcopy(good))).message
        assert "must return a tensor" in check("6.7", Paired(*copy.deepcopy(good))).message
