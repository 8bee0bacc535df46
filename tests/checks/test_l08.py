"""Every exercise of lesson 8: its solution is right, a stub is unattempted, typical mistakes get the hint they need."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_utils import networks
from course_utils.exercises import check
from tests.checks.checkers import Checkers


def drop_maps(x, p, training, shape=lambda n, c: (n, c, 1, 1), scale=True, keep=None, always=False):
    if not training and not always:
        return x
    coins = torch.empty(shape(*x.shape[:2])).bernoulli_(1 - p if keep is None else keep)
    return x * coins / (1 - p if scale else 1)


def in_place(x, p, training):
    return x.mul_(drop_maps(torch.ones_like(x), p, training)) if training else x


class Published(nn.Module):
    """As in the lesson: dropout is a function that never learns the mode."""

    def __init__(self, trained):
        super().__init__()
        self.features, self.last = trained[:7], trained[8]

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5))


class Mended(Published):
    p = 0.5

    def forward(self, x):
        return self.last(F.dropout(self.features(x), self.p, training=self.training))


class WithALayer(Published):
    def __init__(self, trained):
        super().__init__(trained)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.last(self.dropout(self.features(x)))


class NewLayerEachTime(Published):
    def forward(self, x):
        return self.last(nn.Dropout(0.5)(self.features(x)))


class Never(Published):
    def forward(self, x):
        return self.last(self.features(x))


class ScaledInEvaluation(Published):
    def forward(self, x):
        features = self.features(x)
        return self.last(F.dropout(features, 0.5) if self.training else features * 0.5)


class TooFew(Mended):
    p = 0.1


class NotScaled(Published):
    def forward(self, x):
        features = self.features(x)
        return self.last(features * torch.ones_like(features).bernoulli_(0.5) if self.training else features)


class DropsPixels(Published):
    def forward(self, x):
        return self.last(self.features(F.dropout(x, 0.5, training=self.training)))


class DropsAnswers(Published):
    def forward(self, x):
        return F.dropout(self.last(self.features(x)), 0.5, training=self.training)


class OfItsOwn(nn.Module):
    """Another right form: a copy of the trained network."""

    def __init__(self, trained):
        super().__init__()
        self.features, self.last = copy.deepcopy(trained[:7]), copy.deepcopy(trained[8])

    def forward(self, x):
        return self.last(F.dropout(self.features(x), 0.5, self.training))


def equally_many(x, p, training):
    order = torch.rand(x.shape[:2]).argsort(1)
    return x * (order >= p * x.shape[1])[:, :, None, None] / (1 - p)


def seeded(x, p, training):
    torch.manual_seed(0)
    return drop_maps(x, p, training)


def unscrambled_in_place(weight, order):
    weight[:, order] = weight.clone()
    return weight


def unscramble(weight, order):
    return weight[:, order.argsort()]


REMEDY = {"A": "larger network", "B": "more images", "C": "evaluation mode", "D": "check the labels"}
RIGHT = {
    "8.1": 1.25,
    "8.2": 6_508_298,
    "8.3": REMEDY,
    "8.4": drop_maps,
    "8.5": Mended,
    "8.6": unscramble,
}
WRONG = [
    ("8.1", 0.8, "share survives"),
    ("8.1", 5, "1/p"),
    ("8.1", 1, "smaller in training"),
    ("8.1", 2, "p = 0.5"),
    ("8.1", 3.7, "How many survive"),
    ("8.1", float("nan"), "How many survive"),
    ("8.2", 25_775_882, "as it is"),
    ("8.2", 25_775_882 // 4, "shrink by four"),
    ("8.2", 6_272 * 1_024, "Biases"),
    ("8.2", 6_273 * 1_024, "two convolutions and the last"),
    ("8.2", 6_508_298 - 10_250, "last layer is missing"),
    ("8.2", 6_508_298 - 1_024, "One bias"),
    ("8.2", 74_496 + 12_545 * 1_024 + 10_250, "halves both sides"),
    ("8.2", 6_508_299, "7×7"),
    ("8.3", REMEDY | {"A": "more images", "B": "larger network"}, "what would it do with more"),
    ("8.3", REMEDY | {"B": "larger network"}, "already knows"),
    ("8.3", REMEDY | {"C": "more images"}, "drawn anew"),
    ("8.3", REMEDY | {"D": "larger network"}, "understood nothing"),
    ("8.3", REMEDY | {"D": "evaluation mode"}, "these two numbers"),
    ("8.3", REMEDY | {"D": ...}, "Copy one"),
    ("8.3", REMEDY | {"A": "a bigger one"}, "Copy one"),
    ("8.3", "more images", "Such as"),
    ("8.4", F.dropout, "shares one coin"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, shape=lambda n, c: (1, c, 1, 1)), "own coins"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, shape=lambda n, c: (n, 1, 1, 1)), "map has its own"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, scale=False), "1 − p"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, keep=p), "share that goes"),
    ("8.4", lambda x, p, training: drop_maps(x, p, training, always=True), "as it is"),
    ("8.4", lambda x, p, training: x, "One coin"),
    ("8.4", in_place, "new tensor"),
    ("8.4", lambda x, p, training: torch.zeros_like(x), "One coin"),
    ("8.4", equally_many, "their number varies"),
    ("8.4", seeded, "set no seed"),
    ("8.5", Published, "training=self.training"),
    ("8.5", NewLayerEachTime, "made inside forward"),
    ("8.5", Never, "not False"),
    ("8.5", ScaledInEvaluation, "nothing is scaled"),
    ("8.5", TooFew, "p = 0.5"),
    ("8.5", NotScaled, "divided by 1 − p"),
    ("8.5", DropsPixels, "nothing before"),
    ("8.5", DropsAnswers, "not what the last layer"),
    ("8.5", Mended(networks.two_convolutions(2)), "class itself"),
    ("8.6", lambda weight, order: weight[:, order], "once more"),
    ("8.6", lambda weight, order: weight, "Column k"),
    ("8.6", lambda weight, order: weight[order.argsort()], "not rows"),
    ("8.6", unscrambled_in_place, "new matrix"),
]


class Stub(Published):
    def forward(self, x): ...


class TestLesson08(Checkers):
    RIGHT, WRONG, ASKED = RIGHT, WRONG, list(RIGHT)


@pytest.mark.parametrize("answer", [WithALayer, OfItsOwn, lambda trained: Mended(trained)])
def test_other_ways_to_mend_are_right(answer):
    assert check("8.5", answer)


@pytest.mark.parametrize(("exercise", "answer"), [("8.5", Stub), ("8.3", dict.fromkeys("ABCD", ...))])
def test_the_stubs_of_the_page_are_unattempted(exercise, answer):
    assert check(exercise, answer).status == "unattempted"
