"""Every exercise of lesson 6: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import batches, load
from course_utils.exercises import check
from tests.checks.checkers import Checkers


def accuracy(model, batches, keep_mode=True, evaluate=True):
    was_training = model.training
    model.train(not evaluate)
    right = torch.cat([model(x).argmax(1) == y for x, y in batches])
    if keep_mode:
        model.train(was_training)
    return right.float().mean().item()


def train_step(model, x, y, optimizer, zero=True, step_first=False, training=True):
    model.train(training)
    loss = F.cross_entropy(model(x), y)
    if zero:
        optimizer.zero_grad()
    if step_first:
        optimizer.step()
    loss.backward()
    if not step_first:
        optimizer.step()
    return loss.item()


def mean_of_means(model, batches):
    model.eval()
    return sum((model(x).argmax(1) == y).float().mean().item() for x, y in batches) / len(batches)


def always_training_afterwards(model, batches):
    answer = accuracy(model, batches)
    model.train()
    return answer


RIGHT = {
    "6.1": math.log(1000),
    "6.2": (1516, 2416),
    "6.3": lambda n: (n // 2 - 4) // 2,
    "6.4": [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840],
    "6.5": train_step,
    "6.6": accuracy,
}
WRONG = [
    ("6.1", 3.0, "natural logarithm"),
    ("6.1", 9.966, "base 2"),
    ("6.1", 2.303, "probability of each class"),
    ("6.1", -6.908, "minus the logarithm"),
    ("6.1", 1000, "each class gets"),
    ("6.2", (1500, 2416), "a bias too"),
    ("6.2", (1560, 2416), "however many maps"),
    ("6.2", (2416, 1516), "Count the digits"),
    ("6.2", (1516, 2400), "one bias"),
    ("6.2", 1516, "two numbers"),
    ("6.3", lambda n: n // 4 - 4, "before the second pooling"),
    ("6.3", lambda n: (n / 2 - 4) / 2, "round down"),
    ("6.3", lambda n: (n // 2 - 2) // 2, "layer by layer"),
    ("6.4", [122_304, 5_880, 241_600, 2_000, 48_120, 10_164, 840], "the table"),
    ("6.4", [122_304, 5_880, 150_000, 2_000, 48_120, 10_164, 840], "6.2"),
    ("6.4", [117_600, 5_880, 151_600, 2_000, 48_120, 10_164, 840], "1 bias"),
    ("6.4", [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 850], "no bias"),
    ("6.4", 340_908, "seven numbers"),
    ("6.6", mean_of_means, "must not weigh as much"),
    ("6.6", lambda *args: accuracy(*args, evaluate=False), "switches dropout"),
    ("6.6", lambda *args: accuracy(*args, keep_mode=False), "give it back"),
    ("6.6", always_training_afterwards, "that it came in"),
    ("6.6", lambda model, batches: accuracy(model, batches) / 2, "divide once"),
    ("6.7", "a model", "trained model itself"),
    ("6.7", nn.Sequential(nn.Flatten(), nn.Linear(784, 20)), "Most sit in the first linear layer"),
    ("6.5", lambda *args: train_step(*args, zero=False), "add up until"),
    ("6.5", lambda *args: train_step(*args, step_first=True), "both, in that order"),
    ("6.5", lambda *args: torch.tensor(train_step(*args)), "loss.item()"),
    ("6.5", lambda *args: train_step(*args, training=False), "switches dropout"),
    ("6.5", lambda *args: train_step(*args) / 8, "before the step"),
    ("6.5", lambda *args: train_step(*args) and train_step(*args), "One forward"),
]


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


@pytest.mark.parametrize(
    ("steps", "status", "words"),
    [
        (120, "right", "parameters"),
        (14, "wrong", "falls to 0"),
        (0, "wrong", "was this model trained"),
    ],
)
def test_a_trained_model_is_judged_by_its_validation_accuracy(steps, status, words):
    verdict = check("6.7", trained(steps))
    assert (verdict.status, words in verdict.message) == (status, True), verdict.message
